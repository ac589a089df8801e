"""ProtocolFraming: the framing of messages of a protocol. No I/O."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from windsock.protocols.protocol import Protocol
from windsock.scripts.checks import MessageFraming

__all__ = ["ProtocolFraming", "protocol_of"]


@dataclass(frozen=True, slots=True, repr=False)
class ProtocolFraming(MessageFraming):
    """Messages of a protocol: those of clients, or those of servers (`is_reply`). Over datagrams: the datagram."""

    protocol: Protocol
    _: KW_ONLY
    is_reply: bool = False
    has_state: bool = False
    """Whether it is that of one connection, which must be told of each message: see `passed()`."""

    def __repr__(self) -> str:
        return repr(self.protocol)

    def __call__(self, data: bytes) -> int | None:
        """Return the size of the first message, or None."""
        return self.protocol.size_of(data, is_reply=self.is_reply)

    @property
    def limit(self) -> int:
        """The most bytes of a message."""
        return self.protocol.limit

    @property
    def replies(self) -> ProtocolFraming:
        """The framing of the other direction of the same connection."""
        return ProtocolFraming(self.protocol, is_reply=not self.is_reply, has_state=self.has_state)

    def begin(self) -> ProtocolFraming:
        """Return the framing of one connection; itself if no message depends on those before it."""
        protocol = self.protocol if self.has_state else self.protocol.begin()
        if protocol is self.protocol:
            return self
        return ProtocolFraming(protocol, is_reply=self.is_reply, has_state=True)

    def passed(self, data: bytes) -> None:
        """Tell it of a whole message."""
        self.protocol.passed(data, is_reply=self.is_reply)

    def is_datagram(self, data: bytes) -> bool:  # noqa: ARG002  # as of every framing
        """Return True: every datagram is one message."""
        return True


def protocol_of(framing: object) -> Protocol | None:
    """Return the protocol of a framing, or None."""
    return framing.protocol if isinstance(framing, ProtocolFraming) else None
