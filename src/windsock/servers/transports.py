"""The transports: TCP, UDP, and Unix streams, datagrams and records; each handles its requests in turn."""

from __future__ import annotations

import errno
from typing import Any

from windsock.net import addresses, ancillary
from windsock.net.permission import check_allowed
from windsock.net.records import SEQPACKET
from windsock.net.system import os, platform, socket
from windsock.servers.base import BaseServer
from windsock.servers.forking import inherited_fds
from windsock.servers.requests import write_line

__all__ = ["TCPServer", "UDPServer", "UnixDatagramServer", "UnixSeqpacketServer", "UnixStreamServer"]


class TCPServer(BaseServer):
    """Streams over TCP; IPv6 with `address_family = socket.AF_INET6`.

    Class attributes, to be set before the constructor binds: `address_family`, `socket_type`,
    `request_queue_size` (the backlog of listen(2)), `allow_reuse_address` and `allow_reuse_port` (SO_REUSEADDR
    and SO_REUSEPORT of socket(7)).

    `server_address` is the address that was bound: it has the real port; an abstract Unix name is a str.
    """

    address_family: int = socket.AF_INET
    socket_type: int = socket.SOCK_STREAM
    request_queue_size = 5
    allow_reuse_address = False
    allow_reuse_port = False
    request_class: type[socket.socket] = socket.socket
    """The class of accepted connections; its constructor takes the arguments of socket.socket."""

    def __init__(self, server_address: Any, RequestHandlerClass: Any, bind_and_activate: bool = True) -> None:
        """May be extended (call super). Do not override.

        With `bind_and_activate=False`, call `server_bind()` and `server_activate()` yourself.
        """
        BaseServer.__init__(self, server_address, RequestHandlerClass)
        check_allowed(type(self).__name__, self.address_family)
        self.socket: socket.socket = socket.socket(self.address_family, self.socket_type)
        inherited_fds.note_server(self)
        if bind_and_activate:
            try:
                self.server_bind()
                self.server_activate()
            except BaseException:
                self.server_close()
                raise

    def server_bind(self) -> None:
        """Bind the socket, and store the bound address. May be overridden."""
        if self.allow_reuse_address:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        has_ports = self.address_family in (socket.AF_INET, socket.AF_INET6)
        if self.allow_reuse_port and has_ports and hasattr(socket, "SO_REUSEPORT"):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._bind()
        self.server_address: Any = addresses.plain(self.socket.getsockname())

    def _bind(self) -> None:
        self.socket.bind(self.server_address)

    def server_activate(self) -> None:
        """Listen. May be overridden."""
        self.socket.listen(self.request_queue_size)

    def _close_listener(self) -> None:
        self.socket.close()

    def fileno(self) -> int:
        """Return the listening socket's descriptor; -1 once it is closed."""
        return self.socket.fileno()

    def get_request(self) -> tuple[Any, Any]:
        """Accept one connection. May be overridden."""
        listener: Any = self.socket
        if type(listener) is not socket.socket:
            request, client_address = listener.accept()
        else:  # as accept(), but without a second object and without enums
            plain: Any = super(socket.socket, listener)
            descriptor, client_address = plain._accept()
            request = self.request_class(plain.family, plain.type, plain.proto, descriptor)
            if platform != "linux" and listener.gettimeout():
                request.setblocking(True)
        return request, addresses.plain(client_address)

    def shutdown_request(self, request: Any) -> None:
        """Shut down for writing, even if a child still holds the connection; then close. May be overridden."""
        try:
            request.shutdown(socket.SHUT_WR)
        except OSError:  # ENOTCONN: the client is gone
            pass
        self.close_request(request)

    def close_request(self, request: Any) -> None:
        """Close this process's descriptor of the connection. May be overridden."""
        request.close()


