"""The output of a program: read by a thread as it comes, kept up to a limit, with the time of each line."""

from __future__ import annotations

import re
from collections import deque
from typing import Any, TypeAlias

from windsock.errors import UsageError, WaitTimeout, whole
from windsock.net import deadlines
from windsock.net.system import monotonic, os, select, threading
from windsock.net.wakeup import Wakeup

__all__ = ["LIMIT", "ProgramOutput", "compiled"]

LIMIT = 1024 * 1024
"""The latest bytes of output that are kept."""
Pattern: TypeAlias = str | bytes | re.Pattern[Any]
PIECE = 64 * 1024
SMALL = 1024


class ProgramOutput:
    """What a program has written to stdout and stderr, in this order: the latest MiB of it.

    `total` is the number of bytes it has written since it was started first.
    """

    def __init__(self) -> None:
        self.total: int = 0
        self._pieces: deque[tuple[float, bytes]] = deque()
        self._kept = 0
        self._changed = threading.Condition()
        self._reader: _OutputReader | None = None

    def __repr__(self) -> str:
        return f"<ProgramOutput of {self.total:,} B, {len(self.lines)} lines kept>"

    @property
    def text(self) -> str:
        """All that is kept, with `\\n` at the ends of lines."""
        return "".join(f"{each}\n" for each in self.lines)

    @property
    def lines(self) -> list[str]:
        """The lines that are kept, without their ends."""
        return [text for _, text in self.timed_lines()]

    def timed_lines(self) -> list[tuple[float, str]]:
        """Return the lines with the monotonic times at which they began to arrive."""
        self.catch_up()
        return [(time, _decoded(line)) for time, line in self._lines(0, is_partial=True)[0]]

    def wait_for(self, pattern: Pattern, *, timeout: float = 5.0, since: int = 0) -> re.Match[Any]:
        """Wait for a whole line in which a regular expression matches; return the match.

        `since`: the value that `total` had before what is waited for; all lines that are kept by default. Raises
        WaitTimeout after `timeout` seconds.
        """
        wanted = compiled("wait_for", pattern)
        until = monotonic() + deadlines.within(timeout)
        while True:
            is_over = self.is_over  # by now: the search sees all of it
            found, since = self.search(wanted, since)
            if found is not None:
                return found
            if is_over or not self.wait(since, until - monotonic()):
                time = whole(timeout, is_cut=deadlines.is_over())
                raise WaitTimeout(
                    f"no line of output matched {wanted.pattern!r} within {time}; the last lines: {self.lines[-5:]}"
                )

    def search(self, wanted: re.Pattern[Any], since: int) -> tuple[re.Match[Any] | None, int]:
        """Return the match in the first whole line from an offset on, or None, and the offset to go on from."""
        lines, end = self._lines(since, is_partial=self.is_over)
        is_text = isinstance(wanted.pattern, str)
        matches = (wanted.search(_decoded(line) if is_text else line) for _, line in lines)
        return next((each for each in matches if each is not None), None), end

    def catch_up(self) -> None:
        """Read at once what the program has written by now."""
        if self._reader is not None:
            self._reader.take_all()

    def wait(self, known: int, seconds: float) -> bool:
        """Wait until there is more than `known` bytes, or the output is over; return whether that is so in time."""
        with self._changed:
            return bool(self._changed.wait_for(lambda: self._has_line_after(known) or self.is_over, max(0.0, seconds)))

    @property
    def is_over(self) -> bool:
        """Whether no process can write to it any more."""
        return self._reader is None or self._reader.is_over

    # --- for the program

    def read_from(self, descriptor: int, name: str) -> None:
        """Read what comes from a pipe, which is closed at its end or at `close()`."""
        self.close()
        self._reader = _OutputReader(self, descriptor, name)

    def drain(self, seconds: float) -> None:
        """Wait until all is read that was written, if no process holds the pipe open for longer."""
        with self._changed:
            self._changed.wait_for(lambda: self.is_over, max(0.0, seconds))

    def close(self) -> None:
        """Read what there is, and end the thread. Idempotent."""
        if self._reader is not None:
            self._reader.close()

    def add(self, data: bytes) -> None:
        """Keep a piece of output; without data, the end."""
        with self._changed:
            if data:
                self._append(data)
                self.total += len(data)
                self._kept += len(data)
            while self._kept - len(self._pieces[0][1] if self._pieces else b"") >= LIMIT:
                self._kept -= len(self._pieces.popleft()[1])
            self._changed.notify_all()

    def _append(self, data: bytes) -> None:
        """Keep a piece; what continues a line that has just begun is one piece with it."""
        if self._pieces and len(self._pieces[-1][1]) < SMALL and not self._pieces[-1][1].endswith(b"\n"):
            time, begun = self._pieces.pop()
            self._pieces.append((time, begun + data))
        else:
            self._pieces.append((monotonic(), data))

    def _has_line_after(self, offset: int) -> bool:
        return b"\n" in b"".join(data for _, data in self._after(offset))

    def _after(self, offset: int) -> list[tuple[float, bytes]]:
        """Return the pieces from an offset on."""
        at, found = self.total - self._kept, []
        for time, data in self._pieces:
            if at + len(data) > offset:
                found.append((time, data[max(0, offset - at) :]))
            at += len(data)
        return found

    def _lines(self, offset: int, *, is_partial: bool) -> tuple[list[tuple[float, bytes]], int]:
        """Return the lines from an offset on, with their times, and the offset after the last of them.

        `is_partial`: whether a line without an end is one.
        """
        with self._changed:
            pieces, end = self._after(offset), self.total
        lines: list[tuple[float, bytes]] = []
        began, rest = 0.0, b""
        for time, data in pieces:
            first, *others = (rest + data).split(b"\n")
            times = [began if rest else time, *(time for _ in others)]
            *whole_lines, rest = first, *others
            lines += zip(times, whole_lines, strict=False)
            began = times[-1]
        if rest and is_partial:
            return [*lines, (began, rest)], end
        return lines, end - len(rest)


