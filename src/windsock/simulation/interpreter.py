"""What the simulation knows of the interpreter; no other file may know it.

- The methods of classes written in C are in a dictionary, which `gc.get_referents()` gives of the class's read-only
  view. After a change there `PyType_Modified()` makes the interpreter look again. So a lock made long before a world
  waits as one of the world's while a world is live, and is as before afterwards.
- A thread runs a little after its function has returned. `Thread._tstate_lock` (to Python 3.12) or its handle tells
  when it has ended.
- At exit the interpreter waits for threads that are in `threading._shutdown_locks` (to Python 3.12).
- `threading._counter` numbers threads for their names. The hash of a thread is its address, by which sets are ordered;
  threads that are made in a world get numbers in its place, so that each process goes through such a set alike.
- A condition keeps methods of its lock, which a world has replaced: they are looked up in the lock while it is live.
- The functions of `random` are methods of one generator, which has no name.
- Global names, names in classes and variables of closures can be replaced where code bound a function early.

`check()` tries this before a process makes its first world.
"""

from __future__ import annotations

import _thread
import ctypes
import gc
import itertools
import random
import sys
import sysconfig
import threading  # the standard library's own: its registers of threads
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, NamedTuple

from windsock.options.combinations import Unsupported

__all__ = [
    "HAS_HANDLES",
    "Conditions",
    "Grafts",
    "Tail",
    "ThreadHandle",
    "ThreadNumbers",
    "check",
    "forget",
    "shared_generator",
    "tail_of",
]

HAS_HANDLES = hasattr(_thread, "start_joinable_thread")
"""Whether threads are joined by handles (since Python 3.13)."""
_acquire, _release = _thread.LockType.acquire, _thread.LockType.release
ThreadHandle: Any = getattr(_thread, "_ThreadHandle", None)
"""The class of such handles."""
_join = ThreadHandle.join if HAS_HANDLES else None


def members_of(class_: type) -> dict[str, Any]:
    """Return the dictionary of a class, to be written to."""
    found: dict[str, Any] = gc.get_referents(class_.__dict__)[0]
    return found


def _modified(class_: type) -> None:
    ctypes.pythonapi.PyType_Modified(ctypes.py_object(class_))


class Grafts:
    """Methods put into classes written in C, until `remove()`."""

    def __init__(self) -> None:
        self._before: list[tuple[type, str, Any]] = []

    def put(self, class_: type, name: str, new: Any) -> None:
        """Replace a member of a class, which has to be there."""
        members = members_of(class_)
        self._before.append((class_, name, members[name]))
        members[name] = new
        _modified(class_)

    def remove(self) -> None:
        """Put everything back."""
        while self._before:
            class_, name, old = self._before.pop()
            members_of(class_)[name] = old
            _modified(class_)


class Conditions:
    """Has all conditions, those from before a world too, look up the methods of their locks, until `remove()`."""

    KEPT = ("acquire", "release", "_release_save", "_acquire_restore", "_is_owned")
    """The attributes in which a condition keeps methods of its lock."""

    def __init__(self) -> None:
        self._before: dict[str, Any] = {}

    def install(self) -> None:
        """Replace these attributes in the class."""
        for name in self.KEPT:
            self._before[name] = vars(threading.Condition).get(name)
            setattr(threading.Condition, name, MethodOfLock(name, self._before[name]))

    def remove(self) -> None:
        """Have conditions use what they have kept."""
        while self._before:
            name, old = self._before.popitem()
            if old is None:
                delattr(threading.Condition, name)
            else:
                setattr(threading.Condition, name, old)


class MethodOfLock:
    """An attribute of conditions that is looked up in the lock each time, in place of what a condition has kept."""

    def __init__(self, name: str, fallback: Any) -> None:
        self._name = name
        self._fallback = fallback

    def __get__(self, condition: Any, _class: type) -> Any:
        if condition is None:
            return self._fallback
        found = getattr(condition._lock, self._name, None)
        return self._fallback.__get__(condition) if found is None else found

    def __set__(self, condition: Any, value: Any) -> None:
        vars(condition)[self._name] = value


def shared_generator() -> random.Random:
    """Return the generator whose methods are the functions of `random`."""
    return random.seed.__self__  # type: ignore[attr-defined, no-any-return]


class Tail(NamedTuple):
    """How to wait until a thread has really ended. `key` is the id of what its joiners wait on."""

    key: int
    wait: Callable[[], None]


def tail_of(thread: Any) -> Tail | None:
    """Return the tail of a `Thread`, or of a handle where there are handles; None for a thread that has neither."""
    if _join is not None:
        return None if thread is None else Tail(id(thread), lambda: _join(thread))
    lock = getattr(thread, "_tstate_lock", None)
    return None if lock is None else Tail(id(lock), lambda: _pass_through(lock))


def _pass_through(lock: Any) -> None:
    _acquire(lock)
    _release(lock)


def forget(thread: Any) -> None:
    """Have the interpreter's exit not wait for a thread."""
    locks: set[Any] = getattr(threading, "_shutdown_locks", set())
    locks.discard(getattr(thread, "_tstate_lock", None))


class ThreadNumbers:
    """Numbers of threads that begin anew in each world: for their names, and for their hashes."""

    def __init__(self) -> None:
        self._hashes = itertools.count(1)
        self._names: Any = None

    def begin(self) -> None:
        """Begin with 1."""
        self._names = getattr(threading, "_counter", None)
        if self._names is not None:
            vars(threading)["_counter"] = itertools.count(1).__next__
        threading.Thread.__hash__ = self._hash()  # type: ignore[method-assign, assignment]

    def end(self) -> None:
        """Go on where the process was."""
        if self._names is not None:
            vars(threading)["_counter"] = self._names
        if "__hash__" in vars(threading.Thread):
            del threading.Thread.__hash__

    def _hash(self) -> Callable[[Any], int]:
        def number_of(thread: Any) -> int:
            known = vars(thread)
            if "_number_in_world" not in known:
                is_new = thread.ident is None
                known["_number_in_world"] = next(self._hashes) if is_new else object.__hash__(thread)
            return int(known["_number_in_world"])

        return number_of


@cache
def check(classes: Iterable[type]) -> None:
    """Raise Unsupported if this interpreter does not let the methods of these classes be replaced."""
    if sys.implementation.name != "cpython":
        raise Unsupported(f"simulated worlds need CPython, this is {sys.implementation.name}")
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        raise Unsupported("simulated worlds need a build of Python with the GIL, this one is free-threaded")
    if sys.platform == "win32":
        raise Unsupported("simulated worlds are not available on Windows")
    for each in classes:
        _check_class(each)


def _check_class(class_: type) -> None:
    name = next(key for key, value in class_.__dict__.items() if callable(value) and not key.startswith("__"))
    before = getattr(class_, name)
    grafts = Grafts()
    grafts.put(class_, name, _probe)
    is_seen = getattr(class_, name) is _probe
    grafts.remove()
    if not is_seen or getattr(class_, name) != before:
        raise Unsupported(f"simulated worlds cannot replace {class_.__qualname__}.{name}() of Python {_version()}")


def _version() -> str:
    return sys.version.split()[0]


def _probe() -> None:
    """Take the place of a method for a moment."""
