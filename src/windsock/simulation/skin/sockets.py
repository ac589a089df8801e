"""The methods of `_socket.socket`, the base of `socket.socket` and all its subclasses."""

from __future__ import annotations

import _socket
import errno
from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from windsock.net.system import socket
from windsock.simulation.files import FIRST
from windsock.simulation.live import current
from windsock.simulation.skin import transfers
from windsock.simulation.skin.handles import SocketHandle, attach, handles, member, refuse_if_member
from windsock.simulation.skin.waits import complete, deadline_of, wait_until
from windsock.simulation.tasks import Task

__all__ = ["METHODS", "NAMES"]

FLAGS = int(getattr(socket, "SOCK_NONBLOCK", 0) | getattr(socket, "SOCK_CLOEXEC", 0))
_init = _socket.socket.__init__


def init(self: Any, family: int = -1, type: int = -1, proto: int = -1, fileno: Any = None) -> None:
    """Stand in for the constructor: make a socket of the world, or one for a descriptor of it."""
    handles.pop(id(self), None)
    is_ours = isinstance(fileno, int) and fileno >= FIRST
    if current() is None or (fileno is not None and not is_ours):
        _init(self, family, type, proto, fileno)
        return
    task = member("socket")
    if is_ours:
        descriptor = int(fileno)
    else:
        descriptor = _open(task, family, type, proto)
        proto = max(0, proto)
    file = task.baton.world.files.get(descriptor)
    handle = attach(self, descriptor, file, proto)
    default = _socket.getdefaulttimeout()
    if type != -1 and type & FLAGS & socket.SOCK_NONBLOCK:
        handle.set_timeout(0.0)
    elif default is not None:
        handle.set_timeout(default)


def _open(task: Task, family: int, kind: int, proto: int) -> int:
    family = socket.AF_INET if family == -1 else family
    kind = socket.SOCK_STREAM if kind == -1 else kind & ~FLAGS
    world = task.baton.world
    return int(world.files.open(world.host_of(task).socket(int(family), int(kind), max(0, proto))))


# --- life


def fileno(handle: SocketHandle) -> int:
    """Return the descriptor."""
    return handle.descriptor


def detach(handle: SocketHandle) -> int:
    """Return the descriptor without closing it."""
    return handle.detach()


def close(handle: SocketHandle) -> None:
    """Close the socket."""
    if handle.file is not None:
        task = member("close")
        task.baton.pause(task)
        if handle.file is not None:  # another thread may have closed it meanwhile
            task.baton.world.files.close(handle.detach())


# --- time-outs


def settimeout(handle: SocketHandle, seconds: Any) -> None:
    """Set the time-out."""
    if seconds is not None and seconds < 0:
        raise ValueError("Timeout value out of range")
    handle.set_timeout(None if seconds is None else float(seconds))


def setblocking(handle: SocketHandle, flag: Any) -> None:
    """Block for ever, or not at all."""
    handle.set_timeout(None if flag else 0.0)


def gettimeout(handle: SocketHandle) -> float | None:
    """Return the time-out."""
    return handle.timeout


def getblocking(handle: SocketHandle) -> bool:
    """Return whether calls wait at all."""
    return handle.timeout != 0.0


# --- connections


def accept(handle: SocketHandle) -> tuple[int, Any]:
    """Return the descriptor of the next connection, and its peer's address."""
    task, sock = member("accept"), handle.socket
    accepted, address = complete(handle, task, "a connection", sock.accept)
    return task.baton.world.files.open(accepted), address


def connect(handle: SocketHandle, address: Any) -> None:
    """Connect, and wait until that is done."""
    task, sock = member("connect"), handle.socket
    task.baton.pause(task)
    attempt = partial(sock.connect, address)
    try:
        attempt()
        return
    except BlockingIOError:
        if handle.file is None or not handle.waits:
            raise
    if sock.events():
        attempt()
        return
    wait_until(task, handle.file, f"a connection to {address!r}", attempt, deadline_of(task, handle.timeout or None))


