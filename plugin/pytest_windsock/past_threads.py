"""Threads that the bodies of earlier tests have left running: reports about another test leave them out.

Loaded for each run of pytest, so what it needs is imported on first use.
"""

from __future__ import annotations

import threading
from collections.abc import Container
from weakref import WeakKeyDictionary

from pytest_windsock.fixtures import State

__all__ = ["before_body", "idents", "note"]

_began: WeakKeyDictionary[threading.Thread, float] = WeakKeyDictionary()
"""When the test began in whose body a thread was started."""


def before_body() -> Container[int]:
    """Return what `note()` needs to know when the body of a test has ended."""
    return frozenset(map(id, threading.enumerate()))


def note(before: Container[int]) -> None:
    """Note which threads a body that has ended has left."""
    for each in threading.enumerate():
        if id(each) not in before:
            _began[each] = State.began


def idents() -> set[int]:
    """Return the identifiers of threads of earlier tests; not those in which windsock runs handlers."""
    from windsock.net import stacks, whereabouts

    found = stacks.stacks()
    earlier = [each for each, began in list(_began.items()) if began != State.began]
    alive = [each.ident for each in earlier if each.is_alive()]  # the identifier of one that has ended may be another's
    return {each for each in alive if each in found and not whereabouts.was_begun_by_us(found[each])}
