"""select(), poll() and epoll over the open files of a world."""

from __future__ import annotations

import errno
import select as standard  # the standard library's own: its functions and its epoll are replaced
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from windsock.net.system import os, select
from windsock.simulation.errors import Deadlock, NotSimulated
from windsock.simulation.files import FIRST, File
from windsock.simulation.live import current
from windsock.simulation.skin.loops import raise_in_order, timeout_of
from windsock.simulation.skin.selecting import exact
from windsock.simulation.skin.waits import deadline_of, left
from windsock.simulation.tasks import Task

__all__ = ["METHODS", "NAMES", "forget"]

ALWAYS = select.POLLERR | select.POLLHUP | select.POLLNVAL
ONESHOT, EDGE = 0x40000000, 0x80000000
"""EPOLLONESHOT and EPOLLET."""
READABLE = select.POLLIN | select.POLLHUP | select.POLLERR
WRITABLE = select.POLLOUT | select.POLLERR
_select, _poll = standard.select, standard.poll


class Watched(dict[int, int]):
    """What an epoll object watches: events by descriptors. `files` are what the descriptors were when they were added.

    A file is watched no longer once it is closed, though another one may have its number then.
    """

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[int, File | None] = {}

    def drop_closed(self, task: Task, numbers: Iterable[int]) -> None:
        """Forget those of the descriptors whose files were closed."""
        find = task.baton.world.files.find
        for number in numbers:
            if number in self and number not in _watched and find(number) is not self.files[number]:
                del self[number]

    def enabled(self, task: Task) -> dict[int, int]:
        """Return what is wanted of the descriptors that are open, but for those that have had their one event."""
        self.drop_closed(task, tuple(self))
        return {number: mask for number, mask in self.items() if mask & ~ONESHOT}


def wait(
    task: Task, wanted: Callable[[], Mapping[int, int]], timeout: float | None, changes: object = None
) -> list[tuple[int, int]]:
    """Wait until any of the descriptors has one of the events wanted of it; return those that have.

    What is wanted may change meanwhile, of which `changes` is notified.
    """
    baton = task.baton
    baton.pause(task)
    deadline = deadline_of(task, timeout)
    while not (found := _ready(task, wanted())):
        seconds = left(task, deadline)
        if seconds is not None and seconds <= 0:
            if timeout == 0:
                baton.idle(task)
            break
        keys = _keys(task, wanted())
        baton.wait_on(task, keys if changes is None else [*keys, id(changes)], "a descriptor to be ready", seconds)
    return found


def _keys(task: Task, wanted: Mapping[int, int]) -> list[int]:
    """Return what to wait on."""
    found: list[int] = []
    for descriptor in wanted:
        file = task.baton.world.files.find(descriptor)
        found += _keys(task, _watched.get(descriptor, {})) if file is None else [file.key]
    return found


def _ready(task: Task, wanted: Mapping[int, int]) -> list[tuple[int, int]]:
    find = task.baton.world.files.find
    found = []
    for descriptor, mask in wanted.items():
        file = find(descriptor)
        events = _events_of_epoll(task, descriptor) if file is None else file.opened.events()
        events &= mask | ALWAYS
        if events:
            found.append((descriptor, events))
    return found


def _events_of_epoll(task: Task, descriptor: int) -> int:
    """Return the events of an epoll's own descriptor."""
    if descriptor not in _watched:
        return int(select.POLLNVAL)
    return int(select.POLLIN) if _ready(task, _watched[descriptor].enabled(task)) else 0


def descriptor_of(value: Any, call: str) -> int:
    """Return the descriptor of a number or a file object. Raises NotSimulated for one of the kernel's."""
    number = value if isinstance(value, int) else value.fileno()
    if number < 0:
        raise ValueError(f"file descriptor cannot be a negative integer ({number})")
    if number < FIRST and number not in _watched:
        raise NotSimulated(
            f"{call} of the descriptor {number}", "it is the kernel's, and its events have no virtual time"
        )
    return int(number)


def select_(rlist: Iterable[Any], wlist: Iterable[Any], xlist: Iterable[Any], timeout: float | None = None, /) -> Any:
    """Stand in for select.select()."""
    task = current()
    if task is None:
        return _select(rlist, wlist, xlist, timeout)
    if timeout is not None and timeout < 0:
        raise ValueError("timeout must be non-negative")
    kinds = [(list(rlist), READABLE), (list(wlist), WRITABLE), (list(xlist), select.POLLPRI)]
    wanted: dict[int, int] = {}
    for files, mask in kinds:
        for each in files:
            number = descriptor_of(each, "select()")
            wanted[number] = wanted.get(number, 0) | mask
    found = dict(wait(task, lambda: wanted, timeout))
    if select.POLLNVAL in found.values():
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    return tuple([each for each in files if found.get(descriptor_of(each, ""), 0) & mask] for files, mask in kinds)


