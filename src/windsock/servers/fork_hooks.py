"""Hooks for forks: notes which thread forked, prepares for children, and renews locks in them."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Protocol

from windsock.net.system import os, threading

__all__ = ["forked_since", "now", "prepare_before_forks", "renew_in_children", "tell_apart"]

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


class HasChildren(Protocol):
    """An object that needs something of its own in forked children."""

    def prepare_for_fork(self) -> None:
        """Make what children need."""
        ...


def prepare_before_forks(parent: HasChildren) -> None:
    """Have `prepare_for_fork()` called before each fork, as long as the object lives."""
    _parents.add(parent)


_holders: weakref.WeakSet[HasLocks] = weakref.WeakSet()
_parents: weakref.WeakSet[HasChildren] = weakref.WeakSet()


def _prepare() -> None:
    for parent in list(_parents):
        parent.prepare_for_fork()


def _renew() -> None:
    for holder in list(_holders):
        holder.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_prepare, after_in_parent=_note_fork, after_in_child=_renew)
