"""One example of an exploration: a weather, and how the test ended under it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from windsock.errors import UsageError
from windsock.net.deadlines import is_over
from windsock.recording import Connection, Direction

if TYPE_CHECKING:
    from windsock.strategies.schedules import Schedule

__all__ = ["Carry", "Example", "run_example"]

Carry: TypeAlias = "Callable[[Schedule], AbstractContextManager[Any]]"
"""Returns a context manager for one example, whose value is what the test gets."""
MOST_PIECES = 50
"""The pieces of data of one connection that are looked at..."""
PARTS = 8
"""...and the parts of one in which it may be cut."""
NOT_CAUGHT = (KeyboardInterrupt, SystemExit, GeneratorExit)


@dataclass(frozen=True, slots=True)
class Example:
    """A weather, the kinds that fired, the exception that it ended with, and what was recorded by then."""

    weather: Schedule
    fired: frozenset[str] = frozenset()
    connections: int | None = None
    """The connections that it made; None if they are not known..."""
    offsets: frozenset[int] = frozenset()
    """...and the numbers of bytes in a direction after which a fault may show."""
    is_datagram: bool = False
    is_encrypted: bool = False
    """Whether a connection spoke TLS, so that the offsets are not those of the bytes that faults see."""
    is_of_records: bool = False
    error: BaseException | None = None
    transcript: tuple[str, ...] = ()


def run_example(test: Callable[[Any], object], carry: Carry, weather: Schedule) -> Example:
    """Run the test under a weather. An exception of the test is caught, unless the time of the whole test is over.

    Raises UsageError for a weather that cannot act on what carries it.
    """
    facts: dict[str, Any] = {}
    try:
        with carry(weather) as subject:
            try:
                test(subject)
                if not weather and hasattr(subject, "drain"):
                    subject.drain()  # the connections of the first example count
            finally:
                facts = _facts_of(subject)
    except NOT_CAUGHT:
        raise
    except BaseException as error:
        if is_over() or (not facts and isinstance(error, UsageError)):
            raise
        facts |= {"error": error, "transcript": (*getattr(error, "transcript", facts.get("transcript", ())),)}
    return Example(weather, **facts)


def _facts_of(subject: Any) -> dict[str, Any]:
    """Return what a server, a proxy or a world of them knows of the example, as far as it does."""
    handles = getattr(subject, "fault_handles", ())
    connections = getattr(subject, "connections", None)
    return {
        "fired": frozenset(type(each.fault).__name__ for each in handles if each.fired),
        "transcript": (*subject.transcript(),) if hasattr(subject, "transcript") else (),
        "is_datagram": getattr(subject, "is_datagram", False),
        "connections": None if connections is None else len(connections),
        "offsets": frozenset(offset for each in connections or () for offset in _offsets_of(each)),
        "is_encrypted": any(each.tls is not None for each in connections or ()),
        "is_of_records": any(each.keeps_records for each in connections or ()),
    }


def _offsets_of(connection: Connection) -> Iterator[int]:
    """Yield where each piece of data of a connection begins and ends, the offsets next to these, and some between."""
    passed = {Direction.UPSTREAM: 0, Direction.DOWNSTREAM: 0}
    for chunk in itertools.islice(connection.chunks, MOST_PIECES):
        begin = passed[chunk.direction]
        end = passed[chunk.direction] = begin + len(chunk.data)
        yield from (begin, begin + 1, max(begin, end - 1), end)
        yield from (begin + (end - begin) * part // PARTS for part in range(1, PARTS))
