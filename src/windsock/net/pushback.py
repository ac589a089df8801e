"""Bytes that were read too early: pushed back to a socket or stream, which returns them first."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from windsock.net.system import socket

__all__ = ["give_back", "give_back_to_stream", "held_by", "held_by_stream", "is_tls_handshake", "shown"]

PEEK = int(socket.MSG_PEEK)
SHOWN = 64
"""The most bytes that a message shows."""

_held: WeakKeyDictionary[Any, bytes] = WeakKeyDictionary()

if TYPE_CHECKING:
    _AnySocket = socket.socket
else:  # a mix-in for any class of sockets
    _AnySocket = object


def is_tls_handshake(data: bytes) -> bool:
    """Return whether data may be the start of a TLS handshake: a record of type 22, version 3.x (RFC 8446, 5.1)."""
    return data[:2] == b"\x16\x03"[: len(data)]


def shown(data: bytes) -> str:
    """Return data for a message: at most 64 bytes of it, and the number of all."""
    return repr(data) if len(data) <= SHOWN else f"{data[:SHOWN]!r}... ({len(data)} B in all)"


def give_back(sock: Any, data: bytes) -> None:
    """Make `recv()` and `recv_into()` of a socket return these bytes first.

    Only these calls return them: select(2) and the like wait for later data. The object stays the same; until the bytes
    are read, its class is a subclass of its own.
    """
    if data:
        if not isinstance(sock, _Holding):
            sock.__class__ = _holding_class(type(sock))  # type: ignore[arg-type]  # classes are hashable
        _held[sock] = data + _held.get(sock, b"")


def held_by(sock: Any) -> bytes:
    """Return the bytes that were pushed back to a socket and have not been read again."""
    return _held.get(sock, b"") if isinstance(sock, _Holding) else b""


class _Holding(_AnySocket):
    """The first base of a socket that holds bytes."""

    __slots__ = ()

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """See socket.socket."""
        held = _held[self]
        piece = held[:bufsize]
        if not flags & PEEK:
            self._keep(held[len(piece) :])
        return piece

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        """See socket.socket."""
        with memoryview(buffer) as view, view.cast("B") as whole:
            piece = self.recv(min(nbytes or len(whole), len(whole)), flags)
            whole[: len(piece)] = piece
        return len(piece)

    def _keep(self, rest: bytes) -> None:
        if rest:
            _held[self] = rest
        else:
            del _held[self]
            self.__class__ = type(self).__bases__[1]


@cache
def _holding_class(kind: type[Any]) -> type[Any]:
    return type(kind.__name__, (_Holding, kind), {"__slots__": (), "__module__": kind.__module__})


def give_back_to_stream(stream: Any, data: bytes) -> None:
    """Make `receive_some()` of a trio stream return these bytes first."""
    if data:
        stream.receive_some = _HoldingStream(stream, data + held_by_stream(stream))


def held_by_stream(stream: Any) -> bytes:
    """Return the bytes that were pushed back to a trio stream and have not been read again."""
    found = vars(stream).get("receive_some")
    return found.held if isinstance(found, _HoldingStream) else b""


class _HoldingStream:
    """The `receive_some` of a stream that holds bytes, in place of its own."""

    def __init__(self, stream: Any, held: bytes) -> None:
        self._stream = stream
        self.held = held

    async def __call__(self, max_bytes: int | None = None) -> bytes:
        import trio

        await trio.lowlevel.checkpoint()
        piece, self.held = self.held[:max_bytes], self.held[max_bytes:] if max_bytes else b""
        if not self.held:
            del self._stream.receive_some
        return piece
