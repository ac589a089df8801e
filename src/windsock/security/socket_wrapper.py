"""A wrapper of a connected socket that has the interface, addresses and options of the socket."""

from __future__ import annotations

import io
from typing import Any, Self

from windsock.net.system import socket

__all__ = ["SocketWrapper"]


class SocketWrapper:
    """The base of wrappers of `raw`, a socket-like object. A subclass sends and receives."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw
        self._io_refs = 0
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # --- files and closing

    def makefile(self, mode: str = "r", buffering: int | None = None, **options: Any) -> Any:
        """See socket.socket."""
        if not set(mode) <= {"r", "w", "b"}:
            raise ValueError(f"invalid mode {mode!r} (only r, w, b allowed)")
        kinds = ("r" if "r" in mode or "w" not in mode else "") + ("w" if "w" in mode else "")
        raw = socket.SocketIO(self, kinds)  # type: ignore[arg-type]  # it looks like a socket
        self._io_refs += 1
        size = io.DEFAULT_BUFFER_SIZE if buffering is None or buffering < 0 else buffering
        if size == 0:
            if "b" not in mode:
                raise ValueError("unbuffered streams must be binary")
            return raw
        buffered: Any
        if kinds == "rw":
            buffered = io.BufferedRWPair(raw, raw, size)
        else:
            buffered = io.BufferedReader(raw, size) if kinds == "r" else io.BufferedWriter(raw, size)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, **options)

    def close(self) -> None:
        """Close the socket below, once all files are closed."""
        self._closed = True
        if self._io_refs <= 0 and self.fileno() >= 0:
            self._say_goodbye_soon()
            self._real_close()

    def abandon(self) -> None:
        """Close the socket below at once: without notifying the other end, even if files are open."""
        self._closed = True
        self._real_close()

    def _say_goodbye_soon(self) -> None:
        """Notify the other end before closing. A subclass with something to send overrides it."""

    def _real_close(self) -> None:
        self.raw.close()

    def _decref_socketios(self) -> None:
        """Count a file that was closed; socket.SocketIO calls this."""
        if self._io_refs > 0:
            self._io_refs -= 1
        if self._closed:
            self.close()

    # --- forwarded to the socket below

    @property
    def family(self) -> Any:
        """See socket.socket."""
        return self.raw.family

    @property
    def type(self) -> Any:
        """See socket.socket."""
        return self.raw.type

    @property
    def proto(self) -> int:
        """See socket.socket."""
        return int(self.raw.proto)

    @property
    def timeout(self) -> float | None:
        """See socket.socket."""
        return self.gettimeout()

    def fileno(self) -> int:
        """See socket.socket."""
        return int(self.raw.fileno())

    def getpeername(self) -> Any:
        """See socket.socket."""
        return self.raw.getpeername()

    def getsockname(self) -> Any:
        """See socket.socket."""
        return self.raw.getsockname()

    def getsockopt(self, *what: Any) -> Any:
        """See socket.socket."""
        return self.raw.getsockopt(*what)

    def setsockopt(self, *what: Any) -> None:
        """See socket.socket."""
        self.raw.setsockopt(*what)

    def gettimeout(self) -> float | None:
        """See socket.socket."""
        seconds: float | None = self.raw.gettimeout()
        return seconds

    def settimeout(self, value: float | None) -> None:
        """See socket.socket."""
        self.raw.settimeout(value)

    def setblocking(self, flag: bool) -> None:
        """See socket.socket."""
        self.raw.settimeout(None if flag else 0.0)

    def getblocking(self) -> bool:
        """See socket.socket."""
        return self.gettimeout() != 0
