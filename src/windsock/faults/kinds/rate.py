"""Rate: a limit on bytes per second."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from windsock.faults.checks import count, is_number, wrong
from windsock.faults.context import NEVER, FaultContext
from windsock.faults.fault import Fault
from windsock.faults.items import Data, Datagram, Item, at_time
from windsock.faults.stages import Stage

__all__ = ["Rate"]

PIECE = 0.002
"""The transmission time of one piece, in seconds: nothing is early or late by more."""
PIECES = 1024
"""The most pieces that one run of data is cut into, for very slow lines."""
SMALLEST_BUFFER = 64 * 1024
BUFFERED = 0.1
"""The default size of the buffer in seconds of transmission, so that the line never idles."""


@dataclass(frozen=True, slots=True, repr=False)
class Rate(Fault):
    """Limit the line to `bytes_per_second`, exact on average: a token bucket of `burst` bytes, full at the start.

    A stream's data is cut into pieces of 2 ms each (at most 1,024); a piece arrives when its last byte has been
    transmitted. A datagram or record stays whole. The state is the time at which the line is free, so there is no
    drift. While more than `buffer` bytes wait (default: 64 KiB or 0.1 s of the rate, whichever is more, plus what a
    Delay has on the way), a stream's sender is held back; senders of datagrams never are: use QueueLimit.
    """

    chain_stage: ClassVar[Stage] = Stage.RATE

    bytes_per_second: float
    burst: int = field(default=0, kw_only=True)
    buffer: int | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if not is_number(self.bytes_per_second) or self.bytes_per_second <= 0:
            expected = "bytes per second, a number above 0 (1 Mbit/s is 125_000); Blackhole() carries none at all"
            raise wrong(self, "bytes_per_second", self.bytes_per_second, expected)
        count(self, 0, "bytes", burst=self.burst)
        if self.buffer is not None:
            count(self, 1, "bytes", buffer=self.buffer)

    def begin(self, context: FaultContext) -> list[float]:  # noqa: ARG002  # the contract of faults
        """Return when the line is free: it always was."""
        return [-NEVER]

    def room(self, delay: float) -> float:
        """Return how many bytes may wait."""
        buffer = self.buffer or max(SMALLEST_BUFFER, int(self.bytes_per_second * BUFFERED))
        return buffer + self.bytes_per_second * delay

    def apply(self, item: Item, context: FaultContext) -> Iterable[Item]:
        """Return the item in pieces, each with the time when it has been transmitted."""
        if not isinstance(item, Data | Datagram):
            return (item,)
        at, data = item.at, item.data
        if isinstance(item, Datagram) or context.is_record:
            pieces: list[Item] = [at_time(item, self._over(at, len(data), context))]
        else:
            size = self._piece(len(data))
            cuts = [item.piece(start, start + size) for start in range(0, len(data), size)]
            pieces = [at_time(piece, self._over(at, len(piece.data), context)) for piece in cuts]
        if pieces and pieces[-1].at > at:
            context.fire("{} B took {:.6f} s", len(data), pieces[-1].at - at)
        return pieces

    def _piece(self, size: int) -> int:
        return max(1, int(self.bytes_per_second * PIECE), -(-size // PIECES))

    def _over(self, at: float, size: int, context: FaultContext) -> float:
        """Return when `size` bytes that arrived at a time have been transmitted."""
        free: float = max(context.state[0], at - self.burst / self.bytes_per_second) + size / self.bytes_per_second
        context.state[0] = free
        return max(at, free)
