"""What files say of events, in words."""

from __future__ import annotations

from windsock.faults import Firing
from windsock.recording import Connection
from windsock.recording.events import Kind
from windsock.recording.store.spill_file import Event
from windsock.recording.transcript import event_text

__all__ = ["DATA", "in_words", "of_firing"]

DATA = (Kind.UP, Kind.DOWN)
"""Events that are bytes: they need no words."""


def in_words(event: Event, connection: Connection) -> str:
    """Return what a transcript says of an event, without the sign before it; nothing of data and of notes to itself."""
    return "" if event.kind in DATA else event_text(event.kind, event.data, connection).lstrip("~!<> ")


def of_firing(firing: Firing) -> str:
    """Return what a fault did to the datagrams of a client."""
    return f"fault: {firing.fault} on client #{firing.connection} {firing.direction}: {firing.what}"
