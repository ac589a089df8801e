"""The HTML page of a test with 10,000 events: its size, and the time to write, open and scroll it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

from tests.captures.chromium import Chromium, Tab

from benchmarks.table import Bound, Result
from windsock.captures.page import write_page
from windsock.faults import Firing
from windsock.recording import Connections, Recorder
from windsock.recording.events import Kind

__all__ = ["run"]

SHAPES = {"10 connections": (10, 499, 200), "2,500 connections": (2500, 1, 30), "chunks of 4 KiB": (1, 4999, 4096)}
"""Connections, exchanges on each of them, and bytes of a message: 10,000 events each."""
SCROLL = """(async () => {
    const frames = [];
    let before = performance.now();
    for (let count = 0; count < 120; count++) {
        scroller.scrollTop += 200;
        await new Promise(requestAnimationFrame);
        const now = performance.now();
        frames.push(now - before);
        before = now;
    }
    return frames;
})()"""
"""The milliseconds of each frame of a long scroll through single events."""


class Traffic:
    """A subject of a page, recorded by hand."""

    name = "server"
    address: Any = ("127.0.0.1", 4000)
    firings: Sequence[Firing] = ()

    def __init__(self, connections: int, exchanges: int, size: int) -> None:
        self._recorder = Recorder()
        for number in range(connections):
            connection = self._recorder.open(("127.0.0.1", 5000 + number))
            for _ in range(exchanges):
                connection.note(Kind.UP, b"GET /%06d\r\n" % number + b"x" * (size - 13))
                connection.note(Kind.DOWN, bytes(size))
            connection.note(Kind.CLOSE)

    @property
    def connections(self) -> Connections:
        """The recorded connections."""
        return Connections(self._recorder, lambda: 1.0)

    def describe(self) -> str:
        """Return its name."""
        return self.name


def run(*, is_quick: bool) -> Result:
    """Write and open a page of each shape; the best time of a few counts."""
    rounds = 2 if is_quick else 5
    rows: list[list[str]] = []
    bounds: list[Bound] = []
    program = shutil.which("chromium")
    with tempfile.TemporaryDirectory() as directory:
        for name, shape in SHAPES.items():
            path = Path(directory) / "page.html"
            traffic = Traffic(*shape)
            writing = min(written(path, traffic) for _ in range(rounds))
            size = path.stat().st_size / 1e6
            bounds.append(Bound(f"page of {name}: size", size, at_most=20, unit=" MB"))
            row = [name, f"{writing * 1000:.0f}", f"{size:.1f}", "-", "-", "-"]
            if program is not None:
                opening, frames = opened(program, path, rounds)
                row[3:] = [f"{opening * 1000:.0f}", f"{median(frames):.1f}", f"{sorted(frames)[-6]:.1f}"]
                bounds.append(Bound(f"page of {name}: opening", opening, at_most=2, unit=" s"))
                bounds.append(Bound(f"page of {name}: a frame", median(frames), at_most=34, unit=" ms"))
            rows.append(row)
    return Result(
        "Page: an HTML page of 10,000 events",
        ["traffic", "write, ms", "MB", "open, ms", "frame, ms", "95 % of frames, ms"],
        rows,
        bounds,
        [] if program else ["chromium is not installed: nothing was opened"],
    )


def written(path: Path, traffic: Traffic) -> float:
    """Write the page; return the seconds that it took."""
    start = monotonic()
    write_page(path, "ten thousand events", [traffic])
    return monotonic() - start


def opened(program: str, path: Path, rounds: int) -> tuple[float, list[float]]:
    """Open the page in a browser that runs; return the seconds until it is drawn, and milliseconds of frames."""
    times: list[float] = []
    with on_all_cores(), Chromium(program) as browser:
        for _ in range(rounds):
            start = monotonic()
            tab = browser.open(path)
            tab.settle()
            times.append(monotonic() - start)
            frames = scrolled(tab)
            tab.close()
    return min(times), frames


@contextlib.contextmanager
def on_all_cores() -> Iterator[None]:
    """Let a browser, which has a process for each of its parts, have the cores that a reader's has."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    pinned = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        yield
    finally:
        os.sched_setaffinity(0, pinned)


def scrolled(tab: Tab) -> list[float]:
    """Return the milliseconds of each frame while it scrolls."""
    tab.run("state.zoom = UNITS.length - 1, show()")
    tab.settle()
    return list(tab.run(SCROLL))