class SimulatedPoll:
    """Stands in for what select.poll() returns."""

    def __init__(self) -> None:
        self._wanted: dict[int, int] = {}

    def register(self, fd: Any, eventmask: int = select.POLLIN | select.POLLPRI | select.POLLOUT, /) -> None:
        """Watch a descriptor, or change what is wanted of it."""
        self._wanted[descriptor_of(fd, "poll()")] = eventmask

    def modify(self, fd: Any, eventmask: int, /) -> None:
        """Change what is wanted of a descriptor. Raises OSError (ENOENT) if it is not watched."""
        number = descriptor_of(fd, "poll()")
        if number not in self._wanted:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        self._wanted[number] = eventmask

    def unregister(self, fd: Any, /) -> None:
        """Watch a descriptor no longer. Raises KeyError if it is not watched."""
        del self._wanted[descriptor_of(fd, "poll()")]

    def poll(self, timeout: float | None = None, /) -> list[tuple[int, int]]:
        """Wait for `timeout` milliseconds; None and negative numbers mean for ever."""
        task = current()
        if task is None:
            raise NotSimulated("poll() of a world's object", "the thread is not of the world")
        seconds = None if timeout is None or timeout < 0 else exact(timeout / 1000)
        return wait(task, lambda: self._wanted, seconds)


def poll_() -> Any:
    """Stand in for select.poll()."""
    return _poll() if current() is None else SimulatedPoll()


METHODS: dict[tuple[Any, str], Any] = {}
NAMES: dict[Any, Any] = {_select: select_, _poll: poll_}
_watched: dict[int, Watched] = {}
"""What each epoll object watches, by its own descriptor, which is the kernel's."""


def forget() -> None:
    """Forget what the epoll objects of a world have watched."""
    _watched.clear()


def _epoll_method(name: str, body: Callable[..., Any]) -> Callable[..., Any]:
    old = getattr(standard.epoll, name)

    def stand_in(self: Any, *arguments: Any, **keywords: Any) -> Any:
        task = current()
        if task is None:
            return old(self, *arguments, **keywords)
        if self.closed:
            raise ValueError("I/O operation on closed epoll object")
        return body(task, _watched.setdefault(self.fileno(), Watched()), *arguments, **keywords)

    return stand_in


def register(task: Task, watched: Watched, fd: Any, eventmask: int = 0x7) -> None:
    """Watch a descriptor. Raises OSError: EEXIST if it is watched already, EBADF if it is closed."""
    number = _open_one(task, watched, fd)
    if number in watched:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    watched[number] = _checked(eventmask)
    watched.files[number] = task.baton.world.files.find(number)
    task.baton.notify(id(watched))


def modify(task: Task, watched: Watched, fd: Any, eventmask: int) -> None:
    """Change what is wanted of a descriptor. Raises OSError: ENOENT if it is not watched, EBADF if it is closed."""
    watched[_watched_one(task, watched, fd)] = _checked(eventmask)
    task.baton.notify(id(watched))


def unregister(task: Task, watched: Watched, fd: Any) -> None:
    """Watch a descriptor no longer. Raises OSError: ENOENT if it is not watched, EBADF if it is closed."""
    del watched[_watched_one(task, watched, fd)]


def _open_one(task: Task, watched: Watched, fd: Any) -> int:
    number = descriptor_of(fd, "epoll")
    if number not in _watched:
        task.baton.world.files.get(number)
    watched.drop_closed(task, (number,))
    return number


def _watched_one(task: Task, watched: Watched, fd: Any) -> int:
    number = _open_one(task, watched, fd)
    if number not in watched:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    return number


def _checked(mask: int) -> int:
    if mask & EDGE:
        raise NotSimulated("epoll with EPOLLET", "only level-triggered events are")
    return mask


def poll(task: Task, watched: Watched, timeout: float | None = None, maxevents: int = -1) -> Any:
    """Wait for `timeout` seconds; None and negative numbers mean for ever."""
    seconds = None if timeout is None or timeout < 0 else timeout_of(exact(timeout))
    try:
        found = wait(task, lambda: watched.enabled(task), seconds, watched)
    except Deadlock as error:
        if not raise_in_order(task, error):
            raise
        return []
    found = found if maxevents < 1 else found[:maxevents]
    for number, _ in found:
        if watched.get(number, 0) & ONESHOT:
            watched[number] = ONESHOT
    return found


if hasattr(standard, "epoll"):
    _close = standard.epoll.close

    def close(self: Any) -> None:
        """Stand in for epoll.close()."""
        if not self.closed:
            _watched.pop(self.fileno(), None)
        _close(self)

    bodies: dict[str, Callable[..., Any]] = {
        "register": register,
        "modify": modify,
        "unregister": unregister,
        "poll": poll,
    }
    METHODS = {(standard.epoll, name): _epoll_method(name, body) for name, body in bodies.items()}
    METHODS[standard.epoll, "close"] = close
