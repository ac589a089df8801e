"""What recording costs a running server: a recorded one beside the standard library's, unrecorded."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

from benchmarks.child import Child, child
from benchmarks.exchange import DEADLINE, MESSAGE, stream
from benchmarks.table import Bound, Result

__all__ = ["run"]

MB = 1e6
BLOCK = bytes(range(256)) * 1024
"""256 KiB."""


def connect(server: Child) -> socket.socket:
    """Return a client that never waits for an acknowledgement before it sends a small rest."""
    client = socket.create_connection(server.address, DEADLINE)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def round_trips(server: Child, count: int) -> float:
    """Return how many times a second 64 bytes go there and back on one connection."""
    with connect(server) as client:
        start = perf_counter()
        for _ in range(count):
            client.sendall(MESSAGE)
            assert len(client.recv(4096)) == len(MESSAGE)
        return count / (perf_counter() - start)


def bulk(server: Child, count: int) -> float:
    """Return how many megabytes a second come back while more is sent, both ways at full speed."""
    total = count * len(BLOCK)
    sent = received = 0
    buffer = bytearray(len(BLOCK))
    with connect(server) as client, memoryview(BLOCK) as block:
        client.setblocking(False)
        poll = select.poll()
        poll.register(client, select.POLLIN | select.POLLOUT)
        start = perf_counter()
        while received < total:
            ((_, ready),) = poll.poll(DEADLINE * 1000) or [(0, 0)]
            assert ready & (select.POLLIN | select.POLLOUT), f"nothing came for {DEADLINE} s"
            if ready & select.POLLIN:
                received += client.recv_into(buffer)
            if ready & select.POLLOUT and sent < total:
                sent += client.send(block[sent % len(BLOCK) :])
                if sent == total:
                    poll.modify(client, select.POLLIN)
        return total / MB / (perf_counter() - start)


def connections(server: Child, count: int) -> float:
    """Return how many clients a second can connect, send 64 bytes, get them back and leave."""
    start = perf_counter()
    for _ in range(count):
        stream(server.address)
    return count / (perf_counter() - start)


@dataclass(frozen=True, slots=True)
class Measure:
    """What to measure, how, how often a round, and the least ratio (None: for information)."""

    what: str
    run: Callable[[Child, int], float]
    count: int
    at_least: float | None
    is_renewed: bool = False
    """Whether each round has servers of its own, as each test has, in the two processes that went before."""

    def best_rates(self, rounds: int) -> tuple[float, float]:
        """Return the best of windsock's and of the stock server's rounds; the two take turns."""
        rates: tuple[list[float], list[float]] = [], []
        # Fresh processes for each measure: what one has recorded is no burden on the next.
        with child("windsock") as ours, child("stock") as stock:
            for server in (ours, stock):
                self.run(server, max(1, self.count // 10))
            for _ in range(rounds):
                for server, found in zip((ours, stock), rates, strict=True):
                    found.append(self.run(server.renewed() if self.is_renewed else server, self.count))
        return max(rates[0]), max(rates[1])


MEASURES = (
    Measure("64 B round trips/s", round_trips, 3000, 0.8),
    Measure("bulk echo, MB/s", bulk, 64, 0.8, is_renewed=True),
    Measure("the same, 256 MiB in one stream", bulk, 1024, None, is_renewed=True),
    Measure("new connections/s", connections, 300, 0.9),
)


def run(*, is_quick: bool) -> Result:
    """Measure; the two servers take turns in each round."""
    rounds = 4 if is_quick else 12
    rows, bounds = [], []
    for measure in MEASURES:
        ours, stock = measure.best_rates(rounds if measure.at_least else rounds // 4)
        limit = ""
        if measure.at_least is not None:
            bounds.append(Bound(f"traffic, {measure.what}", ours / stock, at_least=measure.at_least))
            limit = bounds[-1].limit
        rows.append([measure.what, f"{ours:,.0f}", f"{stock:,.0f}", f"{ours / stock:.2f}x", limit])
    return Result(
        "Traffic: a recorded ThreadingTCPServer beside the standard library's, unrecorded",
        ["what", "windsock", "stock", "ratio", "bound"],
        rows,
        bounds,
        [
            f"best of {rounds} rounds; servers in processes of their own, the client in this one, all on one core",
            "bulk: 16 MiB a round, to a fresh server in the same process each time, as in a session of many tests;",
            "256 MiB are more than is kept in memory: they go to a file",
        ],
    )
