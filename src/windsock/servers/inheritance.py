"""What a forked child has inherited and does not need: it drops it, so that its peers see the end of streams."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Iterable
from typing import Any

__all__ = ["drop", "drop_clients_of"]


def drop(sockets: Iterable[Any]) -> None:
    """Let go of sockets in this process only, whoever else holds them; no hook of theirs is called."""
    for each in sockets:
        with contextlib.suppress(AttributeError, OSError, ValueError):
            _blank(each.fileno())


def drop_clients_of(server_address: Any) -> None:
    """Let go of every inherited socket that is a client's end of a connection to this very server.

    A client in the same process as its server (tests!) would otherwise keep its own connection open in the
    child, and the child would never see its client's end of the stream.
    """
    for descriptor in _inherited_sockets():
        probe = socket.socket(fileno=os.dup(descriptor))
        with probe, contextlib.suppress(OSError):
            if probe.getpeername() == server_address:
                _blank(descriptor)


def _blank(descriptor: int) -> None:
    """Put /dev/null in a descriptor's place: closed, but its number is not given to anything else."""
    if descriptor >= 0:
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.dup2(null, descriptor, inheritable=False)
        finally:
            os.close(null)


def _inherited_sockets() -> list[int]:
    found = []
    for name in os.listdir("/dev/fd"):
        with contextlib.suppress(OSError):  # the listing's own descriptor is gone by now
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                found.append(int(name))
    return found
