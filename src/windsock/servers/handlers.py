"""The request handlers: each instance handles one request."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Awaitable, Callable
from typing import Any

from windsock.errors import PeerError, UsageError
from windsock.net.pushback import give_back, give_back_to_stream, is_tls_handshake, shown
from windsock.net.system import socket
from windsock.servers.async_handlers import refuse_coroutine

__all__ = ["BaseRequestHandler", "DatagramRequestHandler", "StreamRequestHandler"]


class BaseRequestHandler:
    """Handles one request: the constructor calls `setup()`, `handle()` and, whatever happened, `finish()`.

    Attributes: `request` is the accepted socket, or `(data, socket)` for datagrams; `client_address`; `server`.
    Every request has an instance of its own.

    On a trio server any of the three methods may be async; the handler then has `stream`, or for datagrams
    `packet` and `await reply(data)`.
    """

    stream: Any
    packet: bytes
    reply: Callable[[bytes], Awaitable[None]]

    def __init__(self, request: Any, client_address: Any, server: Any) -> None:
        self.request: Any = request
        self.client_address = client_address
        self.server = server
        try:
            if (result := self.setup()) is not None:
                refuse_coroutine(self.setup, result)
        except BaseException:
            self._close_files()
            raise
        try:
            if (result := self.handle()) is not None:
                refuse_coroutine(self.handle, result)
        finally:
            if (result := self.finish()) is not None:
                refuse_coroutine(self.finish, result)

    def setup(self) -> Awaitable[None] | None:
        """Prepare for `handle`. May be extended (call super). If it raises, neither `handle` nor `finish` is called."""

    def handle(self) -> Awaitable[None] | None:
        """Handle the request. Must be overridden."""

    def finish(self) -> Awaitable[None] | None:
        """Clean up. May be extended (call super)."""

    def start_tls(self, *, unread: bytes = b"") -> Any:
        """Start TLS on this connection (STARTTLS): do the handshake and replace `request`.

        In an async handler it must be awaited, and replaces `stream`.

        `unread` is the data received after the client's request for TLS: the start of its handshake. Other data raises
        PeerError, since an attacker in between could have injected it (RFC 3207, section 6). Requires
        windsock.security.TLSMixIn. HandshakeFailed, which `handle()` may let pass, ends the request.
        """
        if "stream" in vars(self):
            return self._start_tls_in_task(unread)
        begin = _starter(self.server, "start_tls", unread)
        give_back(self.request, unread)
        self.request = begin(self.request)
        return None

    async def _start_tls_in_task(self, unread: bytes) -> None:
        begin = _starter(self.server, "start_tls_stream", unread)
        give_back_to_stream(self.stream, unread)
        self.stream = await begin(self.stream)

    def stop_tls(self) -> Any:
        """Continue without encryption: end TLS both ways and replace `request`.

        In an async handler it must be awaited, and replaces `stream`. Waits for the client's close_notify. Data that
        the client has sent and that is unread can still be read.
        """
        if "stream" in vars(self):
            return self._stop_tls_in_task()
        self.request = _encrypted(self.request).unwrap()
        return None

    async def _stop_tls_in_task(self) -> None:
        self.stream = await _hook(self.server, "stop_tls_stream", "stop_tls()")(self.stream)

    def _close_files(self) -> None:
        """Close the files that a failed `setup()` has opened."""


class StreamRequestHandler(BaseRequestHandler):
    """A handler with files: reads from `self.rfile`, writes to `self.wfile`; the socket is `self.connection`.

    `rbufsize` and `wbufsize` are sizes in bytes as for `open()`: by default, reads are buffered and each write is
    sent at once, in full. `timeout` (seconds or None) bounds each wait for the client.
    `disable_nagle_algorithm` sets TCP_NODELAY (tcp(7)); wise only with `wbufsize` other than 0.
    """

    rbufsize = -1
    wbufsize = 0
    timeout: float | None = None
    disable_nagle_algorithm = False

    rfile: Any
    wfile: Any

    def setup(self) -> None:
        """Create the files. May be extended (call super)."""
        self.connection = self.request
        if self.timeout is not None:
            self.connection.settimeout(self.timeout)
        if self.disable_nagle_algorithm:
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self._make_files()

    def _make_files(self) -> None:
        self.rfile = self.connection.makefile("rb", self.rbufsize)
        if self.wbufsize == 0:
            self.wfile = _Writer(self.connection)
        else:
            self.wfile = self.connection.makefile("wb", self.wbufsize)

    def start_tls(self, *, unread: bytes = b"") -> Any:
        """Start TLS on this connection, and create new files over it.

        Data that has been read ahead into `rfile` counts as unread.
        """
        if "stream" in vars(self):
            return super().start_tls(unread=unread)
        unread += _buffered(self.rfile)
        begin = _starter(self.server, "start_tls", unread)
        self._flush_and_close()
        give_back(self.request, unread)
        self.request = self.connection = begin(self.request)
        self._make_files()
        return None

    def stop_tls(self) -> Any:
        """Continue without encryption, and create new files over the connection.

        Data that has been read ahead into `rfile` comes first in the new file.
        """
        if "stream" in vars(self):
            return super().stop_tls()
        unread = _buffered(self.rfile)
        secured = _encrypted(self.request)
        self._flush_and_close()
        self.request = self.connection = secured.unwrap()
        give_back(self.request, unread)
        self._make_files()
        return None

    def _flush_and_close(self) -> None:
        self.wfile.flush()
        self.wfile.close()
        self.rfile.close()

    def finish(self) -> None:
        """Flush and close the files. May be extended (call super).

        It does not fail if the client no longer accepts data.
        """
        try:
            if not self.wfile.closed:
                with contextlib.suppress(OSError):
                    self.wfile.flush()
            with contextlib.suppress(OSError):  # closing flushes once more, and fails once more
                self.wfile.close()
        finally:
            self.rfile.close()

    def _close_files(self) -> None:
        for file in (vars(self).get("wfile"), vars(self).get("rfile")):
            if file is not None:
                with contextlib.suppress(OSError):
                    file.close()


def _starter(server: Any, name: str, unread: bytes) -> Any:
    """Return the server's hook that starts TLS. Raises PeerError for unread bytes that no handshake starts with."""
    begin = _hook(server, name, "start_tls()")
    if not is_tls_handshake(unread):
        raise PeerError(f"start_tls(): the client sent {shown(unread)} unencrypted, after its request for TLS")
    return begin