class _OutputReader:
    """The thread that reads a pipe to its end."""

    def __init__(self, output: ProgramOutput, descriptor: int, name: str) -> None:
        self.is_over = False
        self._output = output
        self._descriptor = descriptor
        self._wakeup = Wakeup()
        self._reading = threading.Lock()
        self._owner = os.getpid()
        os.set_blocking(descriptor, False)
        self._thread = threading.Thread(target=self._read, name=name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        if self._owner != os.getpid() or self._descriptor < 0:
            return
        self._wakeup.call()
        self._thread.join()
        with self._reading:
            os.close(self._descriptor)
            self._descriptor = -1
        self._wakeup.close()

    def take_all(self) -> bool:
        """Take what there is; return whether there may be more later. From any thread."""
        with self._reading:
            return self._owner == os.getpid() and self._descriptor >= 0 and self._take_all()

    def _read(self) -> None:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        poll.register(self._wakeup.fileno(), select.POLLIN)
        while not self.is_over:
            is_closing = any(each == self._wakeup.fileno() for each, _ in poll.poll())
            self.is_over = not self.take_all() or is_closing
        self._output.add(b"")

    def _take_all(self) -> bool:
        for _ in range(LIMIT // PIECE):
            try:
                data = os.read(self._descriptor, PIECE)
            except BlockingIOError:
                return True
            if not data:
                return False
            self._output.add(data)
        return True


def compiled(call: str, pattern: Any) -> re.Pattern[Any]:
    """Return a regular expression. Raises UsageError for any other value."""
    try:
        return re.compile(pattern)
    except (re.error, TypeError) as error:
        raise UsageError(f"{call}({pattern!r}): expected a regular expression: {error}") from None


def _decoded(line: bytes) -> str:
    return line.removesuffix(b"\r").decode(errors="replace")
