"""From an address to a connected socket: any family, any kind, with a source address if asked for."""

from __future__ import annotations

import contextlib
import errno
import struct
from typing import Any

from windsock.clients.connect_options import ConnectOptions
from windsock.endpoints.outcomes import outcome_of
from windsock.errors import PeerError, UsageError, whole
from windsock.net import addresses, groups, system
from windsock.net.addresses import PrivateSocketPath
from windsock.net.deadlines import capped, is_over, within
from windsock.net.system import os, socket
from windsock.net.targets import Target

__all__ = [
    "ConnectFailed",
    "QuietSocket",
    "connect",
    "give_back",
    "is_lost",
    "is_of_another_kind",
    "prepare",
]


class ConnectFailed(PeerError):
    """There was no connection. `address` is where to, `errno` the kernel's number, `outcome` the word for it.

    `waited` is how long it was waited for, in words, if there was no answer.
    """

    def __init__(self, address: Any, error: OSError, waited: str = "") -> None:
        self.address = address
        self.errno: int | None = error.errno
        self.outcome: str = outcome_of(error)
        self.error = error
        self.waited: str = waited if isinstance(error, TimeoutError) else ""
        what = error.strerror or str(error) or "timed out"
        after = self.waited and f" after {self.waited}"
        place = addresses.show(address)
        super().__init__(f"connect to {place}: {self.outcome} ({what}){after}{_if_meant(address, error)}")

    def __reduce__(self) -> tuple[type[ConnectFailed], tuple[Any, OSError, str]]:
        return type(self), (self.address, self.error, self.waited)


def _if_meant(address: Any, error: OSError) -> str:
    """Return a hint for a path that does not exist and looks like a host and a port."""
    if isinstance(address, str) and error.errno == errno.EPROTOTYPE:
        return "; a Unix socket of another kind is there: for SOCK_SEQPACKET, pass transport='unix_seqpacket'"
    if not isinstance(address, str) or error.errno != errno.ENOENT:
        return ""
    host, colon, port = address.rpartition(":")
    if not (host and colon and port.isdecimal()):
        return ""
    return (
        f"; it was taken for the path of a Unix socket: a host and a port are a tuple, ({host.strip('[]')!r}, {port})"
    )


class QuietSocket(socket.socket):
    """A socket that closes without a warning with its last reference: the test that did not close it has failed."""

    __slots__ = ()

    def __del__(self) -> None:
        super(socket.socket, self).close()  # of the kernel's socket: the object may be half made


class GroupSocket(QuietSocket):
    """A client of a multicast group or a broadcast address: connected, it would not get the replies of the members."""

    __slots__ = ("_group",)

    def connect(self, address: Any) -> None:
        """Send to this group from now on."""
        groups.reach(self)
        self._group = address

    def getpeername(self) -> Any:
        """Return the address of the group."""
        return self._group

    def send(self, data: Any, flags: int = 0, /) -> int:
        """See socket.socket."""
        return self.sendto(data, flags, self._group)


def connect(place: Target, options: ConnectOptions, timeout: float) -> tuple[QuietSocket, PrivateSocketPath | None]:
    """Return a connected socket that does not block, and the private path that it is bound to, if it has one.

    Raises ConnectFailed.
    """
    for kind in place.kinds:
        sock, private = prepare(place, kind, options)
        try:
            _connect(sock, place, max(0.001, within(timeout)))
        except OSError as error:
            give_back(sock, private)
            if not is_of_another_kind(error, place, kind):
                raise ConnectFailed(place.address, error, whole(timeout, is_cut=is_over())) from error
        except BaseException:
            give_back(sock, private)
            raise
        else:
            return sock, private
    raise AssertionError("the last kind is none of another kind")


def is_of_another_kind(error: OSError, place: Target, kind: int) -> bool:
    """Return whether a Unix socket of another kind is there, which can be tried."""
    return error.errno == errno.EPROTOTYPE and kind != place.kinds[-1]


def prepare(place: Target, kind: int, options: ConnectOptions) -> tuple[QuietSocket, PrivateSocketPath | None]:
    """Return a socket that is all but connected, and the private path that it is bound to. Raises ConnectFailed."""
    is_group = place.is_datagram and groups.is_group(place.address[0])
    sock = (GroupSocket if is_group else QuietSocket)(place.family, kind)
    try:
        _set_buffers(sock, options)
        return sock, _bind(sock, place, options.source)
    except OSError as error:
        sock.close()
        raise ConnectFailed(place.address, error) from error
    except BaseException:
        sock.close()
        raise


def is_lost(sock: socket.socket) -> bool:
    """Return whether a connected socket was reset before connect(2) returned, which takes the kernel's word for it."""
    try:
        sock.getpeername()
    except OSError as error:
        return error.errno == errno.ENOTCONN
    return False


def give_back(sock: socket.socket, private: PrivateSocketPath | None) -> None:
    """Close it and remove its path."""
    sock.close()
    if private is not None:
        private.remove()


def _set_buffers(sock: socket.socket, options: ConnectOptions) -> None:
    """Set the kernel's buffers, in bytes: before there is a connection, or TCP has promised more room already."""
    for name, option, size in (
        ("receive_buffer", socket.SO_RCVBUF, options.receive_buffer),
        ("send_buffer", socket.SO_SNDBUF, options.send_buffer),
    ):
        if size is None:
            continue
        if type(size) is not int or size < 1:
            raise UsageError(f"{name}={size!r}: expected bytes, 1 or more")
        sock.setsockopt(socket.SOL_SOCKET, option, max(1, size // 2))  # Linux doubles it


def _bind(sock: socket.socket, place: Target, source: Any) -> PrivateSocketPath | None:
    """Bind the socket to its source address; a Unix datagram socket without one is bound too, unless source is ""."""
    if place.family != socket.AF_UNIX:
        if source is not None:
            sock.bind(_ip_source(source))
        return None
    if source is None:
        if sock.type != socket.SOCK_DGRAM:
            return None
        private = PrivateSocketPath()
        try:
            sock.bind(private.path)
        except BaseException:
            private.remove()
            raise
        return private
    if not isinstance(source, str | bytes | os.PathLike):
        raise UsageError(f"source={source!r}: expected a path, an abstract name, or '' for none at all")
    path = os.fspath(source)
    if path:
        sock.bind(path)
    return None


def _ip_source(source: Any) -> tuple[Any, ...]:
    if isinstance(source, str) and source:
        return (source, 0)
    if isinstance(source, tuple | list) and len(source) in (2, 4):
        return tuple(source)
    raise UsageError(f"source={source!r}: expected a host, or (host, port) with port 0 for any")


def _connect(sock: socket.socket, place: Target, timeout: float) -> None:
    if place.family == socket.AF_UNIX:
        # A Unix socket that has a timeout of Python's is refused at once by a full backlog (EAGAIN).
        microseconds = max(1, int(capped(timeout) * 1e6))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", *divmod(microseconds, 1_000_000)))
        try:
            system.connect(sock, place.address)
        except BlockingIOError:
            raise TimeoutError(errno.ETIMEDOUT, "its backlog is full") from None
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 0))
    else:
        sock.settimeout(capped(timeout))
        with contextlib.suppress(ConnectionResetError):  # connected, and reset before this call returned (tcp(7))
            if isinstance(sock, GroupSocket):
                sock.connect(place.address)
            else:
                system.connect(sock, place.address)
        if sock.type == socket.SOCK_STREAM:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.settimeout(0.0)
