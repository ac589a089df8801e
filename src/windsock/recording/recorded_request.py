"""One recorded message with its reply."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from windsock.errors import UsageError
from windsock.recording.connection import Connection
from windsock.recording.events import Kind
from windsock.recording.protocol_replies import Replies
from windsock.redaction import masked

if TYPE_CHECKING:
    from windsock.protocols.protocol import Protocol
    from windsock.recording.rpc import RecordedCall

__all__ = ["RecordedRequest"]

SHOWN = 64
"""Bytes of a message that its repr shows..."""
LOOKED_AT = 4096
"""...and those that are looked at for secrets."""


@dataclass(frozen=True, slots=True, eq=False)
class RecordedRequest:
    """One message with its reply; without framing, everything that one connection sent; or a datagram.

    `connection` and `exchange` are indices from 0. `started`, `completed` and `replied` are the monotonic times of its
    first byte, its last byte, and the last byte of its reply (None: no reply). `is_complete`: whether all of it has
    come; without framing, whether the connection has ended. `waits_for` describes what an incomplete message waits
    for: "a line end".
    """

    connection: int
    exchange: int
    is_complete: bool
    started: float
    completed: float
    replied: float | None
    error: BaseException | None
    truncated_from: int | None
    waits_for: str
    _source: Connection
    _data: tuple[int, int]
    _reply: tuple[int, int]

    @property
    def peer(self) -> object:
        """The client's address."""
        return self._source.peer

    @property
    def transport(self) -> str:
        """The transport that it came over: "tcp", "udp", "unix_stream", "unix_datagram" or "unix_seqpacket"."""
        is_ip = isinstance(self._source.peer, tuple)
        if self._source.is_datagram:
            return "udp" if is_ip else "unix_datagram"
        if self._source.keeps_records:
            return "unix_seqpacket"
        return "tcp" if is_ip else "unix_stream"

    @property
    def data(self) -> bytes:
        """The bytes of the message."""
        return self._source.read(Kind.UP, *self._data)

    @property
    def reply(self) -> bytes:
        """The bytes of the reply."""
        return self._source.read(Kind.DOWN, *self._reply)

    @property
    def message(self) -> Any:
        """The message as a value of the protocol: `framing="redis"`, or a protocol of one's own.

        Raises DecodeError for a malformed one, whose bytes are `data`, and UsageError without a protocol.
        """
        return self._protocol("message").decoded(self.data)

    @property
    def reply_message(self) -> Any:
        """The reply as a value: the first message of `reply`, or the one with the request's id; None without one.

        Raises as `message` does.
        """
        protocol = self._protocol("reply_message")
        data = self._replies(protocol).own()
        return protocol.decoded(data, is_reply=True) if data else None

    @property
    def reply_messages(self) -> list[Any]:
        """All messages of `reply`, as values. Raises as `message` does."""
        protocol = self._protocol("reply_messages")
        return [protocol.decoded(each, is_reply=True) for each in self._replies(protocol).all()]

    @property
    def rpc(self) -> RecordedCall:
        """The message as a call of Sun RPC, with its reply. For servers and proxies with `framing="rpc"`."""
        from windsock.protocols.record_marking import unfinished
        from windsock.protocols.rpc_protocol import PROTOCOL, RPCProtocol
        from windsock.recording.rpc import recorded_call

        known = self._source.protocol
        protocol = known if isinstance(known, RPCProtocol) else PROTOCOL
        ended = None if self.is_complete or self._source.is_datagram else unfinished(self.data)
        return recorded_call(protocol.body(self.data), protocol.body(self._replies(protocol).own()), protocol, ended)

    def _protocol(self, name: str) -> Protocol:
        protocol = self._source.protocol
        if protocol is None:
            raise UsageError(f'{name}: the server has no protocol; pass framing="redis", or a protocol of your own')
        return protocol

    def _replies(self, protocol: Protocol) -> Replies:
        return Replies(self._source, protocol, self.data, self._reply)

    def __len__(self) -> int:
        return self._data[1] - self._data[0]

    def beginning(self, size: int) -> bytes:
        """Return at most the first `size` bytes, without reading the rest of a long message."""
        start, end = self._data
        return self._source.read(Kind.UP, start, min(end, start + size))

    def shown_beginning(self) -> bytes:
        """Return the first 64 bytes, with secrets masked, also those that earlier messages announce: for messages."""
        start, end = self._data
        first = max(0, start - LOOKED_AT)
        data = self._source.read(Kind.UP, first, min(end, start + LOOKED_AT))
        return masked(data)[start - first :][:SHOWN]

    def __repr__(self) -> str:
        data = self.shown_beginning()
        more = f"... ({len(self)} bytes)" if len(self) > SHOWN else ""
        state = "" if self.is_complete else ", not complete"
        if self.waits_for:
            state += f", waits for {self.waits_for}"
        return f"<request #{self.connection}.{self.exchange} {data!r}{more}{state}>"
