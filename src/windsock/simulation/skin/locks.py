"""Locks, and queues without one: a thread of the world that would block parks.

They stay the interpreter's own objects, so that locks made before the world work in it too. `Condition`, `Event`,
`Semaphore`, `Queue` and futures are made of them.
"""

from __future__ import annotations

import sys
from _queue import Empty, SimpleQueue
from _thread import LockType, RLock
from collections.abc import Callable
from types import FrameType
from typing import Any

from windsock.simulation import live
from windsock.simulation.live import current
from windsock.simulation.names import LEFT_ALONE
from windsock.simulation.tasks import Task

__all__ = ["METHODS", "left_alone", "notify"]

Acquire = Callable[..., bool]
_save, _restore = (vars(RLock)[name] for name in ("_release_save", "_acquire_restore"))
_reenter, _leave = RLock.acquire, RLock.release
_get, _put = SimpleQueue.get, SimpleQueue.put
MADE_OF_LOCKS = ("threading", "queue")
"""Modules whose classes are a program's own means to wait, like a lock."""
OF_THREADS = ("Thread.", "_")
"""How functions of those begin that start threads, end and list them."""
NOT_THE_PROGRAM = LEFT_ALONE | {"pytest_windsock"} | sys.stdlib_module_names
"""Packages that run the tests, whose locks depend on real time, and the standard library."""
left_alone: set[int] = set()
"""The ids of locks that are taken and released for real by threads of the world, too."""


def notify(key: int) -> None:
    """Wake the tasks that wait on a key, from any thread."""
    world = live.world()
    if world is None:
        return
    if current() is not None:
        world.baton.notify(key)
    elif key in world.baton.waiters:
        world.baton.notify_from_outside(key)


def _left(task: Task, deadline: float | None) -> float | None:
    return None if deadline is None else deadline - task.baton.schedule.seconds


def wait(task: Task, attempt: Callable[[], bool], key: int, what: str, timeout: float | None) -> bool:
    """Try until an attempt succeeds or `timeout` virtual seconds have passed; return whether one succeeded.

    The task is a waiter before it tries: a thread from outside may wake it at any moment.
    """
    baton = task.baton
    deadline = None if timeout is None else baton.schedule.after(timeout)
    baton.add_waiter(key, task)
    try:
        while not attempt():
            left = _left(task, deadline)
            if left is not None and left <= 0:
                return False
            baton.park(task, what, left)
        return True
    finally:
        baton.remove_waiter(key, task)


def _acquiring(old: Acquire, what: str) -> Acquire:
    def acquire(self: Any, blocking: bool = True, timeout: float = -1) -> bool:
        task = current()
        if task is None or id(self) in left_alone:
            return _from_outside(self, old(self, blocking, timeout))
        _pause(task, sys._getframe(1))
        if old(self, False):
            task.baton.holders[id(self)] = task.name
            return True
        if not blocking:
            task.baton.idle(task)
            return old(self, False, timeout)  # which checks the arguments
        if timeout != -1 and timeout < 0:
            return old(self, blocking, timeout)
        if not wait(task, lambda: old(self, False), id(self), what, None if timeout == -1 else timeout):
            return False
        task.baton.holders[id(self)] = task.name
        return True

    return acquire


def _from_outside(lock: Any, is_acquired: bool) -> bool:
    """Note that no thread of the world holds a lock."""
    world = live.world()
    if is_acquired and world is not None:
        world.baton.holders.pop(id(lock), None)
    return is_acquired


def _pause(task: Task, frame: FrameType) -> None:
    """Let another task run first, if the seed says so."""
    if task.baton.schedule.has_others() and _is_own_call(frame):
        task.baton.pause(task)


def _is_own_call(frame: FrameType | None) -> bool:
    """Return whether a program takes a lock: itself, or by an event, a condition, a semaphore or a queue.

    Which other locks the standard library takes depends on its version, and on what a process has done before; those
    of pytest, its plugins and coverage depend on real time. The
    locks of a network are none of a program's either: no other thread runs in the middle of what a kernel does.
    """
    while frame is not None and (module := _module_of(frame)) in MADE_OF_LOCKS:
        if frame.f_code.co_qualname.startswith(OF_THREADS):
            return False
        frame = frame.f_back
    if frame is None or module.partition(".")[0] in NOT_THE_PROGRAM:
        return False
    return not _is_in_network(frame)


def _is_in_network(frame: FrameType | None) -> bool:
    while frame is not None and (module := _module_of(frame)).startswith("windsock."):
        if module.startswith("windsock.simulation.network."):
            return True
        frame = frame.f_back
    return False


def _module_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _releasing(old: Callable[[Any], Any]) -> Callable[..., Any]:
    def release(self: Any) -> Any:
        result = old(self)
        if live.tasks:
            notify(id(self))
        return result

    return release


def _exiting(old: Callable[[Any], Any]) -> Callable[..., None]:
    def leave_block(self: Any, *_exception: object) -> None:
        old(self)
        if live.tasks:
            notify(id(self))

    return leave_block


def _acquire_restore(self: Any, state: Any) -> Any:
    """Stand in for what Condition.wait() takes its lock again by."""
    task = current()
    if task is not None:
        wait(task, lambda: _reenter(self, False), id(self), "a re-entrant lock", None)
        _leave(self)
    return _restore(self, state)


def get(self: Any, block: bool = True, timeout: float | None = None) -> Any:
    """Stand in for SimpleQueue.get()."""
    task = current()
    if task is None:
        return _get(self, block, timeout)
    _pause(task, sys._getframe(1))
    found: list[Any] = []
    if not block:
        return _get(self, False)
    if timeout is not None and timeout < 0:
        raise ValueError("'timeout' must be a non-negative number")
    if not wait(task, lambda: _fetch(self, found), id(self), "an item of a queue", timeout):
        raise Empty
    return found[0]


def _fetch(queue: Any, found: list[Any]) -> bool:
    try:
        found.append(_get(queue, False))
    except Empty:
        return False
    return True


def put(self: Any, item: Any, block: bool = True, timeout: float | None = None) -> None:
    """Stand in for SimpleQueue.put() and put_nowait()."""
    _put(self, item, block, timeout)
    notify(id(self))


def _lock_methods(class_: Any, what: str) -> dict[tuple[Any, str], Any]:
    acquire, release = _acquiring(class_.acquire, what), _releasing(class_.release)
    methods = {
        "acquire": acquire,
        "acquire_lock": acquire,
        "__enter__": acquire,
        "release": release,
        "release_lock": release,
        "__exit__": _exiting(class_.release),
    }
    return {(class_, name): method for name, method in methods.items() if name in vars(class_)}


METHODS: dict[tuple[Any, str], Any] = {
    **_lock_methods(LockType, "a lock"),
    **_lock_methods(RLock, "a re-entrant lock"),
    (RLock, "_release_save"): _releasing(_save),
    (RLock, "_acquire_restore"): _acquire_restore,
    (SimpleQueue, "get"): get,
    (SimpleQueue, "put"): put,
    (SimpleQueue, "put_nowait"): put,
}
"""The stand-ins by the class and the name of what they stand in for."""
