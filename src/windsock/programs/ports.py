"""Ports that are free now, for programs that have to be told a number."""

from __future__ import annotations

import random
from itertools import islice

from windsock.errors import UsageError
from windsock.net.system import socket

__all__ = ["family_of", "free_port", "is_free"]

FIRST, LAST = 12000, 32000
"""Below the ports that Linux and macOS give to clients: no client's connection takes one of these."""
ATTEMPTS = 1000
_random = random.SystemRandom()
"""The seed of a test must not lead two processes to the same ports."""


def free_port(host: str) -> int:
    """Return a port that no socket uses, neither TCP nor UDP. Another process may take it at any moment."""
    candidates = iter(lambda: _random.randrange(FIRST, LAST), None)
    found = next((port for port in islice(candidates, ATTEMPTS) if is_free(host, port)), None)
    if found is None:
        raise UsageError(f"host={host!r}: none of {ATTEMPTS:,} ports is free there; is it an address of this machine?")
    return found


def is_free(host: str, port: int) -> bool:
    """Return whether a server could listen there now, over TCP and over UDP."""
    return all(_can_bind(host, port, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM))


def family_of(host: str) -> int:
    """Return the family of an IP address."""
    return int(socket.AF_INET6 if ":" in host else socket.AF_INET)


def _can_bind(host: str, port: int, kind: int) -> bool:
    with socket.socket(family_of(host), kind) as probe:
        if kind == socket.SOCK_STREAM:  # as servers do: what is left of old connections is not in the way
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True
