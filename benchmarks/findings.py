"""What the conclusions about a failed test cost, where a server had many connections."""

from __future__ import annotations

import socket
from time import process_time

import windsock
from benchmarks.table import Bound, Result
from windsock.findings import findings_for

__all__ = ["run"]

CONNECTIONS = 1000
AT_MOST = 50.0
"""Milliseconds of the processor, the quickest of a few rounds."""


def run(*, is_quick: bool) -> Result:
    """Measure it with connections that have ended, and with as many whose handlers still wait."""
    rounds = 3 if is_quick else 9
    figures = {"have ended": _ended(rounds), "are open": _open(rounds)}
    bounds = [
        Bound(f"findings, {CONNECTIONS:,} connections that {what}", figure, at_most=AT_MOST, unit=" ms")
        for what, figure in figures.items()
    ]
    return Result(
        "Findings: conclusions about a failed test, milliseconds of the processor",
        ["connections", "ms", "bound"],
        [
            [f"{CONNECTIONS:,} that {what}", f"{figure:.0f}", bound.limit]
            for (what, figure), bound in zip(figures.items(), bounds, strict=True)
        ],
        bounds,
    )


def _ended(rounds: int) -> float:
    with windsock.serving() as server:
        server.echo()
        for _ in range(CONNECTIONS):
            _talk(server).close()
        server.connections.wait(CONNECTIONS)
        return _milliseconds(server, rounds)


def _open(rounds: int) -> float:
    with windsock.serving(concurrency="selecting") as server:
        server.echo()
        clients = [_talk(server) for _ in range(CONNECTIONS)]
        try:
            return _milliseconds(server, rounds)
        finally:
            for each in clients:
                each.close()


def _talk(server: windsock.RunningServer) -> socket.socket:
    """Return a client that has had one reply."""
    client = socket.create_connection(server.address, timeout=5)
    client.sendall(b"PING\n")
    client.recv(100)
    return client


def _milliseconds(server: windsock.RunningServer, rounds: int) -> float:
    error = AssertionError("assert b'PONG' == b'PING'")
    took = []
    for _ in range(rounds + 1):
        begun = process_time()
        findings_for([server], error)
        took.append(process_time() - begun)
    return min(took[1:]) * 1000  # the first one imports
