"""Which objects of the class `_socket.socket` are sockets of the live world.

They have no descriptor of the kernel; what they are is kept here, by the object's id, until the object is deleted.
"""

from __future__ import annotations

import threading  # the standard library's own: the name of a thread
import weakref
from contextlib import suppress
from typing import Any

from windsock.simulation import live
from windsock.simulation.errors import NotOfThisWorld, NotSimulated
from windsock.simulation.files import File, bad_descriptor
from windsock.simulation.live import current
from windsock.simulation.tasks import Task

__all__ = ["SocketHandle", "attach", "handles", "member", "refuse_if_member"]


class SocketHandle:
    """A socket object's descriptor (-1 once closed) and time-out in seconds (None: it blocks; 0: it does not)."""

    __slots__ = ("descriptor", "family", "file", "kind", "proto", "reference", "timeout")

    def __init__(self, descriptor: int, file: File, proto: int) -> None:
        opened: Any = file.opened
        self.family, self.kind = opened.family, opened.type
        self.proto: Any | int = opened.proto if proto == -1 else proto
        self.descriptor: int = descriptor
        self.file: File | None = file
        self.timeout: float | None = None
        self.reference: Any = None

    @property
    def socket(self) -> Any:
        """The network's socket. Raises OSError (EBADF) once it is closed."""
        if self.file is None:
            raise bad_descriptor()
        return self.file.opened

    @property
    def waits(self) -> bool:
        """Whether a call waits: that is up to the time-out, or else to the file, which others may have as well."""
        return bool(self.timeout) or (self.file is not None and self.file.is_blocking)

    def set_timeout(self, seconds: float | None) -> None:
        """Set the time-out, and with it whether the file blocks."""
        if self.file is None:
            raise bad_descriptor()
        self.timeout = seconds
        self.file.is_blocking = seconds is None

    def detach(self) -> int:
        """Return the descriptor and forget it."""
        descriptor, self.descriptor, self.file = self.descriptor, -1, None
        return descriptor


handles: dict[int, SocketHandle] = {}
"""The handles of the live world by the id of their socket objects. The dictionary stays the same."""


def attach(sock: Any, descriptor: int, file: File, proto: int) -> SocketHandle:
    """Make a socket object one of the live world."""
    key = id(sock)
    handles[key] = handle = SocketHandle(descriptor, file, proto)
    with suppress(TypeError):  # socket.socket has weak references; its base class, which is rarely used, has none
        handle.reference = weakref.ref(sock, lambda _: _deleted(key, handle))
    return handle


def _deleted(key: int, handle: SocketHandle) -> None:
    """Close what a deleted object has left open, as the interpreter does."""
    if handles.get(key) is handle:
        del handles[key]
        world, file = live.world(), handle.file
        descriptor = handle.detach()
        if world is not None and file is not None and world.files.find(descriptor) is file:
            world.files.close(descriptor)


def member(call: str) -> Task:
    """Return the calling thread's task. Raises NotOfThisWorld if it has none."""
    task = current()
    if task is None:
        raise NotOfThisWorld(call, threading.current_thread().name)
    return task


def refuse_if_member(call: str) -> None:
    """Raise NotSimulated in a thread of the world, for a call with a socket of the kernel."""
    if current() is not None:
        raise NotSimulated(f"{call}() of a socket that was made outside of the world", "it would block all threads")
