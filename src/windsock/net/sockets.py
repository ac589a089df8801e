"""Closing and resetting sockets so that the other end sees it, even if other processes hold copies; socket queues."""

from __future__ import annotations

import contextlib
import errno
import functools
import struct
import termios  # here: when it is needed, a process may have no descriptor left to import it with
from typing import Any

from windsock.errors import UsageError
from windsock.net import system
from windsock.net.system import os, platform, select, socket

__all__ = [
    "LARGEST_UNIX_DATAGRAM",
    "check_datagram",
    "close",
    "dissolve",
    "end",
    "error_of",
    "has_unread",
    "is_ip",
    "is_unix_stream",
    "largest_datagram",
    "on_both_loopbacks",
    "prepare",
    "refuse",
    "reset",
    "serve_again",
    "take_ipv4_too",
    "unacknowledged",
    "unread",
]

RECEIVED, SENT = 384 * 1024, 1024 * 1024
"""The kernel's buffer for a TCP connection, in bytes: more than fits into a core's cache makes bulk slower."""
LARGEST_UDP_DATAGRAM = 65_535
"""The most bytes that the length field of UDP can express (RFC 768)."""
LARGEST_UNIX_DATAGRAM = 1024 * 1024
"""The most bytes of a Unix datagram that windsock reads. The limit of the system is the sender's buffer (unix(7))."""
MOST_READS = 64
"""The number of 64-KiB blocks that are read and discarded before a close."""
NO_LINGER = struct.pack("ii", 1, 0)
NOWHERE = struct.pack("H14x", socket.AF_UNSPEC)


def is_ip(each: socket.socket) -> bool:
    """Return whether a socket is a TCP or UDP socket, not a Unix one."""
    return each.family in (socket.AF_INET, socket.AF_INET6)


def is_unix_stream(request: Any) -> bool:
    """Return whether a request is a plain Unix socket, on which descriptors can come; one with TLS is not."""
    return request.family == getattr(socket, "AF_UNIX", None) and not hasattr(request, "pending")


def take_ipv4_too(each: socket.socket) -> None:
    """Have an IPv6 socket that is not bound yet take IPv4 clients too, by mapped addresses (ipv6(7))."""
    each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)


def on_both_loopbacks(kind: int) -> socket.socket | None:
    """Return a socket that, bound to `::`, is at 127.0.0.1 and at ::1, and that no other machine reaches.

    It is for IPv6 and IPv4, and bound to the loopback interface (SO_BINDTODEVICE, socket(7)), so that one bind(2) takes
    the port of both. None where the system cannot do that: elsewhere than on Linux 5.7, or without IPv6.
    """
    device = getattr(socket, "SO_BINDTODEVICE", None)
    if device is None:
        return None
    try:
        made = socket.socket(socket.AF_INET6, kind)
    except OSError:
        return None
    try:
        take_ipv4_too(made)
        made.setsockopt(socket.SOL_SOCKET, device, b"lo")
    except OSError:
        made.close()
        return None
    return made


def largest_datagram(family: int) -> int:
    """Return the most bytes that are read of a datagram of an address family."""
    is_unix = family == getattr(socket, "AF_UNIX", None)
    return LARGEST_UNIX_DATAGRAM if is_unix else LARGEST_UDP_DATAGRAM


def check_datagram(error: OSError, what: str, size: int, unit: str = "datagram") -> None:
    """Raise UsageError in place of an error that says that a datagram or record is too long to be sent (EMSGSIZE)."""
    if error.errno == errno.EMSGSIZE:
        raise UsageError(f"{what}: {size} bytes are too many for one {unit} here") from None


def prepare(each: socket.socket) -> None:
    """Prepare a stream socket for a relay: non-blocking, and without delay for small writes."""
    each.setblocking(False)
    if is_ip(each):
        with contextlib.suppress(OSError):  # the client may have reset it by now (macOS)
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SENT)


def reset(each: socket.socket) -> None:
    """Reset a connection at once, and close its socket, even if other processes hold copies of it.

    TCP on Linux: connect(2) to AF_UNSPEC dissolves the connection and sends RST, even while another thread waits for
    it; data that the kernel has not sent yet is lost. Elsewhere: SO_LINGER with 0 seconds (socket(7)), which takes
    effect when the last copy is closed.

    A Unix socket's other end sees a reset if data that it sent is unread, once the last copy is closed (unix(7)).
    Otherwise it sees the end of the stream, at once.
    """
    with contextlib.suppress(OSError):
        if not is_ip(each):
            if not unread(each):
                _shut_down(each)
        elif not dissolve(each.fileno()):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    each.close()


def end(each: socket.socket) -> None:
    """Make the other end of a stream see what close(2) causes, even if other processes hold copies of the socket.

    That is a reset if data that it sent is unread (RFC 2525, section 2.17), else the end of the stream. A Unix socket
    with unread bytes is left as it is: its other end is reset when the last copy is closed.
    """
    with contextlib.suppress(OSError):
        if not unread(each):
            _shut_down(each)
        elif is_ip(each):
            dissolve(each.fileno())


