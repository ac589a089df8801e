"""Scripted clients beside bare sockets that do the same: one client, and a thousand at once."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable
from time import perf_counter

import windsock
from benchmarks.child import Child
from benchmarks.exchange import MESSAGE
from benchmarks.peers import peer
from benchmarks.table import Bound, Result
from windsock import Script
from windsock.clients.connect_options import ConnectOptions
from windsock.clients.connector import connector_to
from windsock.clients.crowd import crowd

__all__ = ["run"]

CROWD = 1000
ONE = "stock threads"
"""For one client: a blocking recv() and send() in a thread, the least that a round trip takes."""
MANY = "asyncio protocol"
"""For many: one thread."""
EXCHANGE = Script().send(MESSAGE).expect(MESSAGE)
AT_MOST = 2.0


def bare(server: Child, count: int) -> float:
    """Return the seconds that round trips take with two calls of a blocking socket each."""
    with socket.create_connection(server.address) as client:
        client.setblocking(True)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        start = perf_counter()
        for _ in range(count):
            client.sendall(MESSAGE)
            client.recv(4096)
        return perf_counter() - start


def stepwise(server: Child, count: int) -> float:
    """Return the seconds that they take with two steps of a scripted client each."""
    with windsock.scripted_client(server.address) as client:
        start = perf_counter()
        for _ in range(count):
            client.send(MESSAGE).expect(MESSAGE)
        return perf_counter() - start


def played(server: Child, count: int) -> float:
    """Return the seconds that they take as one script."""
    with windsock.scripted_client(server.address) as client:
        script = Script().loop(EXCHANGE, times=count)
        start = perf_counter()
        client.play(script)
        return perf_counter() - start


def bare_crowd(server: Child, rounds: int) -> float:
    """Return the seconds that a crowd takes, from the first connection to the last end, in a loop of its own."""
    start = perf_counter()
    with selectors.DefaultSelector() as selector:
        for _ in range(CROWD):
            client = socket.create_connection(server.address)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.setblocking(False)
            client.send(MESSAGE)
            selector.register(client, selectors.EVENT_READ, [rounds, b"", client])
        left = CROWD
        while left:
            for key, _ in selector.select(5):
                state = key.data
                client = state[2]
                state[1] += client.recv(4096)
                if len(state[1]) < len(MESSAGE):
                    continue
                assert state[1] == MESSAGE
                state[0] -= 1
                state[1] = b""
                if state[0]:
                    client.send(MESSAGE)
                else:
                    selector.unregister(client)
                    client.close()
                    left -= 1
    return perf_counter() - start


def scripted_crowd(server: Child, rounds: int) -> float:
    """Return the seconds that it takes as a script."""
    line = connector_to(server.address, ConnectOptions())
    script = EXCHANGE if rounds == 1 else Script().loop(EXCHANGE, times=rounds)
    return crowd(line, CROWD, script).seconds


Measured = Callable[[Child, int], float]
MEASURES: tuple[tuple[str, str, Measured, Measured, int, int, bool], ...] = (
    ("round trip, send() and expect()", ONE, bare, stepwise, 3000, 3000, True),
    ("round trip, in one script", ONE, bare, played, 3000, 3000, False),
    (f"crowd of {CROWD}, a round trip each", MANY, bare_crowd, scripted_crowd, 1, CROWD, True),
    (f"crowd of {CROWD}, ten round trips each", MANY, bare_crowd, scripted_crowd, 10, CROWD * 10, True),
)
"""What, beside which server, bare, scripted, how often a round, how many round trips that makes, whether bounded."""


def run(*, is_quick: bool) -> Result:
    """Measure; bare and scripted take turns."""
    rounds = 3 if is_quick else 10
    rows, bounds = [], []
    for what, kind, alone, scripted, count, trips, is_bounded in MEASURES:
        with peer(kind) as server:
            best = [float("inf"), float("inf")]
            for _ in range(rounds):
                best = [min(best[0], alone(server, count)), min(best[1], scripted(server, count))]
        ratio = best[1] / best[0]
        if is_bounded:
            bounds.append(Bound(f"scripted client, {what}", ratio, at_most=AT_MOST))
        limit = bounds[-1].limit if is_bounded else ""
        micro = [f"{each / trips * 1e6:.1f}" for each in best]
        rows.append([what, *micro, f"{ratio:.2f}x", limit])
    return Result(
        "Scripts: scripted clients beside bare sockets that do the same, microseconds a round trip of 64 B",
        ["what", "bare", "scripted", "ratio", "bound"],
        rows,
        bounds,
        [f"best of {rounds} rounds; servers in processes of their own, the client in this one, all on one core"],
    )
