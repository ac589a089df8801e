"""The lines of a cassette for what a proxy has recorded, with secrets masked. No I/O."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeAlias

from windsock.cassettes.line import CassetteLine, Message, What
from windsock.errors import UsageError
from windsock.recording import Connection, Cutter, Framing, ProtocolFraming
from windsock.recording.events import Kind
from windsock.recording.store.spill_file import Event
from windsock.recording.transcript.timeline import merged
from windsock.recording.urgency import STREAM_OF
from windsock.redaction import MaskedStream

if TYPE_CHECKING:
    from windsock.security.handshake_info import TLSHandshake

__all__ = ["lines_of"]

Timed: TypeAlias = "tuple[float, What, Message | str]"
"""When something happened, in monotonic seconds, what, and its message or words."""

DATA = {Kind.UP: What.REQUEST, Kind.DOWN: What.REPLY}
ENDS = {
    Kind.CLIENT_EOF: What.CLIENT_EOF,
    Kind.HALF_CLOSE: What.SERVER_EOF,
    Kind.CLIENT_RESET: What.CLIENT_RESET,
    Kind.SERVER_RESET: What.SERVER_RESET,
    Kind.REFUSED: What.REFUSED,
    Kind.TLS_ALERT: What.CLIENT_RESET,
}
LARGEST = 64 * 1024
"""The most bytes of a line without framing..."""
PAUSE = 0.05
"""...whose data came without a pause of this number of seconds."""


def lines_of(
    connections: Iterable[Connection], framing: Framing | None, *, began: float, ended: float
) -> Iterator[CassetteLine]:
    """Give the lines for recorded connections, in the order of time. `began` and `ended` are monotonic seconds.

    What happened after `ended` is left out: the proxy has ended its connections then. Raises UsageError for urgent
    data, which a cassette cannot keep.
    """
    latest: dict[int, float] = {}
    numbers = _Numbers()
    sources = [(each.begins, each) for each in connections]
    for time, connection, what, content in merged(sources, lambda each: _placed(each, framing, ended)):
        number, is_new = numbers.of(connection)
        if is_new:
            latest[number] = began
        elif what is What.OPENED:
            continue  # another datagram of the same client
        after = max(0.0, round(time - latest[number], 3))
        latest[number] += after
        if isinstance(content, Message):
            yield CassetteLine(after, number, what, content)
        else:
            yield CassetteLine(after, number, what, detail=content)


class _Numbers:
    """The numbers of connections, from 1; the datagrams of one client have the same one."""

    def __init__(self) -> None:
        self._found: dict[object, int] = {}

    def of(self, connection: Connection) -> tuple[int, bool]:
        """Return the number, and whether it is new."""
        key: object = connection.peer if connection.is_datagram else connection.index
        before = len(self._found)
        number = self._found.setdefault(key if connection.is_datagram else ("stream", key), before + 1)
        return number, number > before


def _placed(
    connection: Connection, framing: Framing | None, ended: float
) -> Iterator[tuple[float, tuple[float, Connection, What, Message | str]]]:
    """Give what happened on a connection as `merged` takes it."""
    yield connection.begins, (connection.begins, connection, What.OPENED, "")
    each: Iterator[Timed] = (
        _datagram(connection) if connection.is_datagram else _Stream(connection, framing, ended).all()
    )
    for time, what, content in each:
        yield time, (time, connection, what, content)


def _datagram(connection: Connection) -> Iterator[Timed]:
    for event in connection.settled():
        if event.kind in DATA:
            stream = MaskedStream(iter([event.data]))
            yield event.time, DATA[event.kind], _message(stream, len(event.data))
        elif event.kind in (Kind.SERVER_RESET, Kind.REFUSED):
            yield event.time, What.SERVER_RESET, event.data.decode()


def _message(stream: MaskedStream, size: int) -> Message:
    data, secrets = stream.take_with_spans(size)
    return Message(data, tuple(secrets))


class _Stream:
    """What happened on a connection, its data cut into messages."""

    def __init__(self, connection: Connection, framing: Framing | None, ended: float) -> None:
        self._connection = connection
        self._ended = ended
        up, down = _cutters(framing)
        self._sides = {Kind.UP: _Side(connection, Kind.UP, up), Kind.DOWN: _Side(connection, Kind.DOWN, down)}

    def all(self) -> Iterator[Timed]:
        """Give what happened."""
        has_ended = False
        for event in self._connection.settled():
            if event.kind in DATA:
                yield from self._passed(event)
            elif event.kind in STREAM_OF:
                raise UsageError(f"{self._connection!r} carried urgent data, which a cassette cannot keep")
            elif event.kind == Kind.TLS:
                yield event.time, What.TLS, _tls_words(pickle.loads(event.data))
            elif event.kind in ENDS and event.time < self._ended:
                yield from self._flushed(*self._sides)  # a reply may have begun that the end waits for
                yield event.time, ENDS[event.kind], _reason(event)
                has_ended = True
        yield from self._flushed(*self._sides)
        if not has_ended:
            yield self._ended, What.SILENCE, ""

    def _passed(self, event: Event) -> Iterator[Timed]:
        side = self._sides[event.kind]
        yield from self._flushed(*(kind for kind in self._sides if not self._goes_on(kind, event)))
        for size in side.feed(event):
            yield event.time, DATA[event.kind], _message(side.masked, size)

    def _goes_on(self, kind: int, event: Event) -> bool:
        """Return whether the data waiting in one direction is in the same line as the new data, or may be completed."""
        side = self._sides[kind]
        return side.is_framed or (kind == event.kind and event.time - side.time < PAUSE and side.waiting < LARGEST)

    def _flushed(self, *kinds: int) -> Iterator[Timed]:
        for kind in kinds:
            side = self._sides[kind]
            if size := side.rest():
                yield side.time, DATA[kind], _message(side.masked, size)


class _Side:
    """One direction of a connection: how much of its data makes a message, and the data, masked."""

    def __init__(self, connection: Connection, kind: int, cutter: Cutter | None) -> None:
        pieces = (each.data for each in connection.settled() if each.kind == kind)
        self.masked = MaskedStream(pieces)
        self.waiting = 0
        self.time = 0.0
        self._cutter = cutter

    @property
    def is_framed(self) -> bool:
        """Return whether the data is cut where messages end, until some is no message."""
        return self._cutter is not None

    def feed(self, event: Event) -> Iterator[int]:
        """Add data; give the sizes of the messages that are complete."""
        self.waiting += len(event.data)
        self.time = event.time
        if self._cutter is None:
            return
        self._cutter.feed(event.data)
        try:
            while size := self._cutter.skip():
                self.waiting -= size
                yield size
        except UsageError:
            raise
        except Exception:  # from here on there are no messages
            self._cutter = None

    def rest(self) -> int:
        """Return the size of what makes no message, which is over with this."""
        size, self.waiting = self.waiting, 0
        if size and self._cutter is not None:
            self._cutter.rest()
        return size


def _cutters(framing: Framing | None) -> tuple[Cutter | None, Cutter | None]:
    if framing is None:
        return None, None
    if isinstance(framing, ProtocolFraming):
        begun = framing.begin()
        return Cutter(begun), Cutter(begun.replies)
    return Cutter(framing), Cutter(framing)


def _reason(event: Event) -> str:
    """Return why the server could not be connected to, without its address, which is another one each time."""
    return event.data.decode().rpartition(": ")[2] if event.kind == Kind.REFUSED else ""


def _tls_words(handshake: TLSHandshake) -> str:
    if handshake.failure is not None:
        return f"failed: {handshake.failure}"
    names = ("version", "cipher", "server_name", "alpn")
    return " ".join(f"{name}={getattr(handshake, name)}" for name in names if getattr(handshake, name))
