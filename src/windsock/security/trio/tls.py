"""TLS over trio streams, for async handlers."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import trio

from windsock.net.pushback import held_by_stream
from windsock.net.system import os, socket, ssl
from windsock.security.alerts import mark_alert
from windsock.security.client_hello import is_whole_record, read_client_hello
from windsock.security.handshakes import failed, succeeded
from windsock.security.trio.errors import cause_of

__all__ = ["secure", "truncate"]

LONGEST_HELLO = 16 * 1024


async def secure(stream: Any, context: ssl.SSLContext, seconds: float | None) -> Any:
    """Do the handshake over a SocketStream; return an SSLStream whose attribute `handshake` has the result.

    A stream that ends without the client's close_notify reads as a normal end. Raises HandshakeFailed.
    """
    first = b""
    keeping: Any = _ContextKeepingOutput(context)
    secured = trio.SSLStream(stream, keeping, server_side=True)
    try:
        with trio.fail_after(math.inf if seconds is None else seconds):
            first = held_by_stream(stream)
            if not is_whole_record(first):
                first += await stream.socket.recv(LONGEST_HELLO, socket.MSG_PEEK)
            await secured.do_handshake()
    except trio.TooSlowError:
        raise failed(TimeoutError("timed out"), first) from None
    except (trio.BrokenResourceError, OSError) as error:
        _send_alert(stream.socket, keeping.unsent())
        reason = cause_of(error) or ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "the stream ended")
        raise failed(reason, first) from error
    found: Any = secured
    found.handshake = succeeded(found, read_client_hello(first))
    found.receive_some = _Leniently(secured, stream)
    found.unwrap = partial(_unwrap_leniently, secured.unwrap, stream)
    return found


class _ContextKeepingOutput:
    """An SSLContext to a SSLStream that also knows what was not sent: trio drops the alert of a handshake that failed.

    Such as certificate_required, which tells the client why (RFC 8446, section 6.2).
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._outgoing: ssl.MemoryBIO | None = None

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, **options: Any) -> ssl.SSLObject:
        self._outgoing = outgoing
        return self._context.wrap_bio(incoming, outgoing, **options)

    def unsent(self) -> bytes:
        """Return what TLS has to say that was not sent."""
        return b"" if self._outgoing is None else self._outgoing.read()


def _send_alert(sock: Any, alert: bytes) -> None:
    """Send the alert if there is one, and the client takes it at once."""
    if alert:
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(sock.fileno())) as plain:
            plain.send(alert, socket.MSG_DONTWAIT)


def truncate(stream: Any, after_bytes: int | None, when_truncated: Callable[[], object]) -> None:
    """End a stream of `secure()` without close_notify: see TLSSocket.truncate()."""
    truncated = _Truncated(stream, after_bytes, when_truncated)
    stream.aclose = truncated.aclose
    if after_bytes is not None:
        stream.send_all = truncated


class _Truncated:
    """Replaces `send_all` and `aclose` of an SSLStream, a final class: ends the stream below, after some bytes."""

    def __init__(
        self, stream: trio.SSLStream[Any], after_bytes: int | None, when_truncated: Callable[[], object]
    ) -> None:
        self._send_all = stream.send_all
        self._stream = stream.transport_stream
        self._when_truncated: Callable[[], object] | None = when_truncated
        self._left = after_bytes
        if after_bytes == 0:
            self._end_below()

    async def aclose(self) -> None:
        self._tell()
        await self._stream.aclose()

    def _tell(self) -> None:
        tell, self._when_truncated = self._when_truncated, None
        if tell is not None:
            tell()

    async def __call__(self, data: Any) -> None:
        whole = bytes(data)
        head = whole[: self._left]
        self._left = (self._left or 0) - len(head)
        if head:
            await self._send_all(head)
        if len(head) < len(whole):
            self._end_below()

    def _end_below(self) -> None:
        self._tell()
        with contextlib.suppress(OSError):  # the client is gone
            self._stream.socket.shutdown(socket.SHUT_WR)


class _Leniently:
    """Replaces `receive_some` of an SSLStream: an end without close_notify is a normal end."""

    def __init__(self, stream: trio.SSLStream[Any], below: Any) -> None:
        self._receive_some = stream.receive_some
        self._socket = below.socket

    async def __call__(self, max_bytes: int | None = None) -> bytes | bytearray:
        try:
            return await self._receive_some(max_bytes)
        except trio.BrokenResourceError as error:
            if _is_ragged_end(error.__cause__):
                return b""
            mark_alert(error.__cause__, self._socket)
            raise


async def _unwrap_leniently(unwrap: Any, below: Any) -> tuple[Any, bytes]:
    """Do what an SSLStream's `unwrap` does; a client that closes the connection has ended TLS too."""
    try:
        stream, behind = await unwrap()
    except trio.BrokenResourceError as error:
        if not _is_ragged_end(error.__cause__):
            raise
        return below, b""
    return stream, bytes(behind)


def _is_ragged_end(error: BaseException | None) -> bool:
    return isinstance(error, ssl.SSLEOFError) or "UNEXPECTED_EOF" in str(getattr(error, "reason", ""))
