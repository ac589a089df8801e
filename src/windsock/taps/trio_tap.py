"""Recording taps on trio streams: the stream itself, which records its traffic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from windsock.recording import Connection
from windsock.recording.events import Kind
from windsock.taps.notes import note_failure

__all__ = ["BLOCK", "StreamTap", "TrioTap"]

BLOCK = 256 * 1024
"""The most bytes that one call sends, so that little is recorded that is not sent."""


class TrioTap:
    """Replaces methods of an object by its own, since the classes of trio's streams are final."""

    names: tuple[str, ...]

    def __init__(self, stream: Any, tapped: Any, connection: Connection, request: Any) -> None:
        self.request = request
        self.stream = stream
        self.connection = self._connection = connection
        self._tapped = tapped

    def install(self) -> None:
        """Replace the object's methods."""
        for name in self.names:
            setattr(self._tapped, name, getattr(self, name))

    def uninstall(self) -> None:
        """Restore the object's methods, which also ends a reference cycle."""
        for name in self.names:
            delattr(self._tapped, name)


class StreamTap(TrioTap):
    """Records what any other stream receives and sends, and how it ends.

    It is unknown how much of a failed `send_all()` was sent, so none of it is recorded. `on_clear` is called when TLS
    has ended, with this tap and the stream below.
    """

    names: tuple[str, ...] = ("receive_some", "send_all", "send_eof", "aclose", "unwrap")

    def __init__(
        self, stream: Any, connection: Connection, request: Any, on_clear: Callable[[StreamTap, Any], None]
    ) -> None:
        super().__init__(stream, stream, connection, request)
        self._on_clear = on_clear
        self.names = tuple(name for name in StreamTap.names if hasattr(stream, name))
        self._originals = {name: getattr(stream, name) for name in self.names}
        self._is_closed = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """See trio.abc.ReceiveStream."""
        try:
            data: bytes = await self._originals["receive_some"](max_bytes)
        except Exception as error:
            self._note_failure(error)
            raise
        if data:
            self._connection.note(Kind.UP, bytes(data))
        else:
            self._connection.note(Kind.CLIENT_EOF)
        return data

    async def send_all(self, data: Any) -> None:
        """See trio.abc.SendStream."""
        with memoryview(data) as view, view.cast("B") as whole:
            for start in range(0, len(whole), BLOCK):
                await self._send(bytes(whole[start : start + BLOCK]))

    async def _send(self, block: bytes) -> None:
        self._connection.note(Kind.DOWN, block)
        is_sent = False
        try:
            await self._originals["send_all"](block)
            is_sent = True
        except Exception as error:
            self._note_failure(error)
            raise
        finally:
            if not is_sent:
                self._connection.retract(len(block))

    async def send_eof(self) -> None:
        """See trio.abc.HalfCloseableStream."""
        with self._connection.noted_after(Kind.HALF_CLOSE):
            await self._originals["send_eof"]()

    async def unwrap(self) -> tuple[Any, bytes]:
        """See trio.SSLStream."""
        try:
            clear, behind = await self._originals["unwrap"]()
        except Exception as error:
            self._note_failure(error)
            raise
        is_broken = getattr(self.stream, "transport_stream", None) is not None
        if is_broken:  # the client has closed without close_notify
            self._connection.note(Kind.CLIENT_EOF, b"truncated")
        self._connection.note(Kind.TLS_END)
        if behind:
            self._connection.note(Kind.UP, bytes(behind))
        self._on_clear(self, clear)
        return clear, behind

    async def aclose(self) -> None:
        """See trio.abc.AsyncResource."""
        if self._is_closed:
            await self._originals["aclose"]()
            return
        self._is_closed = True
        with self._connection.noted_after(Kind.CLOSE):
            await self._originals["aclose"]()

    def _note_failure(self, error: Exception) -> None:
        """Record what a broken stream means for the client."""
        while error.__cause__ is not None and not isinstance(error, OSError):
            error = error.__cause__  # type: ignore[assignment]
        if isinstance(error, OSError):
            note_failure(self._connection, error)
