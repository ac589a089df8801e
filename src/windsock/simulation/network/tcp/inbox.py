"""What a TCP socket has received and its owner has not read, with the mark of urgent data (tcp(7))."""

from __future__ import annotations

from windsock.simulation.network.byte_queue import ByteQueue

__all__ = ["StreamInbox"]


class StreamInbox:
    """Received bytes in order. At most one of them is urgent: a later one replaces it (RFC 6093)."""

    __slots__ = ("_mark", "_read", "_urgent", "bytes")

    def __init__(self) -> None:
        self.bytes: ByteQueue = ByteQueue()
        self._read = 0
        """The number of bytes that were read or skipped."""
        self._mark: int | None = None
        """The position of the urgent byte in the stream, until it is passed."""
        self._urgent: bytes | None = None
        """The urgent byte, until it was read by itself."""

    def append(self, data: bytes, *, is_urgent: bool, is_inline: bool) -> None:
        """Add received bytes; the last of them may be urgent."""
        if is_urgent:
            self._replace_mark(is_inline)
            self._mark = self._read + self.bytes.size + len(data) - 1
            self._urgent = data[-1:]
        self.bytes.append(data)

    def _replace_mark(self, is_inline: bool) -> None:
        """Skip the byte of an earlier mark if it is the next to be read: it would be taken for ordinary data."""
        if self._mark == self._read and not is_inline and self.bytes.size:
            self._drop(1)

    def take(self, size: int, *, is_peeking: bool, is_inline: bool) -> bytes:
        """Return at most `size` bytes and stop before the mark; skip the urgent byte if it comes first.

        Nothing is skipped if urgent data is in line (SO_OOBINLINE), and nothing is removed by peeking.
        """
        if self._mark is None:
            return self._next(size, is_peeking)
        start = 0
        ahead = self._mark - self._read
        if ahead > 0:
            size = min(size, ahead)
        elif not is_inline:
            start = 1
        taken = self.bytes.peek(size, start)
        if not is_peeking:
            self._drop(start + len(taken))
        return taken

    def _next(self, size: int, is_peeking: bool) -> bytes:
        taken = self.bytes.peek(size) if is_peeking else self.bytes.take(size)
        if not is_peeking:
            self._read += len(taken)
        return taken

    def _drop(self, size: int) -> None:
        self.bytes.drop(size)
        self._read += size
        if self._mark is not None and self._read > self._mark:
            self._mark = self._urgent = None

    def take_urgent(self, *, is_peeking: bool) -> bytes | None:
        """Return the urgent byte, which stays in its place; None if there is none or it was returned before."""
        urgent = self._urgent
        if not is_peeking:
            self._urgent = None
        return urgent

    @property
    def has_urgent(self) -> bool:
        """Whether there is an urgent byte that was not read by itself."""
        return self._urgent is not None

    def is_at_mark(self) -> bool:
        """Return whether the next byte is the urgent one (SIOCATMARK, sockatmark(3))."""
        return self._mark == self._read

    def readable(self, *, is_inline: bool) -> int:
        """Return how many bytes make the socket readable: not an urgent one out of line that comes first."""
        return self.bytes.size - (self.is_at_mark() and not is_inline)

    def before_mark(self, *, is_inline: bool) -> int:
        """Return the number of bytes up to the mark, or of all if there is none (FIONREAD, tcp(7))."""
        if is_inline or self._mark is None:
            return self.bytes.size
        return self._mark - self._read
