"""Hooks for forks: notes which thread forked, and renews locks in forked children."""

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
    """Identify the thread or greenlet that forks by calling `who`, from now on."""
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

    A thread's identifier may be reused, but then its forks have later marks.
    """
    return _total != mark and _latest.get(_who(), 0) > mark


class HasLocks(Protocol):
    """An object with locks that a forked child must replace: threads that held them do not exist in the child."""

    def after_fork_in_child(self) -> None:
        """Replace the locks."""
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
