"""A stand-in for macOS, on Linux: `pytest -p tests.support.standin`, as `make standin` does.

While windsock is imported, the standard library lacks what only Linux has. windsock binds all that once, so it goes on
without, while everything else has the standard library as it is. Some calls have the semantics of macOS for all.
"""

from __future__ import annotations

import errno
import importlib
import os
import pkgutil
import select
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

MISSING = {
    os: "eventfd memfd_create pidfd_open",
    select: "epoll POLLRDHUP EPOLLRDHUP",
    socket: "SO_PEERCRED SO_PASSCRED SCM_CREDENTIALS SO_BINDTODEVICE TCP_QUICKACK TCP_WINDOW_CLAMP MSG_CMSG_CLOEXEC "
    "SOCK_NONBLOCK SOCK_CLOEXEC",
}
"""What each module of the standard library lacks on macOS."""
IMPORTED_BEFORE = ("asyncio", "hypothesis", "mmap", "multiprocessing", "ssl", "subprocess", "trio", "trustme")
"""Modules that must see the platform as it is."""
PLATFORM = "stand-in"
LONGEST_PATH = 103
"""Bytes of a Unix socket's path on macOS, without the null byte at its end."""


@contextmanager
def without_linux() -> Iterator[None]:
    """Take away what only Linux has, and its name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "platform", PLATFORM)
        for module, names in MISSING.items():
            for name in names.split():
                patch.delattr(module, name, raising=False)
        yield


def _accept(listener: Any, accept: Callable[[Any], Any] = socket.socket._accept) -> Any:  # type: ignore[attr-defined]
    """Accept as accept(2) does elsewhere: a connection inherits O_NONBLOCK from its listener."""
    descriptor, address = accept(listener)
    os.set_blocking(descriptor, os.get_blocking(listener.fileno()))
    return descriptor, address


def _bind(sock: Any, address: Any, bind: Callable[[Any, Any], None] = socket.socket.bind) -> None:
    """Bind without abstract names, and to paths of at most 103 bytes; clients of tests may have a name of none."""
    if sock.family == socket.AF_UNIX and address:
        if os.fsencode(address).startswith(b"\0"):
            raise FileNotFoundError(errno.ENOENT, "abstract names are Linux's")
        if len(os.fsencode(address)) > LONGEST_PATH:
            raise OSError("AF_UNIX path too long")
    bind(sock, address)


def _install() -> None:
    for name in IMPORTED_BEFORE:
        importlib.import_module(name)
    with without_linux():
        windsock = importlib.import_module("windsock")
        for each in pkgutil.walk_packages(windsock.__path__, "windsock."):
            importlib.import_module(each.name)
    urgent: Any = importlib.import_module("windsock.net.urgent")
    urgent.AT_MARK = 0x8905  # the kernel's own number
    changed: Any = socket.socket
    changed._accept = _accept
    changed.bind = _bind


_install()
while_collecting = pytest.MonkeyPatch()
while_collecting.setattr(sys, "platform", PLATFORM)


def pytest_collection_finish() -> None:
    """Have the tests see the platform as it is; what they skip elsewhere is decided by now."""
    while_collecting.undo()
