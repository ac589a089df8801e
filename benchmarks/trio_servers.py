"""The trio server, recorded, beside bare trio streams, unrecorded: one thread each."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.child import Child
from benchmarks.peers import references
from benchmarks.selecting import crowd
from benchmarks.table import Bound, Result
from benchmarks.traffic import best_rates, bulk, connections, round_trips

__all__ = ["run"]

MEASURES: tuple[tuple[str, Callable[[Child, int], float], int, float | None, str], ...] = (
    ("64 B round trips/s", round_trips, 2000, 0.8, ""),
    ("64 B round trips/s, 64 clients", crowd, 3200, 0.8, ""),
    ("bulk echo, MB/s", bulk, 64, 0.75, "0.63 to 0.81"),
    ("new connections/s", connections, 200, None, ""),
)
"""What, how, how often a round, the least ratio, and for a stretch what was measured."""


def run(*, is_quick: bool) -> Result:
    """Measure what there is to measure."""
    rounds = 4 if is_quick else 12
    rows, bounds = [], []
    for what, measure, count, at_least, measured in MEASURES:
        rates = best_rates(("trio", "bare trio"), measure, count, rounds, is_renewed=True)
        ratio = rates[0] / rates[1]
        if at_least is not None:
            bounds.append(Bound(f"trio, {what}", ratio, at_least=at_least, measured=measured))
        limit = bounds[-1].limit if at_least is not None else ""
        rows.append([what, *(f"{rate:,.0f}" for rate in rates), f"{ratio:.2f}x", limit])
    return Result(
        "Trio: a recorded TrioTCPServer beside trio.serve_tcp(), unrecorded",
        ["what", "windsock", "bare trio", *references(), "ratio", "bound"],
        rows,
        bounds,
        [f"best of {rounds} rounds; servers in processes of their own, the client in this one, all on one core"],
    )
