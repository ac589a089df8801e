"""What a decent program does not do to a socket: resets that nobody can hold up."""

from __future__ import annotations

import contextlib
import struct
from typing import Any

from windsock.net.system import select, socket
from windsock.wire.sockets import dissolve

__all__ = ["has_hung_up", "kernel_socket", "reset", "unacknowledged", "was_reset"]

NO_LINGER = struct.pack("ii", 1, 0)


def kernel_socket(sock: Any) -> Any:
    """Return the socket below all layers, such as TLS."""
    while (raw := getattr(sock, "raw", None)) is not None:
        sock = raw
    return sock


def reset(sock: Any) -> None:
    """Reset a stream connection at once, and close this end of it.

    TCP on Linux: connect(2) to AF_UNSPEC dissolves the connection and sends RST, even while another thread waits for
    it or a forked child has it open too; what the kernel has not sent yet is lost. Elsewhere: SO_LINGER with 0 seconds
    (socket(7)), which takes effect when the last one closes it.

    A Unix socket's other end sees a reset if something that it has sent is unread, once the last one has closed this
    one (unix(7)). Otherwise it sees an orderly end, at once, whoever else has this one open.
    """
    bare = kernel_socket(sock)
    if bare.fileno() < 0:
        return
    if bare.family == getattr(socket, "AF_UNIX", None):
        if not _unread(bare):
            with contextlib.suppress(OSError):
                bare.shutdown(socket.SHUT_RDWR)
    elif not dissolve(bare.fileno()):
        with contextlib.suppress(OSError):
            bare.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    abandon = getattr(sock, "abandon", None)
    if abandon is not None:
        abandon()
    bare.close()


def _unread(bare: Any) -> int:
    """Return how many bytes have come that nobody has read (FIONREAD, unix(7))."""
    import termios

    return _ask(bare, termios.FIONREAD)


def _ask(bare: Any, question: int) -> int:
    """Return a number that ioctl(2) tells of a socket; 0 where it does not."""
    from windsock.net.system import fcntl

    try:
        answer = fcntl.ioctl(bare.fileno(), question, bytes(4))
    except OSError:
        return 0
    return int(struct.unpack("i", answer)[0])


def unacknowledged(sock: Any) -> int:
    """Return how many sent bytes the other end's system does not have yet (SIOCOUTQ, tcp(7)).

    For a Unix socket: more than 0 while the other end has not read all. 0 where the system does not tell.
    """
    import termios

    return _ask(kernel_socket(sock), termios.TIOCOUTQ)


def was_reset(sock: Any) -> bool:
    """Return whether a reset has come behind the end of the stream (SO_ERROR, which is told once)."""
    try:
        return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    except OSError:
        return False


def has_hung_up(sock: Any) -> bool:
    """Return whether a Unix stream socket's other end has closed, or shut down both ways (POLLHUP, poll(2)).

    Also if each end has shut down what it sends. False for any other socket: a reset may come from beyond TCP's end.
    """
    bare = kernel_socket(sock)
    if bare.fileno() < 0 or bare.family != getattr(socket, "AF_UNIX", None):
        return False
    poll = select.poll()
    poll.register(bare.fileno(), 0)
    return any(events & select.POLLHUP for _, events in poll.poll(0))
