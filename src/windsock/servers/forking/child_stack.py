"""Where a forked child stands: it writes its stack to a pipe when its parent asks for it."""

from __future__ import annotations

import contextlib
import faulthandler
import re
import signal
from collections.abc import Callable
from typing import Self

from windsock.net.deadlines import milliseconds
from windsock.net.system import monotonic, os, select
from windsock.net.whereabouts import Line

__all__ = ["ChildStack"]

SIGNAL: int | None = getattr(signal, "SIGWINCH", None) if hasattr(faulthandler, "register") else None
"""The signal that asks. By default it is ignored, so that a child that has not begun, or runs another program, does no
more than not to answer."""
START = b"Stack (most recent call first):\n"
LINE = re.compile(r'  File "(.*)", line (\d+) in (.*)')
ESCAPE = re.compile(r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
MOST = 64 * 1024


class ChildStack:
    """The pipe of one child; the parent makes it before it forks.

    faulthandler answers in the signal's handler, whatever the child is doing. The end of an answer is not marked. So
    the parent asks a second time once the first answer has begun: the system holds the second signal back until the
    handler of the first has returned.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)  # without a reader the answers are dropped

    @classmethod
    def made(cls) -> Self | None:
        """Return a new one; None if this platform or the lack of descriptors does not allow it."""
        with contextlib.suppress(OSError):
            return cls() if SIGNAL is not None else None
        return None

    def answer(self) -> None:
        """Have this child answer from now on."""
        if SIGNAL is not None:
            faulthandler.register(SIGNAL, self._writer, all_threads=False)

    def forked(self) -> None:
        """Close the child's end in the parent."""
        writer, self._writer = self._writer, -1
        if writer >= 0:
            os.close(writer)

    def close(self) -> None:
        """Close both ends. Idempotent."""
        self.forked()
        reader, self._reader = self._reader, -1
        if reader >= 0:
            os.close(reader)

    def ask(self, send: Callable[[int], None], until: float) -> list[Line]:
        """Return the lines at which the child's main thread stands, the innermost first; nothing without an answer.

        `send` sends the child a signal. `until` is a monotonic time.
        """
        assert SIGNAL is not None
        self._read()  # a terminal that is resized asks, too
        text = b""
        for count in (1, 2):
            send(SIGNAL)
            while text.count(START) < count:
                if not self._wait(until):
                    return []
                text += self._read()
        return _lines(text.split(START)[1])

    def _wait(self, until: float) -> bool:
        """Wait for more of the answer; return whether there is more."""
        poll = select.poll()
        poll.register(self._reader, select.POLLIN)
        ready = poll.poll(milliseconds(until - monotonic()))
        return any(events & select.POLLIN for _, events in ready)

    def _read(self) -> bytes:
        with contextlib.suppress(BlockingIOError):
            return os.read(self._reader, MOST)
        return b""


def _lines(answer: bytes) -> list[Line]:
    found = map(LINE.fullmatch, answer.decode(errors="replace").splitlines())
    return [Line(_unescaped(each[1]), int(each[2]), _unescaped(each[3])) for each in found if each is not None]


def _unescaped(text: str) -> str:
    """Return a name as it was: faulthandler writes ASCII."""
    return ESCAPE.sub(lambda found: chr(int(found[0][2:], 16)), text)
