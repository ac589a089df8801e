"""Hooks for forks: a handler that forks gives its connection to the child, and its server has to know."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Protocol

from windsock.net.system import os, threading

__all__ = ["forked_since", "now", "renew_in_children", "tell_apart"]

_total = 0
_latest: dict[int, int] = {}
_who: Callable[[], int] = threading.get_ident


def tell_apart(who: Callable[[], int]) -> None:
    """From now on, ask this function who it is that forks: there is more than threads."""
    global _who
    _who = who


def _note_fork() -> None:
    global _total
    _total += 1
    _latest[_who()] = _total


def now() -> int:
    """Return a mark for `forked_since`."""
    return _total


def forked_since(mark: int) -> bool:
    """Return whether this thread (or greenlet) has forked since the mark (os.fork, not subprocess).

    Idents are used again, but only ever with a newer mark.
    """
    return _total != mark and _latest.get(_who(), 0) > mark


class HasLocks(Protocol):
    """An object with locks that a forked child must renew: threads that are gone may hold them."""

    def after_fork_in_child(self) -> None:
        """Make the locks anew."""
        ...


def renew_in_children(holder: HasLocks) -> None:
    """Have `after_fork_in_child()` called in each forked child, as long as the holder lives."""
    _holders.add(holder)


_holders: weakref.WeakSet[HasLocks] = weakref.WeakSet()


def _renew() -> None:
    for holder in list(_holders):
        holder.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_parent=_note_fork, after_in_child=_renew)
