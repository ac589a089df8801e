"""Messages and their replies, cut out of a recorded connection."""

from __future__ import annotations

from itertools import islice

from windsock.recording.connection import Connection
from windsock.recording.cutter import Cutter
from windsock.recording.errors import MessageTooLong
from windsock.recording.events import Kind
from windsock.recording.framing import Framing, UntilEof, is_framed
from windsock.recording.protocol_framing import protocol_of
from windsock.recording.protocol_messages import replies_cutter
from windsock.recording.recorded_request import RecordedRequest
from windsock.recording.store.spill_file import Event
from windsock.recording.unsent import cuts_in, without

__all__ = ["Exchanges"]


class _Exchange:
    __slots__ = ("completed", "data_end", "data_start", "is_complete", "replied", "reply_end", "reply_start", "started")

    def __init__(self, time: float, data_start: int, reply_start: int) -> None:
        self.is_complete = False
        self.started = self.completed = time
        self.replied: float | None = None
        self.data_start = self.data_end = data_start
        self.reply_start = self.reply_end = reply_start


class Exchanges:
    """The exchanges of one connection; each look continues where the previous one stopped.

    A reply belongs to the latest message that was complete before it, or, if the server marks the message that it is
    answering, to that one.
    """

    def __init__(self, connection: Connection, framing: Framing | None, *, is_datagram: bool) -> None:
        self.connection = connection
        self._framing = framing if is_framed(framing) else None
        self._is_datagram = is_datagram
        self._seen = 0
        self._begin()

    def _begin(self) -> None:
        framing = self._framing
        self._cutter: Cutter | None = None
        if framing is not None and not isinstance(framing, UntilEof):
            self._cutter = Cutter(framing, self.connection.index)
        self._reply_cutter = None if self._cutter is None else replies_cutter(self._cutter.framing)
        self.error: Exception | None = None
        """The framing's error; the bytes from there on are not cut into messages."""
        self._all: list[_Exchange] = []
        self._open: _Exchange | None = None
        self._up = 0
        self._down = 0
        self._begun = 0
        """How many messages the server has marked as begun."""
        self._marked = 0
        """The number of the message that it answers, from 1."""

    def requests(self) -> list[RecordedRequest]:
        """Return the requests so far, in order."""
        for event in self.connection.events(self._seen):
            self._seen += 1
            if event.kind == Kind.RETRACT_UP:
                self._begin_again()
            else:
                self._apply(event)
        found = [self._request(number, each) for number, each in enumerate(self._all)]
        if self._open is not None and (self._framing is None or self.connection.is_closed):
            found.append(self._request(len(self._all), self._open))
        return found

    def unfinished(self) -> RecordedRequest | None:
        """Return the incomplete message as of the latest `requests()`, or None; always None without framing."""
        is_no_message = self.error is not None and not isinstance(self.error, MessageTooLong)
        if self._open is None or self._framing is None or is_no_message:
            return None
        return self._request(len(self._all), self._open)

    def rest(self) -> tuple[int, float, bytes]:
        """Return the number of events so far, and the time and data of the message that has begun, if one has."""
        self.requests()
        begun = self.unfinished()
        return (self._seen, 0.0, b"") if begun is None else (self._seen, begun.started, begun.data)

    def _begin_again(self) -> None:
        """Start again from the first event: what looked like messages was not. At most once for each connection."""
        self._begin()
        cuts = cuts_in(islice(self.connection.events(), self._seen))
        for event in without(islice(self.connection.events(), self._seen), cuts):
            self._apply(event)

    def _apply(self, event: Event) -> None:
        if event.kind == Kind.UP:
            self._take(event.time, event.data)
        elif event.kind == Kind.DOWN:
            if self._open is not None and self._is_interim(event.data):
                self._down += len(event.data)  # no reply to the message before
            else:
                self._answer(event.time, len(event.data))
            if self._reply_cutter is not None:
                self._reply_cutter.feed_all(event.data)
        elif event.kind == Kind.RETRACT:
            self._answer(event.time, -int(event.data))
        elif event.kind == Kind.MARK:
            self._mark(event.data)
        elif event.kind == Kind.CLIENT_EOF and isinstance(self._framing, UntilEof) and self._open is not None:
            self._complete(event.time, self._up - self._open.data_start)

    def _mark(self, number: bytes) -> None:
        """Note which message the server answers: the next one, or the one with that number."""
        if not number:
            self._begun += 1
        self._marked = int(number or self._begun)

    def _take(self, time: float, data: bytes) -> None:
        if self._open is None:
            self._open = _Exchange(time, self._up, self._down)
        self._up += len(data)
        if self._cutter is None:
            self._open.data_end = self._up
            self._open.completed = time
            return
        self._cutter.feed(data)
        try:
            while size := self._cutter.skip():
                self._complete(time, size)
        except Exception as error:
            self._cutter, self.error = None, error

    def _complete(self, time: float, size: int) -> None:
        done = self._open
        if done is None:
            return
        done.is_complete = True
        done.completed = time
        done.data_end = done.data_start + size
        self._all.append(done)
        self._open = _Exchange(time, done.data_end, self._down) if done.data_end < self._up else None

    def _answer(self, time: float, size: int) -> None:
        self._down += size
        exchange = self._current()
        if exchange is not None:
            if exchange.replied is None:
                exchange.reply_start = self._down - size
            exchange.reply_end = self._down
            exchange.replied = time if self._down > exchange.reply_start else None

    def _is_interim(self, data: bytes) -> bool:
        protocol = protocol_of(self._framing)
        return protocol is not None and protocol.is_interim(data)

    def _current(self) -> _Exchange | None:
        if self._framing is None:
            return self._open
        if not self._all:
            return None
        return self._all[min(self._marked, len(self._all)) - 1]

    def _waits_for(self) -> str:
        if self._cutter is not None:
            return self._cutter.waits_for
        if isinstance(self._framing, UntilEof):
            return "the end of the stream"
        return "" if self._framing is None else "an end that comes within its limit"

    def _request(self, number: int, exchange: _Exchange) -> RecordedRequest:
        connection = self.connection
        if exchange is self._open:
            exchange.data_end = self._up
            exchange.is_complete = self._framing is None and (self._is_datagram or connection.is_closed)
            closed = connection.closed_at
            if exchange.is_complete and closed is not None and not self._is_datagram:
                exchange.completed = closed
        if self._framing is None:
            exchange.reply_start, exchange.reply_end = 0, self._down
        is_last = number == len(self._all) - (self._open is None)
        return RecordedRequest(
            connection.index,
            number,
            exchange.is_complete,
            exchange.started,
            exchange.completed,
            exchange.replied,
            connection.error if is_last else None,
            connection.truncated_from,
            "" if exchange.is_complete else self._waits_for(),
            connection,
            (exchange.data_start, exchange.data_end),
            (exchange.reply_start, exchange.reply_end),
        )
