"""From running servers and proxies to facts, once for a failed test, and bounded in size."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, TypeAlias

from windsock.errors import WindsockError
from windsock.findings import places
from windsock.findings.downs import downs_in
from windsock.findings.facts import ConnectionFacts, HandlerPlace, RuleFacts, ServerFacts
from windsock.net import addresses
from windsock.net.processes import has_ended
from windsock.recording import Connection, Cutter, EachRecord, Ending, Framing, UntilEof
from windsock.recording.events import Chunk, Direction, Kind
from windsock.recording.store.spill_file import Event

__all__ = ["Handlers", "handlers_of", "places_of", "server_from"]

DETAILED = 100
"""Connections whose bytes are looked at: the first and the last of a server. Of those between only the ends are."""
MOST_EVENTS = 5000
"""Events of a connection that are looked at: of longer ones only the ends are."""
MOST_BYTES = 256 * 1024
"""Bytes of each direction that are kept."""
MOST_READ = 16 * 1024 * 1024
"""Bytes of a connection that are looked at: of larger ones only the ends are."""
MOST_READ_OF_ALL = 4 * MOST_READ
FIRST_EVENTS = 8
MOST_FIRINGS = 1000


Handlers: TypeAlias = Mapping[int, HandlerPlace]
"""Where handlers stand, by the index of their connection."""


def handlers_of(subject: Any) -> Handlers:
    """Return where the handlers of a server stand now."""
    has_handlers = getattr(subject, "fake", subject) is None
    is_busy = has_handlers and any(not each.is_closed for each in subject.connections)
    if not is_busy:
        return {}
    connections = subject.connections
    in_children = places.places_in_children(subject.server)
    found = places.places_of_handlers(subject.server, partial(_is_detailed, len(connections)))
    return found | {each.index: in_children[each.pid] for each in connections if each.pid in in_children}


def places_of(subject: Any) -> dict[int, str]:
    """Return where the handlers of a server, or the scripts of a fake, stand now, in words, by their connection."""
    if (fake := getattr(subject, "fake", None)) is not None:
        return {each.index: place for each in subject.connections if (place := fake.place_of(each.index))}
    return {index: f"its handler {each}" for index, each in handlers_of(subject).items()}


def _is_detailed(count: int, index: int) -> bool:
    """Return whether a connection is one of the first or of the last of all."""
    return index < DETAILED // 2 or index >= count - DETAILED // 2


def server_from(subject: Any, handlers: Handlers, failed_at: float) -> ServerFacts:
    """Return the facts of a server or a proxy; `handlers` is where they stood when the test failed."""
    options, fake = getattr(subject, "options", None), getattr(subject, "fake", None)
    is_datagram = (options or subject.upstream).is_datagram
    all_connections = list(subject.connections)
    framing = None if is_datagram else subject.requests.framing
    in_hand = frozenset(each.index for each in all_connections if fake is not None and subject.is_in_hand(each))
    return ServerFacts(
        name=subject.name,
        address=subject.address,
        shown=addresses.show(subject.address),
        is_datagram=is_datagram,
        is_fake=fake is not None,
        is_proxy=options is None,
        is_sync=options is not None and options.concurrency == "sync",
        has_buffered_wfile=options is not None and bool(getattr(subject.server.RequestHandlerClass, "wbufsize", 0)),
        upstream=None if options is not None else subject.upstream.address,
        never_speaks=fake is not None and fake.never_speaks,
        idle_seconds=None if fake is None else fake.idle_seconds,
        framing=framing,
        rules=() if fake is None else tuple(_rule(each, len(all_connections), in_hand) for each in fake.rules),
        firings=tuple(subject.firings[-MOST_FIRINGS:]),
        downs=tuple(downs_in(subject.changes)),
        connections=tuple(_connections(all_connections, framing, handlers, failed_at)),
        in_hand=in_hand,
        **_tls(subject, options),
    )


def _rule(rule: Any, count: int, in_hand: frozenset[int]) -> RuleFacts:
    connections = frozenset(index for index in range(min(count, DETAILED)) if rule.is_for(index))
    return RuleFacts(rule.start, rule.pattern, connections - in_hand)


def _tls(subject: Any, options: Any) -> dict[str, Any]:
    encryption = getattr(options, "encryption", None)
    if encryption is None:
        return {}
    context = subject.server.ssl_context
    versions = (_version(context.minimum_version.name), _version(context.maximum_version.name))
    return {
        "is_starttls": not encryption.begins_with_tls,
        "certificates": {} if encryption.own_context else dict(encryption.certificates),
        "alpn": encryption.alpn,
        "versions": versions,
    }


def _version(name: str) -> str:
    """Return "TLSv1.2" for "TLSv1_2"; nothing for the lowest or the highest that there is."""
    return name.replace("_", ".") if name.startswith("TLSv") else ""


def _connections(
    found: Sequence[Connection], framing: Framing | None, handlers: Handlers, failed_at: float
) -> Iterator[ConnectionFacts]:
    left = MOST_READ_OF_ALL
    for each in found:
        events = _events(each, min(left, MOST_READ)) if _is_detailed(len(found), each.index) else None
        if events is None:
            yield _brief(each)
        else:
            left -= sum(len(event.data) for event in events)
            yield _connection(each, events, framing, handlers.get(each.index), failed_at)


def _events(connection: Connection, most: int) -> list[Event] | None:
    """Return the events of a connection; None if they are too many, or too large."""
    found, size = [], 0
    for event in connection.events():
        found.append(event)
        size += len(event.data)
        if size > most or len(found) > MOST_EVENTS:
            return None
    return found


def _brief(connection: Connection) -> ConnectionFacts:
    """Return what costs little, of a connection among many or of a large one."""
    events = list(islice(connection.events(), FIRST_EVENTS))
    return ConnectionFacts(
        index=connection.index,
        opened=connection.opened,
        closed=connection.closed_at,
        ending=connection.ending_so_far(),
        upstream=b"".join(each.data[:64] for each in events if each.kind == Kind.UP),
        downstream=b"".join(each.data[:64] for each in events if each.kind == Kind.DOWN),
        has_failed=connection.has_failed,
    )


def _connection(
    connection: Connection,
    events: list[Event],
    framing: Framing | None,
    handler: HandlerPlace | None,
    failed_at: float,
) -> ConnectionFacts:
    reader = _EventReader()
    for event in events:
        reader.take(event.time, event.kind, event.data)
    chunks = tuple(connection.chunks)
    upstream = _joined(chunks, Direction.UPSTREAM)
    messages, rest, waits_for = _cut(upstream, framing, has_ended=reader.client_end is not None)
    if isinstance(framing, EachRecord):
        messages = tuple(each.data for each in chunks if each.direction is Direction.UPSTREAM)
    return ConnectionFacts(
        index=connection.index,
        peer=addresses.show(connection.peer) if connection.peer else "",
        opened=connection.opened,
        closed=connection.closed_at,
        ending=connection.ending_so_far() or reader.reset,  # the handler may not have ended it yet
        chunks=chunks,
        upstream=upstream,
        downstream=_joined(chunks, Direction.DOWNSTREAM),
        messages=(upstream,) if connection.is_datagram else messages,
        rest=rest,
        waits_for=waits_for,
        unsent=reader.unsent,
        client_end=reader.client_end,
        server_end=reader.server_end,
        latest=_latest(chunks, reader.client_end, failed_at) or connection.opened,
        faults=tuple(reader.faults),
        reset_by_server=reader.server_reset,
        has_failed=connection.has_failed,
        played=connection.played,
        refused=connection.refused,
        tls=connection.tls,
        is_tls_truncated=connection.is_tls_truncated,
        handler=handler,
        pid=connection.pid,
        has_exited=_has_exited(connection, reader),
    )


def _has_exited(connection: Connection, reader: _EventReader) -> bool:
    """Return whether the process of the handler is over, which its server may not have seen yet."""
    has_end = reader.client_end is not None or reader.server_end is not None or connection.closed_at is not None
    if connection.pid is None or has_end:
        return False
    return has_ended(connection.pid) is not False


def _latest(chunks: Sequence[Chunk], client_end: float | None, failed_at: float) -> float | None:
    """Return when the last bytes passed before the client's end, and before the test failed."""
    end = failed_at if client_end is None else min(client_end, failed_at)
    return next((each.time for each in reversed(chunks) if each.time <= end), None)