def _hook(server: Any, name: str, method: str) -> Any:
    hook = getattr(server, name, None)
    if hook is None:
        raise UsageError(f"{method}: {type(server).__name__} can't; put TLSMixIn first among its bases")
    return hook


def _encrypted(request: Any) -> Any:
    """Return the request. Raises UsageError if it is not encrypted."""
    if not hasattr(request, "unwrap"):
        raise UsageError("stop_tls(): this request is not encrypted; start_tls() comes first")
    return request


def _buffered(file: Any) -> bytes:
    """Return the data that was read ahead into a file's buffer, without reading more from the socket."""
    raw = getattr(file, "raw", None)
    if not isinstance(raw, socket.SocketIO):
        return b""
    raw._timeout_occurred = True  # type: ignore[attr-defined]  # after a timeout, it refuses to read from the socket
    try:
        found: bytes = file.peek()
    except OSError:
        return b""
    return found


class _Writer(io.BufferedIOBase):
    """An unbuffered file over a socket; `write` always writes everything."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._connection.sendall(data)
        if type(data) is bytes:
            return len(data)
        with memoryview(data) as view:
            return view.nbytes

    def fileno(self) -> int:
        number: int = self._connection.fileno()
        return number


class DatagramRequestHandler(BaseRequestHandler):
    """A handler with files for datagrams: `self.rfile` holds the packet, `self.wfile` starts empty.

    At the end, the data written is sent as one datagram. If nothing was written, nothing is sent; `write(b"")`
    asks for an empty datagram. The other attributes are `self.packet` and `self.socket`.
    """

    def setup(self) -> None:
        """Create the files. May be extended (call super)."""
        self.packet, self.socket = self.request
        self.rfile: io.BytesIO = io.BytesIO(self.packet)
        self.wfile = _Reply()

    def finish(self) -> None:
        """Send the reply. May be extended (call super).

        It does not fail if the client has no address or is gone.
        """
        reply = self.wfile.getvalue()
        if not (reply or getattr(self.wfile, "is_wanted", False)) or self.client_address is None:
            return
        with contextlib.suppress(ConnectionRefusedError, ConnectionResetError, FileNotFoundError):
            self.socket.sendto(reply, self.client_address)


class _Reply(io.BytesIO):
    """A buffer that records whether `write` was called, even with no data."""

    is_wanted: bool = False

    def write(self, data: Any, /) -> int:
        self.is_wanted = True
        return super().write(data)
