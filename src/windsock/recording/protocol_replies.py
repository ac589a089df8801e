"""The messages with which a server has replied to one message of a client. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from windsock.protocols.protocol import Protocol
from windsock.recording.connection import Connection
from windsock.recording.events import Direction, Kind
from windsock.recording.protocol_messages import messages_in

__all__ = ["Replies"]


class Replies:
    """The replies to `message`; `span` is where in the server's stream the bytes are that were sent in reply."""

    def __init__(self, connection: Connection, protocol: Protocol, message: bytes, span: tuple[int, int]) -> None:
        self._connection = connection
        self._protocol = protocol
        self._message = message
        self._span = span

    def all(self) -> list[bytes]:
        """Return the messages that were sent in reply."""
        if self._connection.is_datagram:
            return [each.data for each in self._connection.chunks if each.direction == Direction.DOWNSTREAM]
        sent = self._connection.read(Kind.DOWN, *self._span)
        return [data for _, data in messages_in(sent, self._protocol, after=self._message)]

    def own(self) -> bytes:
        """Return the message that answers this one: with its key, or else the first; b"" without one."""
        sent = self.all()
        key = self._protocol.request_key(self._message)
        if key is not None:
            candidates = chain(sent, self._later())
            if found := next((each for each in candidates if self._protocol.reply_key(each) == key), b""):
                return found
        return next((each for each in sent if not self._protocol.is_interim(each)), sent[0] if sent else b"")

    def _later(self) -> Iterator[bytes]:
        """Give the messages of the whole connection that the server sent when the client's had begun."""
        if self._connection.is_datagram:
            return iter(())
        found = messages_in(self._connection.downstream, self._protocol, after=self._message)
        return (data for end, data in found if end > self._span[0])
