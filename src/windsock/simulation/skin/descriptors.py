"""Functions of `os`, `fcntl` and `signal` that take descriptors: those of a world are told by their number."""

from __future__ import annotations

import errno
import fcntl as standard_fcntl  # the standard library's own: its functions are replaced
import os as standard  # the standard library's own: its functions are replaced
import signal
from collections.abc import Callable
from functools import wraps
from typing import Any

from windsock.net.system import os
from windsock.simulation.errors import NotSimulated
from windsock.simulation.files import FIRST, Counter, File
from windsock.simulation.live import current
from windsock.simulation.skin.handles import handles, member
from windsock.simulation.skin.pipes import wait_for_data

__all__ = ["NAMES"]

FIONREAD, TIOCOUTQ, AT_MARK = 0x541B, 0x5411, 0x8905
NONBLOCK = standard.O_NONBLOCK


def read(file: File, size: int) -> Any:
    """Read from an event counter or a socket."""
    if isinstance(file.opened, Counter):
        if size < 8:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return file.opened.take().to_bytes(8, "little")
    return _socket_of(file).recv(size)


def write(file: File, data: Any) -> int:
    """Write to an event counter or a socket."""
    if isinstance(file.opened, Counter):
        file.opened.add(int.from_bytes(data, "little"))
        return 8
    return int(_socket_of(file).send(data))


def _socket_of(file: File) -> Any:
    if file.is_blocking:
        raise NotSimulated("os.read() or os.write() of a socket that blocks", "only non-blocking ones are")
    return file.opened


def ioctl(file: File, request: int, argument: Any = 0, mutate_flag: bool = True) -> Any:
    """Ask how much can be read, how much is unsent, and whether the next byte is urgent."""
    opened: Any = file.opened
    questions = {FIONREAD: "unread", TIOCOUTQ: "unsent", AT_MARK: "is_at_mark"}
    if request not in questions:
        raise NotSimulated(f"ioctl({request:#x})", "only FIONREAD, TIOCOUTQ and SIOCATMARK are")
    answer = int(getattr(opened, questions[request])()).to_bytes(4, "little")
    if isinstance(argument, bytes):
        return answer
    if not mutate_flag or isinstance(argument, int):
        raise NotSimulated("ioctl() with a number or without a change", "it takes bytes or a buffer")
    memoryview(argument).cast("B")[:4] = answer
    return 0


def fcntl(file: File, command: int, argument: Any = 0) -> int:
    """Read and set whether the file blocks. Descriptors of a world are never inherited."""
    if command == standard_fcntl.F_GETFL:
        return standard.O_RDWR | (0 if file.is_blocking else NONBLOCK)
    if command == standard_fcntl.F_SETFL:
        file.is_blocking = not argument & NONBLOCK
        return 0
    if command in (standard_fcntl.F_GETFD, standard_fcntl.F_SETFD):
        return standard_fcntl.FD_CLOEXEC if command == standard_fcntl.F_GETFD else 0
    raise NotSimulated(f"fcntl({command})", "only F_GETFL, F_SETFL, F_GETFD and F_SETFD are")


def set_blocking(file: File, flag: bool) -> None:
    """Set whether the file blocks."""
    file.is_blocking = bool(flag)


def get_blocking(file: File) -> bool:
    """Return whether the file blocks."""
    return file.is_blocking


def get_inheritable(_file: File) -> bool:
    """Return False: descriptors of a world are never inherited."""
    return False


def set_inheritable(_file: File, _flag: bool) -> None:
    """Do nothing: descriptors of a world are never inherited."""


def isatty(_file: File) -> bool:
    """Return False: a world has no terminals."""
    return False


BODIES: dict[Any, Callable[..., Any]] = {
    standard.read: read,
    standard.write: write,
    standard.set_blocking: set_blocking,
    standard.get_blocking: get_blocking,
    standard.get_inheritable: get_inheritable,
    standard.set_inheritable: set_inheritable,
    standard.isatty: isatty,
    standard_fcntl.ioctl: ioctl,
    standard_fcntl.fcntl: fcntl,
}
REFUSED = "fchmod fchown fdopen fpathconf fstat fstatvfs fsync ftruncate lockf lseek pread preadv pwrite pwritev"
REFUSED += " readv writev sendfile splice"


