"""The events of a page: what each connection carried and how it ended, as plain values in order of time."""

from __future__ import annotations

import heapq
import pickle
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

from windsock import redaction
from windsock.captures.page_lanes import PageConnection, PageSubject
from windsock.errors import text_of
from windsock.faults import Firing
from windsock.recording import Connection
from windsock.recording.events import Kind, ScriptState
from windsock.recording.redacted import redacted
from windsock.recording.store.spill_file import Event
from windsock.recording.transcript.events import script_text
from windsock.recording.urgency import urgent_text

__all__ = ["KEPT", "MOST_EVENTS", "PageEvent", "bounded", "events_of", "with_events", "within_budget"]

MOST_EVENTS = 20_000
"""Events that a page shows: of more, the first half of this number and the last half."""
KEPT = 4096
"""Bytes that a page keeps of each chunk..."""
BUDGET = 6 * 1024 * 1024
"""...as long as all chunks together keep no more than this: otherwise fewer of each."""
LEAST_KEPT = 64
TRACEBACK_LINES = 40


@dataclass(frozen=True, slots=True)
class PageEvent:
    """One event. `time` is in monotonic seconds.

    `connection` counts the page's connections from 0; for an event of a subject as a whole, it is -1 less the
    subject's index. `kind` is a word of `page.js`, `direction` "up", "down" or "". `data` is the beginning of `size`
    bytes. `detail` is text of several lines.
    """

    time: float
    connection: int
    kind: str
    direction: str = ""
    text: str = ""
    size: int = 0
    data: bytes = b""
    detail: str = ""


def events_of(subjects: Sequence[PageSubject], connections: Sequence[PageConnection]) -> Iterator[PageEvent]:
    """Give the events of all connections, and the firings of faults that no connection has, in order of time."""
    sources: list[Iterable[PageEvent]] = [_of_connection(each, index) for index, each in enumerate(connections)]
    sources += [_of_subject(each, -1 - index) for index, each in enumerate(subjects)]
    return heapq.merge(*sources, key=lambda event: event.time)