class UDPServer(TCPServer):
    """Datagrams over UDP. A request is `(data, socket)`; replies go out through the server's own socket.

    The kernel truncates a datagram of more than `max_packet_size` bytes; then `handle_truncated()` is called.
    """

    socket_type: int = socket.SOCK_DGRAM
    _shares_socket = True
    max_packet_size = 8192
    _room = 0
    """The size in bytes of the buffer for a datagram's ancillary data."""

    def server_activate(self) -> None:
        """Do nothing: a datagram socket does not listen."""

    def get_request(self) -> tuple[Any, Any]:
        """Receive one datagram. May be overridden."""
        buffer = bytearray(self.max_packet_size)
        size, came, flags, client_address = self.socket.recvmsg_into([buffer], self._room, RECEIVE_FLAGS | CLOEXEC)
        data = bytes(memoryview(buffer)[:size])
        client_address = addresses.plain(client_address)
        descriptors = ancillary.sorted_out(came)[0] if came else None
        if descriptors is not None:
            self.handle_descriptors(descriptors.release(), data, client_address)
        if flags & TRUNCATED:
            self.handle_truncated(data, size, client_address)
        return (data, self.socket), client_address

    def handle_truncated(self, data: bytes, size: int, client_address: Any) -> None:
        """Called when a datagram was longer than `max_packet_size`, before the truncated data is handled.

        May be overridden. `size` is the real size in bytes where the kernel reports it (Linux), else that of `data`.
        The default writes a line to stderr.
        """
        write_line(
            f"{type(self).__name__}: a datagram of {size} bytes from {addresses.show(client_address)} "
            f"was cut to max_packet_size = {self.max_packet_size}"
        )

    def handle_descriptors(self, descriptors: list[int], data: bytes, client_address: Any) -> None:
        """Called with the open descriptors that came with a datagram (SCM_RIGHTS, unix(7)), before it is handled.

        May be overridden; the override must close descriptors it does not keep. The default closes all of them.
        """
        for each in descriptors:
            os.close(each)

    def shutdown_request(self, request: Any) -> None:
        """Close the request: a datagram has no connection to shut down. May be overridden."""
        self.close_request(request)

    def close_request(self, request: Any) -> None:
        """Do nothing: the socket is the server's own. May be overridden."""


CLOEXEC = int(getattr(socket, "MSG_CMSG_CLOEXEC", 0))
TRUNCATED = int(socket.MSG_TRUNC)
RECEIVE_FLAGS = TRUNCATED if platform == "linux" else 0
"""The flag of recvmsg(2) with which Linux returns the real size of a truncated datagram."""


class _UnixSocketFile(TCPServer):
    """The base of the Unix transports: manages the socket file, if the address is a path."""

    address_family: int = getattr(socket, "AF_UNIX", -1)
    _identity: tuple[int, int] | None = None
    _owner = 0

    def _bind(self) -> None:
        """Bind; replace a socket file that no listener uses.

        Not `server_bind`: in `class Mine(UnixStreamServer, HTTPServer)` that is HTTPServer's.
        """
        path = self.server_address
        is_file = path and not addresses.is_abstract(path)
        if is_file:
            addresses.check_unix_path(os.fspath(path))
        try:
            self.socket.bind(path)
        except OSError as error:
            found = _identity(path)
            if error.errno != errno.EADDRINUSE or not addresses.is_stale_socket(path, self.socket_type):
                raise
            addresses.unlink_socket(path, found)  # unless another process has just replaced it
            self.socket.bind(path)
        if is_file:
            self.own_socket_file()

    def own_socket_file(self) -> None:
        """Record that the file at `server_address` is this server's, so that closing removes it."""
        self._identity = _identity(self.server_address)
        self._owner = os.getpid()

    def _close_listener(self) -> None:
        was_open = self.fileno() >= 0
        super()._close_listener()
        if self._identity is not None and self._owner == os.getpid():
            # If the socket was closed from outside, the file may have been replaced by one with the same inode.
            if was_open or addresses.is_stale_socket(self.server_address, self.socket_type):
                addresses.unlink_socket(self.server_address, self._identity)
            self._identity = None


def _identity(path: Any) -> tuple[int, int] | None:
    """Return a value that identifies the file at a path, or None for an abstract name or a missing file."""
    try:
        found = os.lstat(path)
    except (OSError, TypeError, ValueError):  # gone, or an abstract name
        return None
    return found.st_dev, found.st_ino


class UnixStreamServer(_UnixSocketFile, TCPServer):
    """Streams over Unix sockets; the address is a path, or an abstract name `"\\0name"` on Linux (unix(7))."""


class UnixSeqpacketServer(UnixStreamServer):
    """Records over Unix sockets: connections as with streams, on which each send arrives as one record (unix(7)).

    Linux has them, macOS does not. A record that is longer than the receiver's buffer loses its rest, so a handler
    reads it in one call: see RecordRequestHandler.
    """

    socket_type: int = SEQPACKET


class UnixDatagramServer(_UnixSocketFile, UDPServer):
    """Datagrams over Unix sockets. A client that has bound no name has the address None and can get no reply.

    Descriptors that come with a datagram go to `handle_descriptors()`.
    """

    _room = ancillary.ROOM
