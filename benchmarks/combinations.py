"""What one server of each combination costs: started, asked once, stopped."""

from __future__ import annotations

from time import perf_counter

import windsock
from benchmarks.table import Bound, Result
from windsock.harness import CONCURRENCIES, TRANSPORTS, ThreadPool
from windsock.testing import client_of

__all__ = ["run"]

MESSAGE = b"x" * 64


def once(thread_pool: ThreadPool, transport: str, concurrency: str, tls: bool) -> float:
    """Return the milliseconds from the start of a server to its end, with one exchange of 64 bytes."""
    start = perf_counter()
    with windsock.serving(transport=transport, concurrency=concurrency, tls=tls, _thread_pool=thread_pool) as server:
        server.echo()
        with client_of(server) as client:
            client.sendall(MESSAGE)
            assert client.recv(4096) == MESSAGE
    return (perf_counter() - start) * 1000


def run(*, is_quick: bool) -> Result:
    """Measure; the combinations take turns in each round."""
    rounds = 5 if is_quick else 40
    kinds = [
        (transport, concurrency, tls)
        for transport in TRANSPORTS
        for concurrency in CONCURRENCIES
        for tls in ((False, True) if transport in ("tcp", "unix_stream") else (False,))
    ]
    took: dict[tuple[str, str, bool], list[float]] = {kind: [] for kind in kinds}
    thread_pool = ThreadPool(most=2)
    try:
        for _ in range(rounds):
            for kind in kinds:
                took[kind].append(once(thread_pool, *kind))
    finally:
        thread_pool.close()
    median = {kind: sorted(times)[len(times) // 2] for kind, times in took.items()}
    rows = []
    for concurrency in CONCURRENCIES:
        cells = [median.get((transport, concurrency, tls)) for transport in TRANSPORTS for tls in (False, True)]
        rows.append([concurrency, *(f"{cell:.2f}" for cell in cells if cell is not None)])
    slowest = max((cost, kind) for kind, cost in median.items() if kind[1] != "forking")
    named = "-".join([*slowest[1][:2], *(["tls"] if slowest[1][2] else [])])
    bounds = [Bound(f"milliseconds of the slowest without a fork ({named})", slowest[0], at_most=5.0, unit=" ms")]
    headings = ["concurrency", "tcp", "tcp tls", "udp", "unix", "unix tls", "unix datagram", "unix seqpacket"]
    notes = [f"median of {rounds} rounds, the client's own part (with TLS its handshake and its context) included"]
    return Result("Every combination: milliseconds to start, serve 64 B once, and stop", headings, rows, bounds, notes)
