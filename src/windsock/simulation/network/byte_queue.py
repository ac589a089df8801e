"""Bytes of a stream in their order, taken from the front without moving the rest."""

from __future__ import annotations

from collections import deque

__all__ = ["ByteQueue"]


class ByteQueue:
    """The bytes of one direction that wait, as the chunks in which they came. `size` is their number."""

    __slots__ = ("_chunks", "_offset", "size")

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._offset = 0
        self.size: int = 0

    def append(self, data: bytes) -> None:
        """Add bytes at the end."""
        if data:
            self._chunks.append(data)
            self.size += len(data)

    def take(self, size: int) -> bytes:
        """Remove and return at most `size` bytes."""
        chunks = self._chunks
        if not chunks:
            return b""
        if not self._offset and len(chunks[0]) == min(size, self.size):
            self.size -= len(chunks[0])
            return chunks.popleft()
        taken = self.peek(size)
        self.drop(len(taken))
        return taken

    def peek(self, size: int, start: int = 0) -> bytes:
        """Return at most `size` bytes from position `start` on, and leave them there."""
        pieces = []
        position = start + self._offset
        for chunk in self._chunks:
            if size <= 0:
                break
            if position < len(chunk):
                pieces.append(chunk[position : position + size])
                size -= len(pieces[-1])
            position = max(0, position - len(chunk))
        return b"".join(pieces)

    def drop(self, size: int) -> None:
        """Remove `size` bytes, which must be there."""
        self.size -= size
        size += self._offset
        while size and size >= len(self._chunks[0]):
            size -= len(self._chunks.popleft())
        self._offset = size

    def remove(self, position: int) -> bytes:
        """Remove and return the byte at a position. This copies what follows it."""
        before, byte, after = self.peek(position), self.peek(1, position), self.peek(self.size, position + 1)
        self.clear()
        self.append(before)
        self.append(after)
        return byte

    def clear(self) -> None:
        """Remove everything."""
        self._chunks.clear()
        self._offset = self.size = 0
