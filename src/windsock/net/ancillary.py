"""Ancillary data of Unix sockets: descriptors (SCM_RIGHTS) and credentials (SCM_CREDENTIALS), unix(7)."""

from __future__ import annotations

import array
import contextlib
import struct
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, NamedTuple

from windsock.net.system import os, socket

__all__ = [
    "CREDENTIALS",
    "LOST",
    "ROOM",
    "CameWith",
    "Credentials",
    "Descriptors",
    "ask_for_credentials",
    "asks_for_credentials",
    "count_of",
    "in_words",
    "of_another",
    "own_credentials",
    "peer_credentials",
    "receive_with",
    "receive_without",
    "send_with",
    "sorted_out",
]

LOST = "descriptors were lost: this process has no room for them (EMFILE)"
MOST_DESCRIPTORS = 253
"""SCM_MAX_FD of Linux: the most descriptors in one message."""
UCRED = struct.Struct("iII")
"""struct ucred (unix(7)): pid, uid, gid."""
CREDENTIALS = getattr(socket, "SCM_CREDENTIALS", None)
RIGHTS = int(getattr(socket, "SCM_RIGHTS", -1))
SOL_SOCKET = int(socket.SOL_SOCKET)
_space = getattr(socket, "CMSG_SPACE", lambda size: size)
ROOM_FOR_CREDENTIALS = _space(UCRED.size)
ROOM = ROOM_FOR_CREDENTIALS + _space(4 * MOST_DESCRIPTORS)
CUT = int(getattr(socket, "MSG_CTRUNC", 0))
PEEK = int(socket.MSG_PEEK)
CLOEXEC = int(getattr(socket, "MSG_CMSG_CLOEXEC", 0))


class Credentials(NamedTuple):
    """A process as the kernel reports it."""

    pid: int
    uid: int
    gid: int

    def as_bytes(self) -> bytes:
        """Return the credentials as struct ucred."""
        return UCRED.pack(*self)

    def __str__(self) -> str:
        return f"process {self.pid}, uid {self.uid}, gid {self.gid}"


def own_credentials() -> Credentials:
    """Return the credentials that the kernel attaches to data of this process."""
    return Credentials(os.getpid(), os.getuid(), os.getgid())


