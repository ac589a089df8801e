"""Bytes that make no sense, or only half of it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from windsock.errors import UsageError

if TYPE_CHECKING:
    import ssl

__all__ = ["client_hello", "random_bytes"]


def random_bytes(size: int, *, seed: int = 0) -> bytes:
    """Return `size` random bytes: the same ones for the same seed, in every process and on every machine."""
    if type(size) is not int or size < 0:
        raise UsageError(f"random_bytes({size!r}): expected a number of bytes, 0 or more")
    return random.Random(seed).randbytes(size)


def client_hello(context: ssl.SSLContext, server_hostname: str | None) -> bytes:
    """Return the first message of a client in TLS (RFC 8446, section 4.1.2)."""
    from windsock.net.system import ssl

    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=server_hostname)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()
