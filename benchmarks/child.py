"""A server in a process of its own, for the length of a `with`: what a client costs is then the same for all.

In one process, server and client would share the interpreter's lock, and what is measured would be how they
hand it to each other.
"""

from __future__ import annotations

import json
import socketserver
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import windsock
from benchmarks.handlers import Echo, Sink, StockEcho

__all__ = ["Child", "child"]

ROOT = Path(__file__).parent.parent
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Child:
    """A running server: where it is, and a line to it."""

    address: tuple[str, int]
    questions: IO[str]
    answers: IO[str]

    def report(self) -> dict[str, Any]:
        """Ask what it has recorded, and how much memory that has taken."""
        self.questions.write("report\n")
        self.questions.flush()
        report: dict[str, Any] = json.loads(self.answers.readline())
        return report


@contextmanager
def child(kind: str) -> Iterator[Child]:
    """Run "stock", "windsock" or "sink"."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.child", kind],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        try:
            host, port = json.loads(process.stdout.readline())
            yield Child((host, port), process.stdin, process.stdout)
        finally:
            process.stdin.close()
            try:
                process.wait(10)
            finally:
                process.kill()


def serve(kind: str) -> None:
    """Be the child: serve until nobody is at the other end of stdin."""
    if kind == "stock":
        import threading

        with socketserver.ThreadingTCPServer(("127.0.0.1", 0), StockEcho) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            say(server.server_address)
            sys.stdin.read()
            server.shutdown()
        return
    with windsock.serving(Sink if kind == "sink" else Echo, concurrency="threading") as recorded:
        say(recorded.address)
        for _ in sys.stdin:
            size = sum(len(chunk.data) for each in recorded.connections for chunk in each.chunks)
            say({"recorded_mib": size / MIB, "peak_mib": peak_mib()})


def say(what: Any) -> None:
    """Tell the parent."""
    print(json.dumps(what), flush=True)


def peak_mib() -> float:
    """Return the most memory that this process has had, in MiB: VmHWM, as proc(5) has it."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        import resource

        scale = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / MIB
    line = next(each for each in status.splitlines() if each.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    serve(sys.argv[1])
