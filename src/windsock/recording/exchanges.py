"""Messages and their replies, cut out of a recorded connection."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from windsock.errors import UsageError
from windsock.recording.connection import Connection
from windsock.recording.cutter import Cutter
from windsock.recording.errors import MessageTooLong
from windsock.recording.events import Kind
from windsock.recording.framing import Framing, UntilEof, is_framed
from windsock.recording.protocol_framing import protocol_of
from windsock.recording.protocol_messages import replies_cutter
from windsock.recording.protocol_replies import Replies
from windsock.recording.store.spill_file import Event
from windsock.recording.unsent import cuts_in, without
from windsock.redaction import masked

if TYPE_CHECKING:
    from windsock.protocols.protocol import Protocol
    from windsock.recording.rpc import RecordedCall

__all__ = ["Exchanges", "RecordedRequest"]

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
