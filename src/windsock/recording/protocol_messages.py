"""The messages of recorded bytes, by their protocol, in either direction. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from windsock.protocols.protocol import Protocol
from windsock.protocols.values import as_bytes, message_in
from windsock.recording.cutter import Cutter
from windsock.recording.framing import Framing
from windsock.recording.protocol_framing import ProtocolFraming

__all__ = ["MessageValues", "OtherDirection", "messages_in", "replies_cutter"]


class OtherDirection:
    """The messages of the other direction, where the size of messages depends on them."""

    def __init__(self, framing: ProtocolFraming) -> None:
        self._cutter: Cutter | None = Cutter(framing)

    def feed_all(self, data: bytes) -> None:
        """Add bytes that have passed. From bytes that are no message on, nothing is learnt."""
        if self._cutter is None:
            return
        self._cutter.feed(data)
        try:
            while self._cutter.skip():
                pass
        except Exception:  # malformed replies are shown where they are read
            self._cutter = None


def replies_cutter(framing: Framing) -> OtherDirection | None:
    """Return what takes the replies of a connection, or None if its messages do not depend on them."""
    if isinstance(framing, ProtocolFraming) and framing.has_state:
        return OtherDirection(framing.replies)
    return None


def messages_in(replies: bytes, protocol: Protocol, *, after: bytes) -> Iterator[tuple[int, bytes]]:
    """Give the complete messages of a server with the offsets of their ends; where they are malformed, the rest.

    `after` is the message of the client that they answer.
    """
    framing = ProtocolFraming(protocol, is_reply=True).begin()
    if framing.has_state:
        framing.replies.passed(after)
    cutter = Cutter(framing)
    cutter.feed(replies)
    try:
        while (message := cutter.cut()) is not None:
            yield len(replies) - len(cutter), message
        if len(cutter) and protocol.until_end(rest := cutter.rest()):
            yield len(replies), rest
    except Exception:
        yield len(replies), cutter.rest()


class MessageValues:
    """The messages of both directions of a connection as values, where these are encoded to just the same bytes."""

    def __init__(self, protocol: Protocol, *, is_datagram: bool) -> None:
        self._protocol = protocol
        self._is_datagram = is_datagram
        framing = ProtocolFraming(protocol).begin()
        self._cutters: dict[bool, Cutter | None] = {False: Cutter(framing), True: Cutter(framing.replies)}

    def of(self, data: bytes, *, is_reply: bool) -> Iterable[object]:
        """Return the messages in data of one direction: values, and bytes where it has no whole message."""
        cutter = self._cutters[is_reply]
        if self._is_datagram or cutter is None:
            return [self._value(data, is_reply=is_reply) if self._is_datagram else data]
        cutter.feed(data)
        found: list[object] = []
        try:
            while (message := cutter.cut()) is not None:
                found.append(self._value(message, is_reply=is_reply))
        except Exception:  # there are no more messages
            self._cutters[is_reply] = None
        if rest := cutter.rest():
            found.append(rest)
            self._cutters[is_reply] = None  # what follows is the rest of a message
        return found

    def _value(self, data: bytes, *, is_reply: bool) -> object:
        try:
            value = message_in(self._protocol.decoded(data, is_reply=is_reply))
            return data if value is None or as_bytes(value) != data else value
        except Exception:  # malformed, or it can't be encoded: bytes can
            return data
