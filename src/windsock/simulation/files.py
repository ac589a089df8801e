"""The open files of a world: descriptors, and what they refer to. Descriptors begin far above those of the kernel."""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from typing import Protocol

from windsock.net.system import os, select

__all__ = ["FIRST", "Counter", "File", "Files", "bad_descriptor"]

FIRST = 1 << 24
"""The first descriptor of a world; the kernel's limit for a process is lower (2**20 as a rule)."""


class Openable(Protocol):
    """What a descriptor refers to."""

    def events(self) -> int:
        """Return what poll(2) reports."""
        ...

    def subscribe(self, callback: Callable[[], object], /) -> Callable[[], None]:
        """Call a function each time that `events()` may have changed."""
        ...

    def close(self) -> None:
        """Close it."""
        ...


def bad_descriptor() -> OSError:
    """Return the error for a descriptor that is not open."""
    return OSError(errno.EBADF, os.strerror(errno.EBADF))


class Counter:
    """What eventfd(2) opens: a number that writers add to, and readers take."""

    def __init__(self, value: int, *, is_semaphore: bool) -> None:
        self._value = value
        self._is_semaphore = is_semaphore
        self._callback: Callable[[], object] = bool

    def events(self) -> int:
        """Return what poll(2) reports."""
        return select.POLLOUT | (select.POLLIN if self._value else 0)

    def subscribe(self, callback: Callable[[], object], /) -> Callable[[], None]:
        """Call a function each time that the number has changed."""
        self._callback = callback
        return lambda: None

    def add(self, number: int) -> None:
        """Add a number."""
        self._value += number
        self._callback()

    def take(self) -> int:
        """Return the number and set it to 0; raises BlockingIOError if it is 0."""
        if not self._value:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        taken = 1 if self._is_semaphore else self._value
        self._value -= taken
        self._callback()
        return taken

    def close(self) -> None:
        """Do nothing: there is nothing to release."""


class File:
    """An open file, which several descriptors may refer to. `key` is what its waiters wait on."""

    __slots__ = ("count", "is_blocking", "key", "opened")

    def __init__(self, opened: Openable, *, is_blocking: bool) -> None:
        self.opened: Openable = opened
        self.is_blocking: bool = is_blocking
        self.key: int = id(opened)
        self.count: int = 1


class Files:
    """The open files of one world by their descriptors. `notify` is called with a file's key when its events change."""

    def __init__(self, notify: Callable[[int], None]) -> None:
        self._notify = notify
        self._files: dict[int, File] = {}
        self._free: list[int] = []
        self._next = FIRST

    def open(self, opened: Openable, *, is_blocking: bool = True) -> int:
        """Return a new descriptor for something."""
        file = File(opened, is_blocking=is_blocking)
        opened.subscribe(partial(self._notify, file.key))
        return self._add(file)

    def _add(self, file: File) -> int:
        descriptor = self._lowest()
        self._files[descriptor] = file
        return descriptor

    def _lowest(self) -> int:
        """Return the lowest number that is free, as POSIX has it: numbers of closed files are used again."""
        while self._free:
            if (descriptor := heappop(self._free)) not in self._files:
                return descriptor
        while self._next in self._files:
            self._next += 1
        self._next += 1
        return self._next - 1

    def duplicate(self, descriptor: int) -> int:
        """Return another descriptor for the same file."""
        file = self.get(descriptor)
        file.count += 1
        return self._add(file)

    def replace(self, descriptor: int, replaced: int) -> File:
        """Have a second descriptor, which is closed if it is open, refer to the file of the first; return the file."""
        file = self.get(descriptor)
        if replaced != descriptor:
            file.count += 1
            if replaced in self._files:
                self.close(replaced)
            self._files[replaced] = file
        return file

    def get(self, descriptor: int) -> File:
        """Return the file of a descriptor. Raises OSError (EBADF)."""
        file = self._files.get(descriptor)
        if file is None:
            raise bad_descriptor()
        return file

    def find(self, descriptor: int) -> File | None:
        """Return the file of a descriptor; None if it is not open."""
        return self._files.get(descriptor)

    def close(self, descriptor: int) -> None:
        """Close a descriptor; its file is closed with the last one. Raises OSError (EBADF)."""
        file = self.get(descriptor)
        del self._files[descriptor]
        heappush(self._free, descriptor)
        file.count -= 1
        if not file.count:
            file.opened.close()
            self._notify(file.key)
