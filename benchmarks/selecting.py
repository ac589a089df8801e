"""The selecting server, recorded, beside asyncio and uvloop, unrecorded: one thread each."""

from __future__ import annotations

import contextlib
import select
from collections.abc import Callable
from time import perf_counter

from benchmarks.child import Child
from benchmarks.exchange import DEADLINE, MESSAGE
from benchmarks.peers import peer, references
from benchmarks.table import Bound, Result
from benchmarks.traffic import bulk, connect, connections, round_trips

__all__ = ["crowd", "run"]

CROWD = 64


def crowd(server: Child, count: int) -> float:
    """Return how many round trips a second 64 connections make, each with one message on its way at any time."""
    with contextlib.ExitStack() as stack:
        clients = {}
        epoll = stack.enter_context(select.epoll())
        for _ in range(CROWD):
            client = stack.enter_context(connect(server))
            clients[client.fileno()] = client
            epoll.register(client, select.EPOLLIN)
        left, pending = count, CROWD
        start = perf_counter()
        for client in clients.values():
            client.sendall(MESSAGE)
        while pending:
            for number, _ in epoll.poll(DEADLINE):
                client = clients[number]
                assert len(client.recv(4096)) == len(MESSAGE)
                left -= 1
                if left >= CROWD:
                    client.sendall(MESSAGE)
                else:
                    pending -= 1
        return count / (perf_counter() - start)


MEASURES: tuple[tuple[str, Callable[[Child, int], float], int, float | None, str], ...] = (
    ("64 B round trips/s", round_trips, 3000, 1.2, "1.02 to 1.09"),
    ("64 B round trips/s, 64 clients", crowd, 6400, 1.0, "0.85 to 0.89"),
    ("new connections/s", connections, 300, None, ""),
    ("bulk echo, MB/s", bulk, 64, None, ""),
)
"""What, how, how often a round, the least ratio to asyncio streams, and for a stretch what was measured."""


def run(*, is_quick: bool) -> Result:
    """Measure; the servers take turns in each round."""
    rounds = 3 if is_quick else 10
    names = ["selecting", "asyncio streams", "asyncio protocol", *references()]
    rows, bounds = [], []
    for what, measure, count, at_least, measured in MEASURES:
        best = best_of(names, measure, count, rounds)
        ratio = best["selecting"] / best["asyncio streams"]
        if at_least is not None:
            bounds.append(Bound(f"selecting, {what}", ratio, at_least=at_least, measured=measured))
        limit = bounds[-1].limit if at_least is not None else ""
        rows.append([what, *(f"{best[name]:,.0f}" for name in names), f"{ratio:.2f}x", limit])
    return Result(
        "Selecting: a recorded SelectingTCPServer beside unrecorded peers; the ratio is to asyncio streams",
        ["what", *names, "ratio", "bound"],
        rows,
        bounds,
        [f"best of {rounds} rounds; servers in processes of their own, the client in this one, all on one core"],
    )


def best_of(names: list[str], measure: Callable[[Child, int], float], count: int, rounds: int) -> dict[str, float]:
    """Measure each of the servers in each round; fresh ones, whose recordings are short."""
    best = dict.fromkeys(names, 0.0)
    with contextlib.ExitStack() as stack:
        servers = {name: stack.enter_context(peer(name)) for name in names}
        for server in servers.values():
            measure(server, count // 10)
        for _ in range(rounds):
            for name, server in servers.items():
                best[name] = max(best[name], measure(server, count))
    return best
