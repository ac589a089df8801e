"""The stacks of threads that run on meanwhile.

Up to Python 3.11 the garbage collector runs within any allocation, that of an object for another thread's frame too.
What it finalizes may release the interpreter's lock; then the other thread returns from that frame, and the interpreter
crashes. So the collector rests while stacks are looked at, as it does in `sys._current_frames()` itself (gh-106883).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import FrameType
from typing import Any

from windsock.net.collector import resting

__all__ = ["MOST_FRAMES", "locals_of", "outwards", "stack_of", "stacks"]

MOST_FRAMES = 200
"""Frames of one stack that are looked at."""
COLLECTS_ANYWHERE = sys.version_info < (3, 12)


def _undisturbed() -> AbstractContextManager[None]:
    """Keep the garbage collector from running within a block, in which frames of other threads are looked at."""
    return resting() if COLLECTS_ANYWHERE else nullcontext()


def stacks() -> dict[int, list[FrameType]]:
    """Return the frames of each thread by its identifier, the innermost first."""
    with _undisturbed():
        return {ident: list(outwards(frame)) for ident, frame in sys._current_frames().items()}


def stack_of(ident: int) -> list[FrameType]:
    """Return the frames of one thread; none if it has ended."""
    with _undisturbed():
        return list(outwards(sys._current_frames().get(ident)))


def locals_of(frame: FrameType) -> Mapping[str, Any]:
    """Return the local variables of a frame that may be another thread's."""
    with _undisturbed():
        return frame.f_locals


def outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield a frame and those that called it, the innermost first."""
    for _ in range(MOST_FRAMES):
        if frame is None:
            return
        yield frame
        frame = frame.f_back