def peer_credentials(sock: socket.socket) -> Credentials | None:
    """Return the process at the other end of a Unix stream socket when it connected; None for other sockets."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None or sock.family != socket.AF_UNIX:
        return None
    try:
        return Credentials(*UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, option, UCRED.size)))
    except (OSError, struct.error):
        return None


class Descriptors:
    """Open descriptors that came with a byte or a datagram; owned until they are closed."""

    __slots__ = ("numbers",)
    verb: ClassVar[str] = "closed"

    def __init__(self, numbers: Iterable[int]) -> None:
        self.numbers: list[int] = list(numbers)

    def __str__(self) -> str:
        return in_words(len(self.numbers))

    def __len__(self) -> int:
        return len(self.numbers)

    def copy(self) -> Descriptors:
        """Return duplicates of the descriptors; without those for which there is no room."""
        made = Descriptors(())
        with contextlib.suppress(OSError):
            for each in self.numbers:
                made.numbers.append(os.dup(each))
        return made

    def release(self) -> list[int]:
        """Return the descriptors, which the caller then owns."""
        numbers, self.numbers = self.numbers, []
        return numbers

    def close(self) -> None:
        """Close the descriptors. Idempotent."""
        for each in self.release():
            with contextlib.suppress(OSError):
                os.close(each)

    def __del__(self) -> None:
        self.close()


def count_of(ancillary: Iterable[tuple[int, int, Any]]) -> int:
    """Return the number of descriptors in ancillary data of sendmsg(2) or recvmsg(2)."""
    rights = (memoryview(data).nbytes for level, kind, data in ancillary if (level, kind) == (SOL_SOCKET, RIGHTS))
    return sum(rights) // array.array("i").itemsize


def in_words(count: int) -> str:
    """Return a number of descriptors in words."""
    return f"{count} descriptor{'' if count == 1 else 's'}"


def receive_without(sock: Any, size: int) -> bytes:
    """Return the next data of a Unix stream; close descriptors that come with it. Raises OSError."""
    data, ancillary, _, _ = sock.recvmsg(size, ROOM, CLOEXEC)
    descriptors = sorted_out(ancillary)[0] if ancillary else None
    if descriptors is not None:
        descriptors.close()
    return bytes(data)


def sorted_out(ancillary: Iterable[tuple[int, int, bytes]]) -> tuple[Descriptors | None, Credentials | None]:
    """Return the descriptors and the credentials in ancillary data of recvmsg(2)."""
    descriptors = array.array("i")
    credentials = None
    for level, kind, data in ancillary:
        if level == SOL_SOCKET and kind == RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
        elif level == SOL_SOCKET and kind == CREDENTIALS and len(data) >= UCRED.size:
            credentials = Credentials(*UCRED.unpack_from(data))
    return (Descriptors(descriptors) if descriptors else None), credentials


def control(descriptors: Descriptors | None, credentials: Credentials | None = None) -> list[tuple[int, int, Any]]:
    """Return ancillary data for sendmsg(2)."""
    found: list[tuple[int, int, Any]] = []
    if descriptors is not None and descriptors.numbers:
        found.append((SOL_SOCKET, RIGHTS, array.array("i", descriptors.numbers)))
    if credentials is not None and CREDENTIALS is not None:
        found.append((SOL_SOCKET, CREDENTIALS, credentials.as_bytes()))
    return found


class CameWith(NamedTuple):
    """The ancillary data of one datagram."""

    descriptors: Descriptors | None
    credentials: Credentials | None
    """The credentials of its sender, if that is another process."""
    is_cut: bool
    """Whether descriptors were lost for lack of room (EMFILE)."""

    def words(self, whose: str) -> Iterable[str]:
        """Return a description for the recording."""
        if self.descriptors is not None:
            yield f"{self.descriptors} with the datagram from the {whose}"
        if self.is_cut:
            yield LOST


def ask_for_credentials(sock: socket.socket) -> bool:
    """Ask the kernel for the senders' credentials (SO_PASSCRED); return whether it will report them."""
    if hasattr(socket, "SO_PASSCRED"):
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            return True
    return False


def asks_for_credentials(sock: socket.socket) -> bool:
    """Return whether the senders' credentials come with what a Unix socket receives (SO_PASSCRED)."""
    is_unix = sock.family == getattr(socket, "AF_UNIX", None)
    return is_unix and hasattr(socket, "SO_PASSCRED") and sock.getsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED) == 1


def receive_with(sock: socket.socket, size: int) -> tuple[bytes, CameWith | None, Any]:
    """Return one datagram, its ancillary data, and its sender's address. Raises OSError like recvmsg(2)."""
    data, ancillary, flags, peer = sock.recvmsg(size, ROOM, CLOEXEC)
    if not ancillary:
        return data, None, peer
    descriptors, credentials = sorted_out(ancillary)
    return data, CameWith(descriptors, of_another(credentials), bool(flags & CUT)), peer


def of_another(credentials: Credentials | None) -> Credentials | None:
    """Return credentials of another process; None for this process, or if the kernel has not reported any."""
    return credentials if credentials is not None and credentials.pid and credentials != own_credentials() else None


def send_with(
    sock: socket.socket,
    data: bytes | memoryview,
    attached: object,
    sender: Credentials | None,
    cannot: Callable[[str], object],
    *address: Any,
) -> int:
    """Send data with the Descriptors `attached` to it, or None; return the number of bytes sent.

    `sender`, if it is another process, is shown as the sender. The kernel lets an unprivileged process show only its
    own credentials (unix(7)): then `cannot` is called, and its own are shown. Raises OSError.
    """
    descriptors = attached if isinstance(attached, Descriptors) else None
    if descriptors is None and sender is None:
        return sock.sendto(data, *address) if address else sock.send(data)
    to = (0, *address) if address else ()
    try:
        return sock.sendmsg([data], control(descriptors, sender), *to)
    except (PermissionError, ProcessLookupError) as error:
        if sender is None:
            raise
        why = "only a privileged process may" if isinstance(error, PermissionError) else "it has ended"
        cannot(f"credentials of {sender} could not be passed on: {why}")
    return sock.sendmsg([data], control(descriptors), *to)