def bounded(events: Iterator[PageEvent], most: int = MOST_EVENTS) -> tuple[list[PageEvent], int, int]:
    """Return the first and the last events, at most `most`; where events are left out, and how many."""
    first = list(islice(events, most // 2))
    last: deque[PageEvent] = deque(maxlen=most - most // 2)
    seen = 0
    for event in events:
        last.append(event)
        seen += 1
    return [*first, *last], len(first), seen - len(last)


def with_events(
    connections: Sequence[PageConnection], events: Sequence[PageEvent]
) -> tuple[list[PageConnection], list[PageEvent]]:
    """Return the connections that have events, and the events with the new indices of their connections."""
    used = sorted({each.connection for each in events if each.connection >= 0})
    if len(used) == len(connections):
        return list(connections), list(events)
    new = {old: index for index, old in enumerate(used)}
    renumbered = [replace(each, connection=new.get(each.connection, each.connection)) for each in events]
    return [connections[each] for each in used], renumbered


def within_budget(events: list[PageEvent], budget: int = BUDGET) -> list[PageEvent]:
    """Return the events with so little data of each that all data is within the budget, if that is possible."""
    limit = KEPT
    while limit > LEAST_KEPT and sum(min(len(each.data), limit) for each in events) > budget:
        limit //= 2
    return [replace(each, data=each.data[:limit]) if len(each.data) > limit else each for each in events]


def _of_connection(connection: PageConnection, index: int) -> Iterator[PageEvent]:
    recorded = connection.recorded
    last = recorded.begins
    if not recorded.is_datagram:
        yield PageEvent(last, index, "open", "up", "connects")
    for event in redacted(recorded):
        last = max(last, event.time)
        made = _page_event(event, index, recorded)
        if made is not None:
            yield made
    if (closed := recorded.closed_at) is not None and not recorded.is_datagram:
        kind = "end" if connection.is_clean else "failed"
        yield PageEvent(max(last, closed), index, kind, text=f"ended: {connection.ending}")


def _of_subject(subject: PageSubject, index: int) -> Iterator[PageEvent]:
    """Give the firings that no connection has noted: those of a listener, and those on datagrams."""
    for firing in subject.firings:
        if firing.connection is None or _is_datagram(subject):
            yield PageEvent(firing.at, index, "fault", text=_words(firing))


def _is_datagram(subject: PageSubject) -> bool:
    """Return whether a server's faults act on datagrams, which it notes nowhere else; a proxy notes them all."""
    return bool(getattr(getattr(subject, "options", None), "is_datagram", False))


def _words(firing: Firing) -> str:
    where = "" if firing.connection is None else f" client #{firing.connection} {firing.direction}"
    return redaction.text(f"{firing.fault}{where}: {firing.what}")


def _page_event(event: Event, index: int, connection: Connection) -> PageEvent | None:
    """Return what the page shows of a recorded event; None for what only the recording needs."""
    kind, data = event.kind, event.data
    if kind in (Kind.UP, Kind.DOWN):
        direction = "up" if kind == Kind.UP else "down"
        is_shown = data or connection.is_datagram or kind == Kind.UP
        return PageEvent(event.time, index, "data", direction, "", len(data), data[:KEPT]) if is_shown else None
    if kind == Kind.ERROR:
        error = connection.errors[int(data)]
        return PageEvent(event.time, index, "error", text=_error(error), detail=_traceback(error))
    if kind not in WORDS:
        return None
    name, direction, say = WORDS[kind]
    text = say(data)
    if kind == Kind.TLS and text.startswith("TLS handshake failed"):
        name = "failed"
    if kind == Kind.SCRIPT and text.partition(": ")[2].startswith(ScriptState.FAILED):
        name = "failed"
    first, _, more = redaction.text(text).partition("\n")
    return PageEvent(event.time, index, name, direction, first, detail=more) if first else None


def _fixed(text: str) -> Callable[[bytes], str]:
    return lambda _: text


def _said(before: str) -> Callable[[bytes], str]:
    def say(data: bytes) -> str:
        text = data.decode(errors="backslashreplace")
        return f"{before}: {text}" if before and text else before or text

    return say


def _client_eof(data: bytes) -> str:
    return "FIN, TLS truncated (no close_notify)" if data else "FIN (client half-close or close)"


WORDS: dict[int, tuple[str, str, Callable[[bytes], str]]] = {
    Kind.CLIENT_EOF: ("fin", "up", _client_eof),
    Kind.CLIENT_RESET: ("failed", "up", _fixed("RST (client reset)")),
    Kind.TIMEOUT: ("timeout", "", _fixed("timed out waiting for the client")),
    Kind.HALF_CLOSE: ("fin", "down", _fixed("FIN (server half-close)")),
    Kind.TLS: ("tls", "", lambda data: str(pickle.loads(data))),
    Kind.TLS_END: ("tls", "", _fixed("TLS ended, in the clear from here")),
    Kind.TLS_ALERT: ("failed", "up", _said("TLS alert")),
    Kind.REFUSED: ("failed", "down", _said("refused")),
    Kind.SERVER_RESET: ("failed", "down", _said("RST (server reset)")),
    Kind.FAULT: ("fault", "", _said("")),
    Kind.NOTE: ("note", "", _said("")),
    Kind.URGENT_UP: ("note", "up", partial(urgent_text, Kind.URGENT_UP)),
    Kind.URGENT_DOWN: ("note", "down", partial(urgent_text, Kind.URGENT_DOWN)),
    Kind.SCRIPT: ("note", "", lambda data: script_text(data.decode(errors="backslashreplace"))),
}
"""What the page shows of each kind of event: a word of `page.js`, a direction, and the text."""


def _error(error: BaseException) -> str:
    first, _, more = text_of(error).partition("\n")
    return redaction.text(f"handler error: {type(error).__name__}: {first}{' ...' if more else ''}")


def _traceback(error: BaseException) -> str:
    """Return the last lines of the traceback from the first frame that is not windsock's own."""
    frames = error.__traceback__
    while frames is not None and str(frames.tb_frame.f_globals.get("__name__")).startswith("windsock."):
        frames = frames.tb_next
    lines = "".join(traceback.format_exception(type(error), error, frames or error.__traceback__)).splitlines()
    return redaction.text("\n".join(lines[-TRACEBACK_LINES:]))
