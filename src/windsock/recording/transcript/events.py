"""Events in words, as transcripts and files say them."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

from windsock import redaction
from windsock.errors import text_of
from windsock.recording.events import Kind, ScriptState
from windsock.recording.urgency import urgent_text

if TYPE_CHECKING:
    from windsock.faults import Firing
    from windsock.recording.connection import Connection
    from windsock.recording.store.spill_file import Event

__all__ = ["DATA", "event_text", "firing_text", "in_words", "preview", "script_text"]

PREVIEW = 48
"""The bytes of data that a line shows."""
DATA = (Kind.UP, Kind.DOWN)
"""Events that are bytes, which need no words."""

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


def event_text(kind: int, data: bytes, connection: Connection) -> str:
    """Return what a transcript says of an event of `redacted()`; nothing of data, and of what is not worth a line."""
    return FACTS[kind] if kind in FACTS and not data else redaction.line(_words(kind, data, connection))


def _words(kind: int, data: bytes, connection: Connection) -> str:
    if kind == Kind.ERROR:
        error = connection.errors[int(data)]
        first, _, more = text_of(error).partition("\n")
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


def in_words(event: Event, connection: Connection) -> str:
    """Return what a transcript says of an event, without the sign before it; nothing of data."""
    return event_text(event.kind, event.data, connection).lstrip("~!<> ")


def _on_purpose(kind: int, text: str) -> str:
    """Describe an event that the test caused on purpose."""
    if kind == Kind.FAULT:
        return f"~ fault: {text}"
    if kind == Kind.SERVER_RESET:
        return f"server reset: {text}" if text else "server reset"
    return script_text(text).partition("\n")[0]


def script_text(text: str) -> str:
    """Return how far a script has come, with its name; nothing of its beginning and its rests."""
    name, _, state = text.partition(": ")
    return "" if state.partition(" ")[0] in (ScriptState.BEGUN, ScriptState.RESTING) else f"{name}: {state}"


def firing_text(firing: Firing) -> str:
    """Return what a fault did that is recorded with no connection."""
    where = "" if firing.connection is None else f" on client #{firing.connection} {firing.direction}"
    return redaction.line(f"fault: {firing.fault}{where}: {firing.what}")
