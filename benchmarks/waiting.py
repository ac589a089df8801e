"""How long fifty clients of a selecting server wait while one dribbles and one does not read."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Iterator
from statistics import quantiles
from time import perf_counter

from benchmarks.child import Child
from benchmarks.exchange import DEADLINE, MESSAGE
from benchmarks.peers import MUCH, peer
from benchmarks.table import Bound, Result
from benchmarks.traffic import connect

__all__ = ["run"]

CLIENTS = 50
DRIBBLE = 0.01
"""Seconds between two bytes of the slow client."""
AT_MOST = 20.0
"""Milliseconds that 99 of 100 round trips take at the most."""


def run(*, is_quick: bool) -> Result:
    """Measure each round trip, with and without the two bad clients."""
    count = 5_000 if is_quick else 50_000
    with peer("selecting, generous") as server:
        alone = waits(server, count)
        with bad_clients(server) as slow:
            beside = waits(server, count, slow)
    rows, bounds = [], []
    for what, found in (("alone", alone), ("beside the two", beside)):
        cuts = quantiles(found, n=100)
        bounds = [Bound("selecting, p99 beside bad clients", cuts[98] * 1000, at_most=AT_MOST, unit=" ms")]
        rows.append([what, *(f"{cuts[n] * 1000:.2f}" for n in (49, 98)), f"{max(found) * 1000:.2f}", ""])
    rows[-1][-1] = bounds[0].limit
    return Result(
        f"Waiting: 64 B round trips of {CLIENTS} clients at once, milliseconds",
        ["clients", "median", "p99", "longest", "p99's bound"],
        rows,
        bounds,
        ["the two: one sends a byte every 10 ms, one has asked for 10 MB and never reads"],
    )


@contextlib.contextmanager
def bad_clients(server: Child) -> Iterator[socket.socket]:
    """Give the client that dribbles, for the length of a `with`; the other one is there as well."""
    with connect(server) as slow, socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(server.address)
        deaf.sendall(MUCH)
        yield slow


def waits(server: Child, count: int, slow: socket.socket | None = None) -> list[float]:
    """Return how long each of so many round trips took, in seconds."""
    found: list[float] = []
    sent: dict[int, float] = {}
    dribbled = 0.0
    with contextlib.ExitStack() as stack, select.epoll() as epoll:
        clients = {}
        for _ in range(CLIENTS):
            client = stack.enter_context(connect(server))
            clients[client.fileno()] = client
            epoll.register(client, select.EPOLLIN)
        for number, client in clients.items():
            sent[number] = perf_counter()
            client.sendall(MESSAGE)
        while len(found) < count:
            for number, _ in epoll.poll(DEADLINE):
                client = clients[number]
                assert len(client.recv(4096)) == len(MESSAGE)
                now = perf_counter()
                found.append(now - sent[number])
                if slow is not None and now - dribbled > DRIBBLE:
                    slow.sendall(b".")
                    dribbled = now
                sent[number] = perf_counter()
                client.sendall(MESSAGE)
    return found
