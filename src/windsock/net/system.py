"""The parts of the standard library that windsock itself uses, unaffected by tools that patch it.

Testing tools replace parts of the standard library: freezegun the clock, pytest-socket, mocket and PySocks
`socket.socket`, pyfakefs `os` and `fcntl`, gevent nearly everything that waits. They write into the standard library's
modules, or search all modules for the objects that they replace. Neither affects this file: its modules `os`,
`socket`, `select`, `selectors`, `threading`, `fcntl` and `ssl` are copies that are not in `sys.modules` and hold only
the names listed below. All rooms above import from here whatever does I/O, waits or starts threads:

    from windsock.net.system import monotonic, os, select, socket

Names are bound once, when this file is imported, so a call costs what it costs in the standard library. If a tool is
active by then, the original objects are found behind it. gevent must patch before that; other tools may come and go.
A simulated world (`windsock.simulation`) is for windsock too: while one is live it replaces the functions here as well.
"""

from __future__ import annotations

import _socket
import _thread
import builtins
import contextlib
import genericpath
import queue as _queue
import sys
import time as _time
from collections.abc import Callable, Iterable
from functools import partial
from importlib.machinery import BuiltinImporter, PathFinder
from importlib.util import module_from_spec
from types import BuiltinFunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from windsock.net.supported import check_supported

if TYPE_CHECKING:
    import fcntl
    import os
    import select
    import selectors
    import socket
    import ssl
    import threading
    from queue import Empty, SimpleQueue

__all__ = [
    "Empty",
    "SimpleQueue",
    "accept",
    "base_of_contexts",
    "connect",
    "fcntl",
    "is_tls_context",
    "monotonic",
    "os",
    "patched_by_gevent",
    "platform",
    "select",
    "selectors",
    "sleep",
    "socket",
    "ssl",
    "threading",
    "wall_clock",
]

check_supported()

OS = (
    "DirEntry PathLike access chown close devnull dup dup2 environ eventfd fork fsdecode fsencode fspath fstat "
    "fsync ftruncate get_blocking getcwd getgid getpid getppid getuid kill listdir lstat memfd_create mkdir open path "
    "pidfd_open pipe posix_spawn pread read readlink register_at_fork rename replace rmdir scandir sep set_blocking "
    "strerror unlink urandom waitid waitpid waitstatus_to_exitcode write writev"
)
SOCKET = "AddressFamily SocketIO"
SELECT = "epoll poll select"
SELECTORS = "BaseSelector PollSelector SelectSelector"
THREADING = "Condition Event ExceptHookArgs Lock RLock Thread current_thread get_ident getprofile gettrace main_thread"
FCNTL = "fcntl flock ioctl lockf"
"""The functions and classes of each module that windsock uses, besides its constants."""


def patched_by_gevent() -> bool:
    """Return whether gevent.monkey has replaced parts of the standard library."""
    monkey: Any = sys.modules.get("gevent.monkey")
    return monkey is not None and any(map(monkey.is_module_patched, ("select", "socket", "threading", "time")))


def _original(module: ModuleType, name: str) -> Any:
    """Return a module's original object of that name; None if this platform does not have it."""
    if patched_by_gevent():
        with contextlib.suppress(AttributeError):
            return sys.modules["gevent.monkey"].get_original(module.__name__, name)
    return getattr(module, name, None)


def _copy(module: ModuleType, names: Iterable[str], **others: Any) -> Any:
    """Return a new module with the constants of another one, the listed names, and others.

    Names that this platform does not have are left out, as in the standard library.
    """
    found = {name: value for name, value in vars(module).items() if name.isupper()}
    found |= {name: _original(module, name) for name in names}
    made = ModuleType(f"{__name__}:{module.__name__}")
    vars(made).update({name: value for name, value in found.items() if value is not None}, **others)
    return made


def _load(name: str, **imports: ModuleType) -> Any:
    """Load a module of the standard library again, outside of `sys.modules`; `imports` replace its imports."""
    spec = BuiltinImporter.find_spec(name) or PathFinder.find_spec(name)
    if spec is None or spec.loader is None:
        raise ImportError(f"the standard library's module {name} was not found", name=name)
    made: Any = module_from_spec(spec)

    def find(wanted: str, *rest: Any) -> ModuleType:
        return imports[wanted] if wanted in imports else __import__(wanted, *rest)

    if imports:
        vars(made)["__builtins__"] = vars(builtins) | {"__import__": find}
    spec.loader.exec_module(made)
    return made


def _subclass(base: type, module: str) -> Any:
    """Return the class that a standard library module derives from a class written in C."""
    subclasses: list[Any] = type.__subclasses__(base)
    return next(each for each in subclasses if each.__module__ == module)


# --- sockets