def _on_descriptor(old: Any, body: Callable[..., Any]) -> Callable[..., Any]:
    """Return a stand-in that calls a body for descriptors of a world, with the open file."""

    @wraps(old)
    def stand_in(fd: Any, *arguments: Any, **keywords: Any) -> Any:
        number = fd if isinstance(fd, int) or not hasattr(fd, "fileno") else fd.fileno()
        if not isinstance(number, int) or number < FIRST:
            if old is _read and isinstance(number, int):
                wait_for_data(number)
            return old(fd, *arguments, **keywords)
        return body(member(old.__name__).baton.world.files.get(number), *arguments, **keywords)

    return stand_in


def _refused(name: str) -> Callable[..., Any]:
    def refuse(_file: File, *_arguments: Any, **_keywords: Any) -> Any:
        if name == "sendfile":  # socket.sendfile() then sends what it reads
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        raise NotSimulated(f"os.{name}() of a descriptor of the world", "sockets have no such operation here")

    return refuse


_read = standard.read
_close, _dup, _dup2, _eventfd, _set_wakeup = (
    standard.close,
    standard.dup,
    standard.dup2,
    getattr(standard, "eventfd", None),
    signal.set_wakeup_fd,
)


def close(fd: int) -> None:
    """Stand in for os.close()."""
    if fd < FIRST:
        _close(fd)
    else:
        member("close").baton.world.files.close(fd)


def dup(fd: int, /) -> int:
    """Stand in for os.dup()."""
    return _dup(fd) if fd < FIRST else int(member("dup").baton.world.files.duplicate(fd))


def dup2(fd: int, fd2: int, inheritable: bool = True) -> int:
    """Stand in for os.dup2(). Sockets that have the second descriptor are then those of the first one's file."""
    if fd < FIRST and fd2 < FIRST:
        return _dup2(fd, fd2, inheritable)
    if fd < FIRST or fd2 < FIRST:
        raise NotSimulated("os.dup2() between a world and the kernel", "a descriptor is of the one or the other")
    file = member("dup2").baton.world.files.replace(fd, fd2)
    for handle in handles.values():
        if handle.descriptor == fd2:
            handle.file = file
    return fd2


def eventfd(initval: int, flags: int = 0) -> int:
    """Stand in for os.eventfd()."""
    task = current()
    if task is None:
        return int(_eventfd(initval, flags))  # type: ignore[misc]
    counter = Counter(initval, is_semaphore=bool(flags & standard.EFD_SEMAPHORE))
    return int(task.baton.world.files.open(counter, is_blocking=not flags & standard.EFD_NONBLOCK))


def eventfd_read(fd: int) -> int:
    """Stand in for os.eventfd_read()."""
    return int(_eventfd_read(fd)) if fd < FIRST else _counter(fd).take()


def eventfd_write(fd: int, value: int) -> None:
    """Stand in for os.eventfd_write()."""
    if fd < FIRST:
        _eventfd_write(fd, value)
    else:
        _counter(fd).add(value)


def _counter(fd: int) -> Counter:
    opened: object = member("eventfd").baton.world.files.get(fd).opened
    if not isinstance(opened, Counter):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return opened


def set_wakeup_fd(fd: int, /, *, warn_on_full_buffer: bool = True) -> int:
    """Stand in for signal.set_wakeup_fd(): signals are the kernel's, and cannot write to a world's descriptor."""
    if fd >= FIRST or current() is not None:
        return -1
    return _set_wakeup(fd, warn_on_full_buffer=warn_on_full_buffer)


NAMES: dict[Any, Any] = {old: _on_descriptor(old, body) for old, body in BODIES.items()}
NAMES |= {
    getattr(standard, name): _on_descriptor(getattr(standard, name), _refused(name))
    for name in REFUSED.split()
    if hasattr(standard, name)
}
NAMES |= {_close: close, _dup: dup, _dup2: dup2, _set_wakeup: set_wakeup_fd}
if _eventfd is not None:
    _eventfd_read, _eventfd_write = standard.eventfd_read, standard.eventfd_write
    NAMES |= {_eventfd: eventfd, _eventfd_read: eventfd_read, _eventfd_write: eventfd_write}
