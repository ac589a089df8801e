"""What a passing test pays for the watch over hangs, the verdict and the reports: beside fixtures without them."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

from benchmarks.fixture_cost import EMPTY, Runner, windsock
from benchmarks.table import Bound, Result

__all__ = ["run"]

KINDS = ("threading_tcp", "threading_udp")
AT_MOST = 1.02
BARE = ("-p", "benchmarks.bare_plugin", "-o", "windsock_hang_timeout=0")
HOOKS = ("-p", "benchmarks.hooks_plugin", "-o", "windsock_hang_timeout=0")


def run(*, is_quick: bool) -> Result:
    """Measure; the rounds take turns, and each kind of tests is timed with and without in the same round."""
    rounds = 3 if is_quick else 9
    rows, bounds = [], []
    with tempfile.TemporaryDirectory() as name:
        runner = Runner(Path(name), 100 if is_quick else 300, 1)
        (runner.directory / "pytest.ini").write_text("[pytest]\n")
        cases = {"no server": dataclasses.replace(EMPTY, plugin="windsock"), **{kind: windsock(kind) for kind in KINDS}}
        for kind, case in cases.items():
            bare = dataclasses.replace(case, name=f"bare_{case.name}", plugin="", options=BARE)
            hooks = dataclasses.replace(bare, name=f"hooks_{case.name}", options=HOOKS)
            turns = [[runner.seconds(each) for each in (case, bare, hooks)] for _ in range(rounds)]
            with_it, without, floor = (min(each) for each in zip(*turns, strict=True))
            bound = Bound(f"watch and verdict, {kind}", with_it / without, at_most=AT_MOST)
            bounds.append(bound)
            rows.append(
                [
                    kind,
                    f"{with_it * 1e6:,.0f}",
                    f"{without * 1e6:,.0f}",
                    f"{bound.figure:.3f}x",
                    bound.limit,
                    f"{floor / without:.3f}x",
                ]
            )
    return Result(
        "The watch over hangs, the verdict and the reports: microseconds per passing test",
        ["server", "with", "without", "ratio", "bound", "empty hooks"],
        rows,
        bounds,
        [
            f"best of {rounds} rounds that take turns; a test starts a server, does one 64 B request, and stops it",
            "the last column: without it, but with hooks around each phase that do nothing",
        ],
    )