def _sockets() -> Any:
    import socket

    genuine = _subclass(_socket.socket, "socket")

    def socketpair(family: int = 0, kind: int = socket.SOCK_STREAM, proto: int = 0) -> tuple[Any, Any]:
        """Return two connected sockets, like socket.socketpair()."""
        family = family or socket.AF_UNIX
        first, second = _socket.socketpair(family, kind, proto)
        return genuine(family, kind, proto, first.detach()), genuine(family, kind, proto, second.detach())

    return _copy(socket, SOCKET.split(), socket=genuine, socketpair=socketpair, getaddrinfo=_socket.getaddrinfo)


connect: Callable[[Any, Any], None] = _socket.socket.connect
"""Connect a socket, even if the method of its class was replaced (pytest-socket's --allow-hosts)."""


def accept(listener: Any) -> tuple[Any, Any]:
    """Accept a connection like the listener's `accept()`, which uses the current, possibly replaced `socket.socket`."""
    descriptor, address = listener._accept()  # which the standard library's accept() calls
    accepted = socket.socket(listener.family, listener.type, listener.proto, fileno=descriptor)
    if listener.gettimeout():
        accepted.setblocking(True)
    return accepted, address


def base_of_contexts() -> Any:
    """Return the base of all TLS contexts, written in C: tools replace ssl.SSLContext."""
    import _ssl

    return _ssl._SSLContext


def _tls() -> Any:
    import ssl

    genuine = _subclass(base_of_contexts(), "ssl")
    kind: Any = ssl.SSLContext  # gevent's is kept, for clients in greenlets; a mock is not
    is_kept = isinstance(kind, type) and issubclass(kind, genuine)
    return _copy(ssl, dir(ssl), SSLContext=kind if is_kept else genuine)


# --- files


def _operating_system() -> Any:
    module: Any = genericpath  # pyfakefs does not replace its `os`
    os = module.os
    end = os._exit

    def _exit(status: int) -> None:
        """End this process with the current os._exit(): coverage replaces it, to save a forked child's figures."""
        os._exit(status)
        end(status)

    return _copy(os, OS.split(), _exit=_exit)


def _files() -> Any:
    import fcntl

    return _copy(fcntl if type(fcntl) is ModuleType else _load("fcntl"), FCNTL.split())


# --- clock, waits and threads


def _clock() -> Callable[[], float]:
    """Return the real clock, as an object that freezegun does not replace."""
    if isinstance(_time.monotonic, BuiltinFunctionType):
        return partial(_time.monotonic)
    return partial(_time.clock_gettime, _time.CLOCK_MONOTONIC)


def _threads() -> Any:
    import threading

    def excepthook(arguments: Any) -> None:
        """Call threading.excepthook() with its current value."""
        threading.excepthook(arguments)

    module: Any = threading
    if patched_by_gevent():
        from windsock.net.cooperative import Lock

        module = _load("threading", _thread=_copy(_thread, dir(_thread), allocate_lock=Lock, lock=Lock))
        module.excepthook = excepthook
    return _copy(module, (), excepthook=excepthook, **{name: getattr(module, name) for name in THREADING.split()})


def _selection() -> tuple[Any, Any]:
    import select
    import selectors

    replaced = {}
    if patched_by_gevent():
        from windsock.net.cooperative import Poll

        replaced["poll"] = Poll
    return _copy(select, SELECT.split(), **replaced), _copy(selectors, SELECTORS.split())


def _sleep() -> Callable[[float], None]:
    if not patched_by_gevent():
        return _time.sleep
    from windsock.net.cooperative import sleep

    return sleep


# --- what is bound at import


monotonic: Callable[[], float] = _clock()
"""Seconds, as time.monotonic() counts them."""
wall_clock: Callable[[], float] = partial(_time.clock_gettime, _time.CLOCK_REALTIME)
"""Seconds since 1970, as time.time() counts them."""
sleep: Callable[[float], None] = _sleep()
platform: str = sys.platform
"""The operating system, as sys.platform has it; a plain string, so that type checkers read what is for others, too."""

if not TYPE_CHECKING:
    socket, os, fcntl, threading = _sockets(), _operating_system(), _files(), _threads()
    select, selectors = _selection()
    SimpleQueue, Empty = _original(_queue, "SimpleQueue"), _queue.Empty


def is_tls_context(value: Any) -> bool:
    """Return whether a value is an ssl.SSLContext, also if a tool has replaced that class. Imports no ssl."""
    if "ssl" not in sys.modules:
        return False
    kinds = base_of_contexts(), sys.modules["ssl"].SSLContext
    return isinstance(value, tuple(each for each in kinds if isinstance(each, type)))  # the second may be a mock


def __getattr__(name: str) -> Any:
    """Create the copy of `ssl` on first use: its import takes as long as all others."""
    if name != "ssl":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()["ssl"] = made = _tls()
    return made
