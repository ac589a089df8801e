"""What recording costs a running server: a recorded one beside the standard library's, unrecorded."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from time import perf_counter

from benchmarks.child import Child, child
from benchmarks.exchange import DEADLINE, MESSAGE, stream
from benchmarks.peers import peer, references
from benchmarks.table import Bound, Result

__all__ = ["best_rates", "run"]

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
    measured: str = ""
    """The range that was seen of a stretch."""
    is_renewed: bool = False
    """Whether each round has servers of its own, as each test has, in the two processes that went before."""


def best_rates(
    kinds: Sequence[str], run: Callable[[Child, int], float], count: int, rounds: int, *, is_renewed: bool
) -> list[float]:
    """Return the best rate of each kind of child, and of each reference; they take turns in each round.

    All are fresh processes: what was recorded for another measure is no burden.
    """
    with ExitStack() as stack:
        children = [stack.enter_context(child(kind)) for kind in kinds]
        servers = [*children, *(stack.enter_context(peer(name)) for name in references())]
        for server in servers:
            run(server, max(1, count // 10))
        best = [0.0] * len(servers)
        for _ in range(rounds):
            for n, server in enumerate(servers):
                one = server.renewed() if is_renewed and n < len(children) else server
                best[n] = max(best[n], run(one, count))
    return best


MEASURES = (
    Measure("64 B round trips/s", round_trips, 3000, 0.85, measured="0.78 to 0.89"),
    Measure("bulk echo, MB/s", bulk, 64, 0.75, measured="0.60 to 0.74", is_renewed=True),
    Measure("the same, 256 MiB in one stream", bulk, 1024, None, is_renewed=True),
    Measure("new connections/s", connections, 300, 0.9),
)


def run(*, is_quick: bool) -> Result:
    """Measure; the two servers take turns in each round."""
    rounds = 4 if is_quick else 12
    rows, bounds = [], []
    for measure in MEASURES:
        rates = best_rates(
            ("windsock", "stock"),
            measure.run,
            measure.count,
            rounds if measure.at_least else rounds // 4,
            is_renewed=measure.is_renewed,
        )
        ratio = rates[0] / rates[1]
        limit = ""
        if measure.at_least is not None:
            what = f"traffic, {measure.what}"
            bounds.append(Bound(what, ratio, at_least=measure.at_least, measured=measure.measured))
            limit = bounds[-1].limit
        rows.append([measure.what, *(f"{rate:,.0f}" for rate in rates), f"{ratio:.2f}x", limit])
    return Result(
        "Traffic: a recorded ThreadingTCPServer beside the standard library's, unrecorded",
        ["what", "windsock", "stock", *references(), "ratio", "bound"],
        rows,
        bounds,
        [
            f"best of {rounds} rounds; servers in processes of their own, the client in this one, all on one core",
            "bulk: 16 MiB a round, to a fresh server in the same process each time, as in a session of many tests;",
            "256 MiB are more than is kept in memory: they go to a file",
        ],
    )
