"""TLSMixIn: encrypted requests, from the first byte or from when the handler calls `start_tls()`."""

from __future__ import annotations

import contextlib
import weakref
from typing import TYPE_CHECKING, Any

from windsock.errors import UsageError
from windsock.net.deadlines import capped
from windsock.net.pushback import give_back_to_stream
from windsock.net.system import socket
from windsock.security.handshake_info import HandshakeFailed
from windsock.security.server_names import ContextByName

if TYPE_CHECKING:
    import ssl

    from windsock.security.tls_socket import TLSSocket

__all__ = ["TLSMixIn"]


class TLSMixIn:
    """Encrypts each request. Comes first among the bases, before the mix-in for concurrency.

    The handshake is part of handling the request: it runs in the request's own thread, process or greenlet, so a
    silent client keeps no other one waiting. Handlers get a TLSSocket.

    `ssl_context` must be set. `handshake_timeout` (seconds) bounds the whole handshake; `goodbye_timeout` (seconds)
    bounds sending close_notify, the end of the TLS stream, when a request is shut down. With
    `begins_with_tls = False`, requests start unencrypted until a handler calls `self.start_tls()` (STARTTLS).

    Hooks, in the order in which a request meets them: `start_tls`, and `handle_handshake_error` if that fails. For
    async handlers: `make_stream`; `start_tls_stream` when the handler starts TLS, and `stop_tls_stream` when it
    ends TLS.
    """

    ssl_context: ssl.SSLContext | None = None
    begins_with_tls = True
    handshake_timeout: float = 5.0
    goodbye_timeout: float = 1.0

    def _context(self) -> ssl.SSLContext:
        if self.ssl_context is None:
            raise UsageError(f"{type(self).__name__}.ssl_context is None; set it to an ssl.SSLContext for servers")
        return self.ssl_context

    def encrypted(self, request: Any) -> Any:
        """Return the encrypted side of an accepted request: a TLSSocket, or for async handlers a trio.SSLStream.

        None if there is none in this process.
        """
        return self._tls_requests.get(request)

    @property
    def _tls_requests(self) -> dict[Any, Any]:
        """The encrypted side of each accepted request."""
        found: dict[Any, Any] = vars(self).setdefault("_tls_requests_of_mine", {})
        return found

    def rehearse_in_child(self) -> None:
        """Do a handshake in memory. Called first in each forked child, which is replaced if it hangs.

        OpenSSL has process-wide locks, and Python has one for each module that is being imported. If another thread
        holds one at the moment of the fork, such as a client's in the same process, it stays locked in the child for
        ever.
        """
        import windsock.security.tls_socket  # noqa: F401  # a client may be importing it for the first time
        from windsock.net.system import ssl

        client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client_context.check_hostname = False
        client_context.verify_mode = ssl.CERT_NONE
        to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        both = [client_context.wrap_bio(to_client, to_server)]
        context = self.ssl_context
        callback = None if context is None else context.sni_callback
        if isinstance(callback, ContextByName):
            context = callback.any_context()
        elif callback is not None:  # the user's code
            context = None
        if context is not None:
            both.append(context.wrap_bio(to_server, to_client, server_side=True))
        for each in both * 2:
            with contextlib.suppress(ssl.SSLError):  # includes SSLWantReadError
                each.do_handshake()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Do the handshake, then handle the request. May be extended (call super)."""
        try:
            if self.begins_with_tls:
                request = self.start_tls(request)
            super().finish_request(request, client_address)  # type: ignore[misc]  # the server class has it
        except HandshakeFailed as error:
            self.handle_handshake_error(request, client_address, error)

    def start_tls(self, request: Any) -> TLSSocket:
        """Do the handshake on a request; return the encrypted socket.

        May be extended (call super). Raises HandshakeFailed, which a handler may let pass: it ends the request.
        """
        from windsock.security.tls_socket import TLSSocket

        context = self._context()
        if isinstance(request, TLSSocket):
            raise UsageError("start_tls(): this request is encrypted already")
        secured = TLSSocket(request, context)
        secured.do_handshake(self.handshake_timeout)
        self._tls_requests[request] = secured
        return secured

    # --- async handlers of a trio server: called instead of finish_request() and start_tls()

    async def serve_request(self, request: Any, client_address: Any) -> None:
        """Handle the request, then end its TLS stream with close_notify. May be extended (await super's)."""
        import trio

        try:
            await super().serve_request(request, client_address)  # type: ignore[misc]  # TrioMixIn has it
        except HandshakeFailed as error:
            self.handle_handshake_error(request, client_address, error)
        finally:
            stream = self._tls_requests.pop(request, None)
            if stream is not None:
                with trio.move_on_after(self.goodbye_timeout):
                    await stream.aclose()

    async def make_stream(self, request: Any) -> Any:
        """Do the handshake; return a trio.SSLStream, or an unencrypted stream if not `begins_with_tls`.

        May be extended (await super's).
        """
        stream = await super().make_stream(request)  # type: ignore[misc]  # TrioMixIn has it
        self._clear_streams[stream] = request
        return await self.secure_stream(stream, request) if self.begins_with_tls else stream

    async def start_tls_stream(self, stream: Any) -> Any:
        """Do the handshake on a request's unencrypted stream; return the trio.SSLStream.

        May be extended (await super's). Raises HandshakeFailed, which a handler may let pass: it ends the request.
        """
        import trio

        request = self._clear_streams.get(stream)
        secured = self._tls_requests.get(request)
        if isinstance(stream, trio.SSLStream) or (secured is not None and secured.transport_stream is stream):
            raise UsageError("start_tls(): this request is encrypted already")
        if request is None:
            raise UsageError(f"start_tls(): {stream!r} was not returned by make_stream() of this server")
        return await self.secure_stream(stream, request)

    async def stop_tls_stream(self, stream: Any) -> Any:
        """End TLS on a request's stream both ways; return the unencrypted stream.

        May be extended (await super's). Waits for the client's close_notify. Unencrypted data that came after it is
        what the stream returns first.
        """
        import trio

        if not isinstance(stream, trio.SSLStream):
            raise UsageError("stop_tls(): this request is not encrypted; start_tls() comes first")
        clear, behind = await stream.unwrap()
        give_back_to_stream(clear, bytes(behind))
        return clear

    async def secure_stream(self, stream: Any, request: Any) -> Any:
        """Do the handshake on a request's stream; return the trio.SSLStream. May be extended (await super's)."""
        from windsock.security.trio.tls import secure

        self._tls_requests[request] = secured = await secure(stream, self._context(), self.handshake_timeout)
        return secured

    @property
    def _clear_streams(self) -> weakref.WeakKeyDictionary[Any, Any]:
        """The request of each unencrypted stream, for handlers that start TLS."""
        found: weakref.WeakKeyDictionary[Any, Any] | None = vars(self).get("_clear_streams_of_mine")
        if found is None:
            found = vars(self)["_clear_streams_of_mine"] = weakref.WeakKeyDictionary()
        return found

    # ---

    def handle_handshake_error(self, request: Any, client_address: Any, error: HandshakeFailed) -> None:
        """Called instead of the handler when the TLS handshake failed; the request is then shut down.

        May be overridden. The default does nothing: what a client does is an outcome, not an error of the server.
        """

    def shutdown_request(self, request: Any) -> None:
        """End the TLS stream, then the connection. May be extended (call super)."""
        secured = self._tls_requests.get(request)
        if secured is not None:
            with contextlib.suppress(OSError):  # the client is gone, or does not read
                secured.settimeout(capped(self.goodbye_timeout))
                secured.shutdown(socket.SHUT_WR)
        super().shutdown_request(request)  # type: ignore[misc]  # the server class has it

    def close_request(self, request: Any) -> None:
        """Close the encrypted side too. May be extended (call super)."""
        secured = self._tls_requests.pop(request, None)
        if secured is not None:
            secured.abandon()
        super().close_request(request)  # type: ignore[misc]  # the server class has it