def _joined(chunks: Iterable[Chunk], direction: Direction) -> bytes:
    found, size = [], 0
    for each in chunks:
        if each.direction is direction and size < MOST_BYTES:
            found.append(each.data)
            size += len(each.data)
    return b"".join(found)


def _cut(data: bytes, framing: Framing | None, *, has_ended: bool) -> tuple[tuple[bytes, ...], bytes, str]:
    """Return the messages that are complete, what is left, and what that waits for."""
    if framing is None or len(data) >= MOST_BYTES:
        return (), b"", ""
    if isinstance(framing, UntilEof):
        return ((data,), b"", "") if has_ended else ((), data, "the end of the stream")
    cutter = Cutter(framing)
    if cutter.has_state:  # one direction does not say where messages end
        return (), b"", ""
    cutter.feed(data)
    messages: list[bytes] = []
    with contextlib.suppress(WindsockError):  # what is left is no message, or too long a one
        while (message := cutter.cut()) is not None:
            messages.append(message)
    waits_for = cutter.waits_for
    return tuple(messages), cutter.rest(), waits_for


class _EventReader:
    """Takes the events of a connection one by one, and keeps what says more than that bytes passed."""

    def __init__(self) -> None:
        self.client_end: float | None = None
        self.reset: Ending | None = None
        self.server_end: float | None = None
        self.unsent: tuple[int, int] | None = None
        self.faults: list[str] = []
        self.server_reset: float | None = None
        self._reply = 0

    def take(self, time: float, kind: int, data: bytes) -> None:
        """Take one event."""
        if kind == Kind.UP:
            self._reply = 0
        elif kind == Kind.DOWN:
            self._reply += len(data)
            self.unsent = None
        elif kind == Kind.RETRACT:
            self.unsent = (self._reply, self._reply - int(data))
        elif kind in (Kind.CLIENT_EOF, Kind.CLIENT_RESET):
            self.client_end = time if self.client_end is None else self.client_end
            self.reset = Ending.CLIENT_RESET if kind == Kind.CLIENT_RESET else self.reset
        elif kind in (Kind.HALF_CLOSE, Kind.CLOSE):
            self.server_end = time if self.server_end is None else self.server_end
        elif kind == Kind.FAULT:
            self.faults.append(data.decode(errors="replace"))
        elif kind == Kind.SERVER_RESET:
            self.server_reset = time
