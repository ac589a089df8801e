"""Coverage and debuggers, which trace the threads of a world.

Coverage takes locks between any two lines of any thread: they are taken for real, and no random number is drawn for
them, so that the order of threads is the same as without coverage.

Of coverage this knows that `Collector._collectors` are those that measure, and that their locks are the attributes
`data_lock` of a collector and `lock` of a tracer.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from windsock.options.combinations import Unsupported

__all__ = ["are_debugging", "check", "locks"]

DEBUGGERS = ("bdb", "pdb", "ipdb", "pudb")
"""Modules whose functions run while a debugger waits for a command."""


def locks() -> frozenset[int]:
    """Return the ids of the locks of all tracers that are at work."""
    return frozenset(id(lock) for each in _collectors() for lock in _locks_of(each))


def check() -> None:
    """Raise Unsupported for a coverage that takes other locks."""
    if not all(any(_locks_of(each)) for each in _collectors()):
        raise Unsupported(f"simulated worlds do not know the locks of coverage {sys.modules['coverage'].__version__}")


def are_debugging(ident: int = 0) -> bool:
    """Return whether something else than coverage, such as a debugger, traces the calling thread or that of `ident`.

    A debugger that has stopped in a thread traces its frames; one that looks at an exception is among them.
    """
    if _is_debugger(sys.gettrace()):
        return True
    frame = sys._current_frames().get(ident)
    while frame is not None:
        if frame.f_globals.get("__name__") in DEBUGGERS or _is_debugger(frame.f_trace):
            return True
        frame = frame.f_back
    return False


def _is_debugger(tracer: object) -> bool:
    module = str(getattr(tracer, "__module__", None) or type(tracer).__module__)
    return tracer is not None and module.partition(".")[0] != "coverage"


def _collectors() -> list[Any]:
    module = sys.modules.get("coverage.collector")
    return list(module.Collector._collectors) if module is not None else []


def _locks_of(collector: Any) -> Iterator[Any]:
    owned = [getattr(collector, "data_lock", None), *(getattr(each, "lock", None) for each in collector.tracers)]
    return (each for each in owned if each is not None)
