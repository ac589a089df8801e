"""The keys of TLS sessions that a capture has the encrypted bytes of, out of an NSS key log."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from io import FileIO

from windsock.net.system import os
from windsock.recording import Connection
from windsock.recording.events import Kind

__all__ = ["key_log_of_environment", "keys_of"]

RANDOM = slice(11, 43)
"""Where the client's random bytes are: behind the headers of record and handshake, and the version (RFC 8446)."""


def keys_of(connections: Iterable[Connection], key_log: bytes) -> bytes:
    """Return the lines of a key log that are about sessions that these connections carry, encrypted.

    The sessions of others, such as those of a browser that writes to the same file, are left out.
    """
    if not key_log:
        return b""
    randoms = {random for each in connections if (random := _client_random(each)) is not None}
    return b"".join(line + b"\n" for line in key_log.splitlines() if _random_in(line) in randoms)


def key_log_of_environment() -> bytes:
    """Return the keys of TLS sessions that have been written where SSLKEYLOGFILE says; nothing if there are none.

    Raises OSError if the file cannot be read.
    """
    path = os.environ.get("SSLKEYLOGFILE")
    if not path or sys.flags.ignore_environment:
        return b""
    try:
        with FileIO(os.open(path, os.O_RDONLY | os.O_CLOEXEC)) as file:
            return file.readall()
    except FileNotFoundError:  # there has been no session
        return b""


def _client_random(connection: Connection) -> bytes | None:
    """Return the random bytes of the ClientHello that a recorded stream begins with."""
    start = b"" if connection.is_datagram else connection.read(Kind.UP, 0, RANDOM.stop)
    is_hello = len(start) == RANDOM.stop and start[:2] == b"\x16\x03" and start[5] == 1
    return start[RANDOM] if is_hello else None


def _random_in(line: bytes) -> bytes | None:
    """Return the client's random bytes that a line is about: `LABEL random secret`, in hexadecimal digits."""
    words = line.split()
    try:
        return bytes.fromhex(words[1].decode()) if len(words) == 3 and not line.startswith(b"#") else None
    except ValueError:
        return None
