"""What recording costs a running server: a recorded one beside the standard library's, unrecorded."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
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


MEASURES: tuple[tuple[str, Callable[[Child, int], float], int, float], ...] = (
    ("64 B round trips/s", round_trips, 3000, 0.8),
    ("bulk echo, MB/s", bulk, 64, 0.8),
    ("new connections/s", connections, 300, 0.9),
)
"""What, how, how often a round, and the least ratio."""


def run(*, is_quick: bool) -> Result:
    """Measure; the two servers take turns in each round."""
    rounds = 4 if is_quick else 12
    best: dict[tuple[str, str], float] = {}
    for what, measure, count, _ in MEASURES:
        # Fresh servers for each measure: what one has recorded is no burden on the next.
        with child("windsock") as ours, child("stock") as stock:
            for server in (ours, stock):
                measure(server, count // 10)
            for _ in range(rounds):
                for name, server in (("windsock", ours), ("stock", stock)):
                    best[what, name] = max(best.get((what, name), 0), measure(server, count))
    rows, bounds = [], []
    for what, _, _, at_least in MEASURES:
        ours_best, stock_best = best[what, "windsock"], best[what, "stock"]
        bounds.append(Bound(f"traffic, {what}", ours_best / stock_best, at_least=at_least))
        ratio = f"{ours_best / stock_best:.2f}x"
        rows.append([what, f"{ours_best:,.0f}", f"{stock_best:,.0f}", ratio, bounds[-1].limit])
    return Result(
        "Traffic: a recorded ThreadingTCPServer beside the standard library's, unrecorded",
        ["what", "windsock", "stock", "ratio", "bound"],
        rows,
        bounds,
        [f"best of {rounds} rounds; servers in processes of their own, the client in this one, all on one core"],
    )
