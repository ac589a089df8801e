"""The stream of an async handler over a connection that keeps records; trio's own takes no such socket."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from typing import Any

import trio

from windsock.errors import UsageError
from windsock.net.records import LARGEST_RECORD, TRUNCATED
from windsock.net.system import socket
from windsock.servers.record_handler import EMPTY, too_long

__all__ = ["RecordStream"]


class RecordStream(trio.abc.HalfCloseableStream):
    """A stream whose pieces are records: `send_all()` sends one, `receive_some()` returns one."""

    def __init__(self, sock: Any) -> None:
        self.socket = sock
        """The trio socket below."""
        self._lock = trio.StrictFIFOLock()

    async def send_all(self, data: Any) -> None:
        """Send one record. Raises UsageError for an empty one."""
        if not data:
            raise UsageError(f"send_all({data!r}): {EMPTY}")
        with _as_stream_errors():
            async with self._lock:
                await self.socket.send(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the kernel has room for a record."""
        with _as_stream_errors():
            await trio.lowlevel.wait_writable(self.socket)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return one record, or b"" at the end; an empty record looks like the end.

        Raises OSError (EMSGSIZE) for a record of more than `max_bytes` (by default 256 KiB), whose rest is lost.
        """
        limit = LARGEST_RECORD if max_bytes is None else max_bytes
        with _as_stream_errors():
            data: bytes
            data, _, flags, _ = await self.socket.recvmsg(limit)
        if flags & TRUNCATED:
            raise too_long(limit)
        return data

    async def send_eof(self) -> None:
        """End this direction; the other one goes on."""
        await trio.lowlevel.checkpoint()
        with _as_stream_errors():
            self.socket.shutdown(socket.SHUT_WR)

    async def aclose(self) -> None:
        """Close the socket. Idempotent."""
        self.socket.close()
        await trio.lowlevel.checkpoint()


@contextlib.contextmanager
def _as_stream_errors() -> Iterator[None]:
    """Raise the exceptions of trio's streams in place of those of sockets."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.EBADF, errno.ENOTSOCK):
            raise trio.ClosedResourceError("this stream was closed") from None
        raise trio.BrokenResourceError(f"the connection is broken: {error}") from error