def connect_ex(handle: SocketHandle, address: Any) -> int:
    """Connect, and return the errno value."""
    try:
        connect(handle, address)
    except TimeoutError as error:
        return error.errno or errno.EAGAIN
    except OSError as error:
        if error.errno is None or isinstance(error, _socket.gaierror):
            raise
        return error.errno
    return 0


def _passed_on(name: str) -> Callable[..., Any]:
    """Return a method that only passes a call on to the network's socket."""

    def call(handle: SocketHandle, *arguments: Any) -> Any:
        task, sock = member(name), handle.socket
        task.baton.pause(task)
        return getattr(sock, name)(*arguments)

    return call


def setsockopt(handle: SocketHandle, level: int, option: int, value: Any, size: int | None = None) -> None:
    """Set an option; `value` may be an integer or bytes."""
    if value is None:
        value = bytes(size or 0)
    handle.socket.setsockopt(level, option, value if isinstance(value, int) else bytes(value))


# --- the table


def _method(name: str, body: Callable[..., Any]) -> Callable[..., Any]:
    old = getattr(_socket.socket, name)

    @wraps(old)
    def stand_in(self: Any, *arguments: Any, **keywords: Any) -> Any:
        handle = handles.get(id(self))
        if handle is None:
            if name in WAITING:
                refuse_if_member(name.lstrip("_"))
            return old(self, *arguments, **keywords)
        return body(handle, *arguments, **keywords)

    return stand_in


def _property(name: str, read: Callable[[SocketHandle], Any]) -> property:
    old = _socket.socket.__dict__[name]

    def stand_in(self: Any) -> Any:
        handle = handles.get(id(self))
        return old.__get__(self) if handle is None else read(handle)

    return property(stand_in)


WAITING = {"_accept", "accept", "bind", "connect", "connect_ex", "listen", *transfers.BODIES}
"""Methods that a thread of the world may not call of a socket of the kernel."""
BODIES: dict[str, Callable[..., Any]] = {
    "_accept": accept,
    "close": close,
    "connect": connect,
    "connect_ex": connect_ex,
    "detach": detach,
    "fileno": fileno,
    "getblocking": getblocking,
    "gettimeout": gettimeout,
    "setblocking": setblocking,
    "setsockopt": setsockopt,
    "settimeout": settimeout,
    **{name: _passed_on(name) for name in ("bind", "listen", "shutdown")},
    **{name: _passed_on(name) for name in ("getsockname", "getpeername", "getsockopt")},
    **transfers.BODIES,
}
METHODS: dict[tuple[Any, str], Any] = {
    (_socket.socket, "__init__"): init,
    **{(_socket.socket, name): _method(name, body) for name, body in BODIES.items()},
    (_socket.socket, "family"): _property("family", lambda handle: handle.family),
    (_socket.socket, "type"): _property("type", lambda handle: handle.kind),
    (_socket.socket, "proto"): _property("proto", lambda handle: handle.proto),
    (_socket.socket, "timeout"): _property("timeout", gettimeout),
}


class Opened:
    """A descriptor, as `_socket.socketpair()` returns it: the caller detaches it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def detach(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    fileno = detach


_socketpair, _dup, _close = _socket.socketpair, _socket.dup, _socket.close


def socketpair(family: Any = None, type: int = socket.SOCK_STREAM, proto: int = 0) -> Any:
    """Stand in for _socket.socketpair()."""
    task = current()
    if task is None:
        return _socketpair(socket.AF_UNIX if family is None else family, type, proto)
    world = task.baton.world
    pair = world.host_of(task).socketpair(int(family or socket.AF_UNIX), int(type) & ~FLAGS, proto)
    return tuple(Opened(world.files.open(each)) for each in pair)


def dup(descriptor: int, /) -> int:
    """Stand in for _socket.dup(), which `socket.socket.dup()` calls."""
    task = current()
    return _dup(descriptor) if task is None or descriptor < FIRST else task.baton.world.files.duplicate(descriptor)


def close_descriptor(descriptor: int, /) -> None:
    """Stand in for socket.close()."""
    task = current()
    if task is None or descriptor < FIRST:
        _close(descriptor)
    else:
        task.baton.world.files.close(descriptor)


NAMES: dict[Any, Any] = {_socketpair: socketpair, _dup: dup, _close: close_descriptor}
