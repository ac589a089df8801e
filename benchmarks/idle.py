"""What it costs to hold ten thousand idle connections: a recorded selecting server beside its peers."""

from __future__ import annotations

import contextlib
import importlib.util
import resource
import socket

from benchmarks.child import Child
from benchmarks.exchange import DEADLINE
from benchmarks.peers import peer
from benchmarks.table import Bound, Result

__all__ = ["run"]

NAMES = ["selecting", "selecting, files", "threading", "asyncio streams"]


def run(*, is_quick: bool) -> Result:
    """Connect, and compare the memory that is resident before and after."""
    count = 2_000 if is_quick else 10_000
    allow_descriptors(count + 100)
    names = [*NAMES]
    if importlib.util.find_spec("trio") is not None:
        names.append("trio streams")
    found = {name: kib_each(name, count) for name in names}
    bound = Bound(
        "selecting, memory of an idle connection",
        found["selecting"],
        at_most=8,
        unit=" KiB",
        measured="9.5",
    )
    rows = [[name, f"{kib:.1f}", bound.limit if name == "selecting" else ""] for name, kib in found.items()]
    return Result(
        f"Idle: {count:,} connections, resident KiB each",
        ["server", "KiB", "bound"],
        rows,
        [bound],
        [
            "servers in processes of their own, the clients' ends in this one",
            "selecting and threading are recorded; with files: a StreamRequestHandler",
        ],
    )


def kib_each(name: str, count: int) -> float:
    """Return how much memory one more connection takes."""
    with contextlib.ExitStack() as clients, peer(name) as server:  # the servers end first, in silence
        for _ in range(50):  # what the first ones bring with them is not counted
            clients.enter_context(connect(server))
        ask(server)
        before = server.report()["kib"]
        for _ in range(count):
            clients.enter_context(connect(server))
        ask(server)
        return (float(server.report()["kib"]) - float(before)) / count


def connect(server: Child) -> socket.socket:
    """Return a client that says nothing."""
    return socket.create_connection(server.address, DEADLINE)


def ask(server: Child) -> None:
    """Get an answer: all who connected before have been accepted, too."""
    with socket.create_connection(server.address, 60) as last:
        last.sendall(b"x\n")
        assert last.recv(2) == b"x\n"


def allow_descriptors(count: int) -> None:
    """Raise the limit of open files of this process, and of those it starts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(count, hard) if hard == -1 else min(hard, 2 * count), hard))
