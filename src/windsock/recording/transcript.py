"""Transcripts: the recording in words, one line for each event, limited in length."""

from __future__ import annotations

import pickle
from collections import deque
from collections.abc import Iterator
from itertools import islice

from windsock.errors import text_of
from windsock.net import addresses
from windsock.recording.connection import Connection
from windsock.recording.events import Kind
from windsock.recording.recorder import Recorder
from windsock.recording.urgency import urgent_text

__all__ = ["event_text", "preview", "summary", "transcript"]

PREVIEW = 48
"""The bytes of data that a line shows."""
FIRST, LAST = 20, 30
"""The lines kept at each end of a long transcript."""

FACTS = {
    Kind.CLIENT_EOF: "client EOF",
    Kind.CLIENT_RESET: "client reset",
    Kind.TIMEOUT: "timed out waiting for the client",
    Kind.HALF_CLOSE: "server half-close",
    Kind.TLS_END: "TLS ended, unencrypted from here",
}

SIGNS = {Kind.URGENT_UP: ">", Kind.URGENT_DOWN: "<"}


def preview(data: bytes, limit: int = PREVIEW) -> str:
    """Return the data as a bytes literal, cut after `limit` bytes."""
    return f"{data[:limit]!r}..." if len(data) > limit else repr(data)


def transcript(recorder: Recorder) -> list[str]:
    """Return the recording in the order of time; the middle is left out if it is long.

    Times are in seconds since the first connection; `>` is upstream, `<` downstream.
    """
    recorder.settle()
    connections = list(recorder.connections)
    if not connections:
        return ["nothing was recorded"]
    start = connections[0].opened
    first: list[tuple[float, str]] = []
    last: deque[tuple[float, str]] = deque(maxlen=LAST)
    count = 0
    for time, line in _merged(connections):
        count += 1
        if len(first) < FIRST:
            first.append((time, line))
        else:
            last.append((time, line))
    lines = [f"+{time - start:.4f} {line}" for time, line in first]
    if count > FIRST + LAST:
        lines.append(f"... {count - FIRST - LAST} more lines ...")
    return lines + [f"+{time - start:.4f} {line}" for time, line in last]


def _merged(connections: list[Connection]) -> Iterator[tuple[float, str]]:
    import heapq

    return heapq.merge(*(_lines(each) for each in connections), key=lambda pair: pair[0])


def summary(recorder: Recorder, limit: int = 12) -> str:
    """Return a few lines about the recording, for error messages."""
    lines = transcript(recorder)
    if len(lines) > limit:
        lines = [*lines[: limit // 2], f"... {len(lines) - limit} more lines ...", *lines[-(limit // 2) :]]
    return "\n".join(f"  {line}" for line in lines)


def _lines(connection: Connection) -> Iterator[tuple[float, str]]:
    who = f"#{connection.index}"
    yield connection.opened, f"{who} from {addresses.show(connection.peer)}"
    last = connection.opened
    for event in islice(connection.settled(), 100_000):
        last = event.time
        text = event_text(event.kind, event.data, connection)
        if text:
            yield event.time, f"{who} {text}"
    if (closed := connection.closed_at) is not None:
        yield max(last, closed), f"{who} ended: {connection.ending_so_far()}"


def event_text(kind: int, data: bytes, connection: Connection) -> str:
    """Return what a transcript says of an event; nothing of an event that is not worth a line."""
    if kind == Kind.UP:
        return f"> {len(data)} B {preview(data)}"
    if kind == Kind.DOWN and (data or connection.is_datagram):
        return f"< {len(data)} B {preview(data)}"
    if kind == Kind.ERROR:
        error = connection.error
        first, _, more = ("" if error is None else text_of(error)).partition("\n")
        return f"! handler error: {type(error).__name__}: {first}{'...' if more else ''}"
    if kind == Kind.TLS:
        return str(pickle.loads(data))
    if kind == Kind.TLS_ALERT:
        return f"client's TLS alert: {data.decode()}"
    if kind == Kind.REFUSED:
        return f"refused: {data.decode()}"
    if kind == Kind.NOTE:
        return f"note: {data.decode(errors='replace')}"
    if kind in (Kind.FAULT, Kind.SERVER_RESET, Kind.SCRIPT):
        return _on_purpose(kind, data.decode(errors="replace"))
    if kind == Kind.CLIENT_EOF and data:
        return "client EOF, TLS truncated (no close_notify)"
    return f"{SIGNS[kind]} {urgent_text(kind, data)}" if kind in SIGNS else FACTS.get(kind, "")


def _on_purpose(kind: int, text: str) -> str:
    """Describe an event that the test caused on purpose."""
    if kind == Kind.FAULT:
        return f"~ fault: {text}"
    if kind == Kind.SERVER_RESET:
        return f"server reset: {text}" if text else "server reset"
    has_just_begun = text.partition(" ")[0] in ("begun", "resting")
    return "" if has_just_begun else f"script: {text.splitlines()[0]}"
