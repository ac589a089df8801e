"""What a client of a replay has sent and no recorded message has taken yet. No I/O."""

from __future__ import annotations

from windsock.cassettes.matching import Expected
from windsock.errors import WindsockError
from windsock.recording import Cutter, Framing
from windsock.recording.protocol_messages import replies_cutter

__all__ = ["Differs", "ReceivedData"]


class Differs(Exception):
    """What came is not what was recorded: `received`, and `why` if it is no message at all."""

    def __init__(self, received: bytes, why: str = "") -> None:
        self.received = received
        self.why = why
        super().__init__(received, why)


class ReceivedData:
    """The bytes of one client's stream; with a framing, cut into messages."""

    def __init__(self, framing: Framing | None, connection: int | None) -> None:
        self._bytes = bytearray()
        self._cutter = None if framing is None else Cutter(framing, connection)
        self._replies = None if self._cutter is None else replies_cutter(self._cutter.framing)

    def __len__(self) -> int:
        """Return the number of bytes that have not been taken."""
        return len(self._bytes) if self._cutter is None else len(self._cutter)

    def feed(self, data: bytes) -> None:
        """Add bytes that have come."""
        if self._cutter is None:
            self._bytes += data
        else:
            self._cutter.feed(data)

    def replied(self, data: bytes) -> None:
        """Note a reply, on which the ends of messages may depend."""
        if self._replies is not None:
            self._replies.feed_all(data)

    def message(self) -> bytes | None:
        """Take the next message; None if it is not complete. Only with a framing. Raises Differs for no message."""
        assert self._cutter is not None
        try:
            return self._cutter.cut()
        except WindsockError as error:
            raise Differs(self.rest(), str(error)) from error

    def take(self, expected: Expected) -> bool:
        """Take what was expected; return whether it has come. Raises Differs if something else has."""
        return self._take_run(expected) if self._cutter is None else self._take_message(self._cutter, expected)

    def _take_run(self, expected: Expected) -> bool:
        received = bytes(self._bytes)
        size = expected.begins(received)
        if size is None:
            if not expected.can_begin(received):
                raise Differs(received)
            return False
        del self._bytes[:size]
        return True

    def _take_message(self, cutter: Cutter, expected: Expected) -> bool:
        if expected.is_exact and cutter.take(expected.message):
            return True
        message = self.message()
        if message is not None and not expected.fits(message):
            raise Differs(message)
        return message is not None

    def rest(self) -> bytes:
        """Take all that is left."""
        if self._cutter is not None:
            return self._cutter.rest()
        rest = bytes(self._bytes)
        self._bytes.clear()
        return rest
