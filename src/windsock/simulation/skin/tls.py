"""TLS of `ssl.SSLContext.wrap_socket()`: OpenSSL reads and writes buffers in place of the kernel's socket."""

from __future__ import annotations

import _ssl
from collections.abc import Callable
from typing import Any

from windsock.net.system import base_of_contexts
from windsock.simulation.skin import transfers
from windsock.simulation.skin.handles import SocketHandle, handles

__all__ = ["METHODS"]

CHUNK = 65536
Context: Any = base_of_contexts()
_wrap_socket, _wrap_bio = (vars(Context)[name] for name in ("_wrap_socket", "_wrap_bio"))
OWN = ("_handle", "_incoming", "_outgoing", "_tls", "_unsent", "_sock")


class SocketSession:
    """Stands in for the object that an `ssl.SSLSocket` calls: one over buffers, whose bytes are sent and received."""

    def __init__(self, sock: Any, handle: SocketHandle, tls: Any, incoming: Any, outgoing: Any) -> None:
        self._sock = sock
        self._handle = handle
        self._tls = tls
        self._incoming = incoming
        self._outgoing = outgoing
        self._unsent = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tls, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in OWN:
            object.__setattr__(self, name, value)
        else:
            setattr(self._tls, name, value)

    def do_handshake(self) -> Any:
        """Complete the handshake."""
        return self._do("handshake", self._tls.do_handshake)

    def read(self, *arguments: Any) -> Any:
        """Return decrypted bytes, or put them into a buffer."""
        return self._do("read", self._tls.read, *arguments)

    def write(self, data: Any) -> Any:
        """Encrypt bytes and send them."""
        return self._do("write", self._tls.write, data)

    def shutdown(self) -> Any:
        """Exchange the alerts that end TLS; return the socket below."""
        self._do("shutdown", self._tls.shutdown)
        return self._sock()

    def _do(self, what: str, call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            while True:
                try:
                    result = call(*arguments)
                except _ssl.SSLWantReadError:
                    self._send()
                    self._receive()
                    continue
                self._send()
                return result
        except TimeoutError:
            raise TimeoutError(f"The {what} operation timed out") from None
        except _ssl.SSLError as error:
            if not isinstance(error, _ssl.SSLWantReadError):
                self._send_alert()
            raise

    def _send(self) -> None:
        data = self._unsent + self._outgoing.read()
        self._unsent = b""
        if data and not self._handle.waits:
            self._send_some(data)
        elif data:
            transfers.sendall(self._handle, data)

    def _send_some(self, data: bytes) -> None:
        """Send what there is room for; the rest goes first next time."""
        try:
            sent = transfers.send(self._handle, data)
        except BlockingIOError:
            sent = 0
        self._unsent = data[sent:]

    def _send_alert(self) -> None:
        try:
            self._send()
        except OSError:
            return  # the peer is gone, and the error that the alert is about is raised anyway

    def _receive(self) -> None:
        try:
            data = transfers.recv(self._handle, CHUNK)
        except BlockingIOError:
            raise _ssl.SSLWantReadError(2, "The operation did not complete (read)") from None
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()


def wrap_socket(
    self: Any, sock: Any, server_side: bool, server_hostname: Any = None, *, owner: Any = None, session: Any = None
) -> Any:
    """Stand in for _SSLContext._wrap_socket()."""
    handle = handles.get(id(sock))
    if handle is None:
        return _wrap_socket(self, sock, server_side, server_hostname, owner=owner, session=session)
    incoming, outgoing = _ssl.MemoryBIO(), _ssl.MemoryBIO()
    tls = _wrap_bio(self, incoming, outgoing, server_side, server_hostname, owner=owner, session=session)
    return SocketSession(handle.reference, handle, tls, incoming, outgoing)


METHODS: dict[tuple[Any, str], Any] = {(Context, "_wrap_socket"): wrap_socket}
