"""One example of an exploration: a weather, and how the test ended under it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from windsock.net.deadlines import is_over

if TYPE_CHECKING:
    from windsock.strategies.schedules import Schedule

__all__ = ["Carry", "Example", "run_example"]

Carry: TypeAlias = "Callable[[Schedule], AbstractContextManager[Any]]"
"""Returns a context manager for one example, whose value is what the test gets."""
NOT_CAUGHT = (KeyboardInterrupt, SystemExit, GeneratorExit)


@dataclass(frozen=True, slots=True)
class Example:
    """A weather, the kinds that fired, the exception that it ended with, and what was recorded by then."""

    weather: Schedule
    fired: frozenset[str] = frozenset()
    connections: int | None = None
    """The connections that it made; None if they are not known..."""
    largest: int = 0
    """...and the most bytes that one of them carried in one direction."""
    is_datagram: bool = False
    error: BaseException | None = None
    transcript: tuple[str, ...] = ()


def run_example(test: Callable[[Any], object], carry: Carry, weather: Schedule) -> Example:
    """Run the test under a weather. An exception of the test is caught, unless the time of the whole test is over."""
    facts: dict[str, Any] = {}
    try:
        with carry(weather) as subject:
            try:
                test(subject)
                if not weather and hasattr(subject, "drain"):
                    subject.drain()  # the connections of the first example count
            finally:
                facts.update(_facts_of(subject))
    except NOT_CAUGHT:
        raise
    except BaseException as error:
        if is_over():
            raise
        facts.update(error=error, transcript=(*getattr(error, "transcript", facts.get("transcript", ())),))
    return Example(weather, **facts)


def _facts_of(subject: Any) -> dict[str, Any]:
    """Return what a server, a proxy or a world of them knows of the example, as far as it does."""
    found: dict[str, Any] = {}
    handles = getattr(subject, "fault_handles", ())
    found["is_datagram"] = getattr(subject, "is_datagram", False)
    found["fired"] = frozenset(type(each.fault).__name__ for each in handles if each.fired)
    if hasattr(subject, "transcript"):
        found["transcript"] = (*subject.transcript(),)
    if hasattr(subject, "connections"):
        connections = subject.connections
        found["connections"] = len(connections)
        sizes = [len(data) for each in connections for data in (each.upstream, each.downstream)]
        found["largest"] = max(sizes, default=0)
    return found
