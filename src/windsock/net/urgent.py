"""Urgent data of stream sockets: one byte and its mark (tcp(7), unix(7), RFC 9293)."""

from __future__ import annotations

import contextlib
import errno
import struct
from typing import Any, ClassVar

from windsock.net import sockets
from windsock.net.system import fcntl, platform, socket

__all__ = [
    "DONTWAIT",
    "OOB",
    "PEEK",
    "UrgentMark",
    "bytes_before_mark",
    "is_at_mark",
    "is_gone",
    "keep_inline",
    "pass_mark",
    "pass_taken",
    "take",
    "twin_of",
]

OOB = int(socket.MSG_OOB)
PEEK = int(socket.MSG_PEEK)
DONTWAIT = int(getattr(socket, "MSG_DONTWAIT", 0))
MOST_UNREAD = 1024 * 1024
"""More bytes than a Unix socket holds."""
AT_MARK = 0x8905 if platform == "linux" else 0x40047307
"""SIOCATMARK: whether the next byte is the urgent one."""
NONE_THERE = (errno.EINVAL, errno.EAGAIN, errno.EOPNOTSUPP, errno.ENOTCONN)
"""Errors of recv(2) with MSG_OOB: no urgent byte, not received yet, or none of this socket."""


class UrgentMark:
    """The mark of one byte of a stream, which a chain of faults carries with the byte."""

    verb: ClassVar[str] = "lost"

    def __str__(self) -> str:
        return "1 urgent mark"

    def copy(self) -> UrgentMark:
        """Return a mark for a copy of the byte."""
        return UrgentMark()

    def close(self) -> None:
        """Do nothing: a mark holds no descriptor."""


def keep_inline(sock: socket.socket) -> None:
    """Leave urgent bytes in the stream (SO_OOBINLINE), so that none is lost."""
    with contextlib.suppress(OSError):  # the other end may have reset it by now (macOS)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)


def is_at_mark(sock: Any) -> bool:
    """Return whether the next byte of the stream is the urgent one, or was before it was taken."""
    answer: Any = fcntl.ioctl(sock.fileno(), AT_MARK, bytes(4))
    return bool(struct.unpack("i", answer)[0])


def twin_of(sock: Any) -> socket.socket:
    """Return another object for the same descriptor, without a timeout. Must be detached, not closed."""
    return socket.socket(sock.family, sock.type, sock.proto, sock.fileno())


def take(sock: Any) -> bytes:
    """Return the urgent byte that waits beside the stream; b"" without one. Never waits.

    A twin reads it: with a timeout, a socket waits for data of the stream before it reads an urgent byte.
    """
    twin = twin_of(sock)
    try:
        return twin.recv(1, OOB)
    except OSError as error:
        if error.errno in NONE_THERE:
            return b""
        raise
    finally:
        twin.detach()


def is_gone(sock: Any) -> bool:
    """Return whether the connection of a socket was reset or closed by both ends, so that nothing more can come."""
    try:
        sock.getpeername()
    except OSError as error:
        return error.errno in (errno.ENOTCONN, errno.EINVAL)
    return False


def pass_mark(sock: Any) -> None:
    """Read past the place of an urgent byte that was taken, if it comes next."""
    twin = twin_of(sock)
    try:
        if is_at_mark(twin):
            twin.recv(1, DONTWAIT)
    except OSError:  # nothing is behind it, or the connection is gone
        pass
    finally:
        twin.detach()


def pass_taken(sock: Any) -> None:
    """Read nothing from a Unix socket: until the next read it is readable because of a byte that was taken."""
    twin = twin_of(sock)
    try:
        twin.recvmsg(0, 0, DONTWAIT)
    except OSError:  # nothing is behind it
        pass
    finally:
        twin.detach()


def bytes_before_mark(sock: Any) -> int:
    """Return how many unread bytes of the stream come before the urgent byte, which was not taken yet."""
    if sockets.is_ip(sock):
        return sockets.unread(sock)  # stops at the mark
    twin = twin_of(sock)
    try:
        return 0 if is_at_mark(twin) else len(twin.recv(MOST_UNREAD, PEEK | DONTWAIT))
    except OSError:
        return 0
    finally:
        twin.detach()