def _shut_down(each: socket.socket) -> None:
    socket.socket.shutdown(each, socket.SHUT_RDWR)  # not a tap's: its owner has recorded the end


def close(each: socket.socket) -> None:
    """Close with an end of the stream and not a reset, even if other processes hold copies of the socket."""
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_WR)
        for _ in range(MOST_READS):  # a client that keeps sending must be reset
            if not each.recv(65536):
                break
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()


def refuse(server_socket: socket.socket, *, for_good: bool = False) -> None:
    """Make a server's socket refuse its clients, even if other processes hold copies. Keeps the address. Idempotent.

    Linux: a TCP listener is shut down, which releases a port that the kernel has chosen, and bound again. A UDP socket
    is connected to itself, so that the kernel answers others with "port unreachable". A Unix socket is shut down for
    good; clients in its queue see the end of the stream. Datagrams can still be sent. Elsewhere a socket with copies
    still accepts. With `for_good`, the address of a TCP listener need not be kept.
    """
    with contextlib.suppress(OSError):
        if server_socket.type != socket.SOCK_DGRAM:
            _stop_listening(server_socket, for_good=for_good)
        elif not is_ip(server_socket):
            server_socket.shutdown(socket.SHUT_RD)
        elif platform == "linux":
            system.connect(server_socket, server_socket.getsockname())


def _stop_listening(listener: socket.socket, *, for_good: bool) -> None:
    if for_good and is_ip(listener):
        _shut_down(listener)
        return
    if not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        return  # a second shutdown would be permanent
    name = listener.getsockname()
    _shut_down(listener)
    if is_ip(listener):
        listener.bind(name)
        return
    listener.setblocking(False)
    while True:  # until EAGAIN: no connection can join a queue that is shut down
        socket.socket.accept(listener)[0].close()


def serve_again(server_socket: socket.socket, backlog: int, name: Any = None) -> None:
    """Undo `refuse()` of a TCP or UDP socket on Linux; what came in the meantime is lost.

    `name` is the address that a UDP socket had: the connection of one that is at every address has given it another.
    Raises OSError (EADDRINUSE) if another socket has taken the port, which was free for a moment.
    """
    server_socket.setblocking(True)
    if server_socket.type != socket.SOCK_DGRAM:
        name = server_socket.getsockname()
        server_socket.listen(backlog)
        if server_socket.getsockname() != name:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        return
    name = server_socket.getsockname() if name is None else name
    with contextlib.suppress(BlockingIOError):
        while True:
            server_socket.recv(1, socket.MSG_DONTWAIT)
    dissolve(server_socket.fileno())
    if server_socket.getsockname() != name:
        server_socket.bind(name)  # the kernel has released a port that it had chosen


def dissolve(descriptor: int) -> bool:
    """Dissolve a TCP connection with connect(2) to AF_UNSPEC, which sends RST; return whether that succeeded.

    A UDP socket has no peer afterwards.
    """
    try:
        connect = _connect()
    except (ImportError, OSError):  # no descriptor left to load it with
        return False
    return connect is not None and bool(connect(descriptor, NOWHERE, len(NOWHERE)) == 0)


@functools.cache
def _connect() -> Any:
    """Return the C library's connect(), on systems where it dissolves connections."""
    if platform != "linux":
        return None
    import ctypes

    return ctypes.CDLL(None, use_errno=True).connect


def has_unread(descriptor: int) -> bool:
    """Return whether there is something to read: data, the end of a stream, a reset, a client to accept."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    ready = poll.poll(0)
    return bool(ready) and not ready[0][1] & select.POLLNVAL


def unacknowledged(each: socket.socket) -> int:
    """Return how many sent bytes the other end's kernel has not received yet (SIOCOUTQ, tcp(7)).

    For a Unix socket, the bytes that the other end has not read. 0 if the system does not report it.
    """
    return _ask(each, termios.TIOCOUTQ)


def unread(each: socket.socket) -> int:
    """Return the number of unread bytes (FIONREAD, unix(7)). 0 if the system does not report it."""
    return _ask(each, termios.FIONREAD)


def _ask(each: socket.socket, question: int) -> int:
    """Return a number that ioctl(2) reports for a socket."""
    from windsock.net.system import fcntl

    try:
        answer: Any = fcntl.ioctl(each.fileno(), question, bytes(4))
    except (OSError, ValueError):
        return 0
    return int(struct.unpack("i", answer)[0])


def error_of(each: socket.socket) -> OSError:
    """Return the pending error of a connection, which SO_ERROR reports once."""
    number = each.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or errno.ECONNRESET
    return OSError(number, os.strerror(number))
