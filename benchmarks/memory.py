"""What recording keeps in memory: a gigabyte through a recorded server, and its recording read back."""

from __future__ import annotations

import socket
from time import perf_counter

from benchmarks.child import MIB, child
from benchmarks.table import Bound, Result

__all__ = ["run"]

AT_MOST = 128.0
"""MiB of resident memory at the most."""
BLOCK = bytes(MIB)
DEADLINE = 60.0
"""Seconds that the server may take for the last of it."""


def run(*, is_quick: bool) -> Result:
    """Send it, then have it read back."""
    count = 256 if is_quick else 1024
    with child("sink") as server:
        idle = server.report()["peak_mib"]
        with socket.create_connection(server.address, DEADLINE) as client:
            start = perf_counter()
            for _ in range(count):
                client.sendall(BLOCK)
            client.shutdown(socket.SHUT_WR)
            answer = client.recv(100)
            seconds = perf_counter() - start
        assert int(answer) == count * MIB, answer
        start = perf_counter()
        report = server.report()
        reading = perf_counter() - start
    assert report["recorded_mib"] >= count, report
    bound = Bound(f"memory, {count} MiB recorded", report["peak_mib"], at_most=AT_MOST, unit=" MiB")
    return Result(
        f"Memory: a stream of {count} MiB through a recorded threading server",
        ["what", "figure", "bound"],
        [
            ["peak resident memory, MiB", f"{report['peak_mib']:.0f}", bound.limit],
            ["the same before the stream, MiB", f"{idle:.0f}", ""],
            ["taken and recorded, MiB/s", f"{count / seconds:,.0f}", ""],
            ["read back, MiB/s", f"{count / reading:,.0f}", ""],
        ],
        [bound],
    )
