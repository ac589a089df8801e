"""The flags of send(2) and recv(2) as plain integers: to test bits of an enumeration takes half a microsecond."""

from __future__ import annotations

from windsock.net.system import socket

__all__ = ["OOB", "PEEK", "TRUNC"]

OOB = int(socket.MSG_OOB)
PEEK = int(socket.MSG_PEEK)
TRUNC = int(socket.MSG_TRUNC)
