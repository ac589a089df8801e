"""What files about a test cost: a transcript of many events, and a capture of a gigabyte."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from benchmarks.child import MIB
from benchmarks.table import Bound, Result
from windsock.captures import CaptureSubject, write_capture, write_events, write_transcript
from windsock.recording import Recorder, transcript
from windsock.recording.events import Kind

__all__ = ["run"]

ROOT = Path(__file__).parent.parent
EVENTS = 10_000
TRANSCRIPT_AT_MOST = 100.0
"""Milliseconds for a transcript of that many events, the quickest of a few."""
MEMORY_AT_MOST = 128.0
"""MiB that a capture may add to the process's peak of memory."""
PIECE = bytes(range(256)) * 1024
ADDRESS = ("127.0.0.1", 8000)


def run(*, is_quick: bool) -> Result:
    """Measure it in a process of its own, whose memory is its own too."""
    size = 128 if is_quick else 1024
    command = [sys.executable, "-m", "benchmarks.captures", str(size), "2" if is_quick else "7"]
    figures = json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)
    bounds = [
        Bound(f"transcript of {EVENTS:,} events", figures["bounded"], at_most=TRANSCRIPT_AT_MOST, unit=" ms"),
        Bound(f"transcript.txt of {EVENTS:,} events", figures["text"], at_most=TRANSCRIPT_AT_MOST, unit=" ms"),
        Bound(f"memory, capture of {size} MiB", figures["grown"], at_most=MEMORY_AT_MOST, unit=" MiB"),
    ]
    return Result(
        "Captures: files about a test",
        ["what", "figure", "bound"],
        [
            [f"transcript of {EVENTS:,} events, in a report, ms", f"{figures['bounded']:.0f}", bounds[0].limit],
            ["all of it in transcript.txt, ms", f"{figures['text']:.0f}", bounds[1].limit],
            ["events.jsonl, ms", f"{figures['json']:.0f}", ""],
            ["traffic.pcapng, ms", f"{figures['capture']:.0f}", ""],
            [f"capture of {size} MiB, memory, MiB", f"{figures['grown']:.0f}", bounds[2].limit],
            [f"capture of {size} MiB, MiB/s", f"{figures['rate']:,.0f}", ""],
        ],
        bounds,
    )


def peak() -> float:
    """Return the most memory that this process has had, in MiB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1024 if sys.platform == "linux" else most / MIB


def events_recorded() -> Recorder:
    """Return a recording of small messages, both ways, on a few connections."""
    recorder = Recorder()
    connections = [recorder.open(("127.0.0.1", 50_000 + each)) for each in range(10)]
    for number in range(EVENTS):
        kind = Kind.DOWN if number % 2 else Kind.UP
        connections[number // 2 % 10].note(kind, b"GET /index.html HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return recorder


def stream_recorded(size: int) -> Recorder:
    """Return a recording of a stream of that many MiB, both ways in turn."""
    recorder = Recorder()
    connection = recorder.open(("127.0.0.1", 50_000))
    for number in range(size * MIB // len(PIECE)):
        connection.note(Kind.DOWN if number % 2 else Kind.UP, PIECE)
    return recorder


def measure(size: int, rounds: int) -> dict[str, float]:
    """Return all figures: times in milliseconds, sizes in MiB."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "file")
        recorder = events_recorded()
        subjects = [CaptureSubject("server", ADDRESS, recorder.connections)]
        for name, write in {
            "bounded": lambda: transcript(recorder),
            "text": lambda: write_transcript(path, subjects),
            "json": lambda: write_events(path, subjects),
            "capture": lambda: write_capture(path, subjects),
        }.items():
            figures[name] = min(seconds(write) for _ in range(rounds)) * 1000
        recorder = stream_recorded(size)
        subjects = [CaptureSubject("server", ADDRESS, recorder.connections)]
        before = peak()
        figures["rate"] = size / seconds(lambda: write_capture(path, subjects))
        figures["grown"] = peak() - before
        assert os.path.getsize(path) > size * MIB
    return figures


def seconds(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = perf_counter()
    call()
    return perf_counter() - start


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]))))
