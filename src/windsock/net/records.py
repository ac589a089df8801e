"""Unix sockets that are connected and keep records: SOCK_SEQPACKET (unix(7))."""

from __future__ import annotations

import functools
from typing import Any

from windsock.net.system import socket

__all__ = ["LARGEST_RECORD", "SEQPACKET", "TRUNCATED", "are_supported", "keeps_records"]

SEQPACKET = int(getattr(socket, "SOCK_SEQPACKET", -1))
LARGEST_RECORD = 256 * 1024
"""The most bytes that windsock reads of a record. A sender's buffer allows some 208 KiB, unless SO_SNDBUF is set."""
TRUNCATED = int(socket.MSG_TRUNC)


def keeps_records(each: Any) -> bool:
    """Return whether each send of a connected socket arrives as one record."""
    return getattr(each, "type", None) == SEQPACKET


@functools.cache
def are_supported() -> bool:
    """Return whether this system has Unix sockets with records; macOS has the constant, but not the sockets."""
    try:
        socket.socket(socket.AF_UNIX, SEQPACKET).close()
    except (AttributeError, OSError):
        return False
    return True
