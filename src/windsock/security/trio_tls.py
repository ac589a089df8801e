"""TLS for the streams of async handlers."""

from __future__ import annotations

import math
from typing import Any

import trio

from windsock.net.system import socket, ssl
from windsock.security.client_hello import read_client_hello
from windsock.security.handshakes import failed, succeeded
from windsock.security.trio_errors import cause_of

__all__ = ["secure"]

LONGEST_HELLO = 16 * 1024


async def secure(stream: Any, context: ssl.SSLContext, seconds: float | None) -> Any:
    """Do the handshake over a SocketStream; return an SSLStream whose attribute `handshake` says what it came to.

    The end of the stream without the client's close_notify reads as any other end. Raises HandshakeFailed.
    """
    first = b""
    secured = trio.SSLStream(stream, context, server_side=True)
    try:
        with trio.fail_after(math.inf if seconds is None else seconds):
            first = await stream.socket.recv(LONGEST_HELLO, socket.MSG_PEEK)
            await secured.do_handshake()
    except trio.TooSlowError:
        raise failed(TimeoutError("timed out"), first) from None
    except (trio.BrokenResourceError, OSError) as error:
        reason = cause_of(error) or ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "the stream ended")
        raise failed(reason, first) from error
    found: Any = secured
    found.handshake = succeeded(found, read_client_hello(first))
    found.receive_some = _Leniently(secured)
    return found


class _Leniently:
    """An SSLStream's `receive_some`, for which an end without close_notify is an end."""

    def __init__(self, stream: trio.SSLStream[Any]) -> None:
        self._receive_some = stream.receive_some

    async def __call__(self, max_bytes: int | None = None) -> bytes | bytearray:
        try:
            return await self._receive_some(max_bytes)
        except trio.BrokenResourceError as error:
            if _is_ragged_end(error.__cause__):
                return b""
            raise


def _is_ragged_end(error: BaseException | None) -> bool:
    return isinstance(error, ssl.SSLEOFError) or "UNEXPECTED_EOF" in str(getattr(error, "reason", ""))
