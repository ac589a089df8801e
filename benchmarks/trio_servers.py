"""The trio server, recorded, beside bare trio streams, unrecorded: one thread each."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.child import Child, child
from benchmarks.selecting import crowd
from benchmarks.table import Bound, Result
from benchmarks.traffic import bulk, connections, round_trips

__all__ = ["run"]

MEASURES: tuple[tuple[str, Callable[[Child, int], float], int, float | None], ...] = (
    ("64 B round trips/s", round_trips, 2000, 0.8),
    ("64 B round trips/s, 64 clients", crowd, 3200, 0.8),
    ("bulk echo, MB/s", bulk, 64, 0.8),
    ("new connections/s", connections, 200, None),
)
"""What, how, how often a round, and the least ratio."""


def run(*, is_quick: bool) -> Result:
    """Measure what there is to measure."""
    rounds = 4 if is_quick else 12
    rows, bounds = [], []
    for what, measure, count, at_least in MEASURES:
        ours, bare = best_of(measure, count, rounds)
        if at_least is not None:
            bounds.append(Bound(f"trio, {what}", ours / bare, at_least=at_least))
        limit = bounds[-1].limit if at_least is not None else ""
        rows.append([what, f"{ours:,.0f}", f"{bare:,.0f}", f"{ours / bare:.2f}x", limit])
    return Result(
        "Trio: a recorded TrioTCPServer beside trio.serve_tcp(), unrecorded",
        ["what", "windsock", "bare trio", "ratio", "bound"],
        rows,
        bounds,
        [f"best of {rounds} rounds; servers in processes of their own, the client in this one, all on one core"],
    )


def best_of(measure: Callable[[Child, int], float], count: int, rounds: int) -> tuple[float, float]:
    """Return the best of windsock's and of bare trio's rounds.

    They take turns; each round has servers of its own, as each test has, in the same two processes.
    """
    rates: tuple[list[float], list[float]] = [], []
    with child("trio") as ours, child("bare trio") as bare:
        for server in (ours, bare):
            measure(server, count // 10)
        for _ in range(rounds):
            for server, found in zip((ours, bare), rates, strict=True):
                found.append(measure(server.renewed(), count))
    return max(rates[0]), max(rates[1])
