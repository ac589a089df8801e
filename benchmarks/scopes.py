"""What a test on a server of session scope costs: beside one that starts and stops a server of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.fixture_cost import EMPTY, Case, Runner, client_for, windsock
from benchmarks.table import Bound, Result

__all__ = ["run"]

KINDS = ("threading_tcp", "sync_tcp", "threading_udp", "threading_unix_stream")
AT_MOST = 1.0


def scoped(kind: str) -> Case:
    """Return the tests of `windsock(kind)` on one server for all of them."""
    concurrency, _, transport = kind.partition("_")
    handler = "OnceDatagram" if transport == "udp" else "Once"
    head = (
        "import pytest_windsock\n"
        f"from benchmarks.handlers import {handler}\n"
        f"from benchmarks.exchange import {client_for(kind)} as exchange\n"
        f'@pytest_windsock.fixture(scope="session", transport="{transport}", concurrency="{concurrency}", '
        f"handler={handler})\n"
        "def scoped(server): pass"
    )
    return Case(f"scoped_{kind}", head, "def test_{n}(scoped): exchange(scoped.address)", "windsock")


def run(*, is_quick: bool) -> Result:
    """Measure; the rounds of both take turns."""
    rounds = 3 if is_quick else 7
    rows, bounds = [], []
    with tempfile.TemporaryDirectory() as name:
        runner = Runner(Path(name), 100 if is_quick else 300, 1)
        (runner.directory / "pytest.ini").write_text("[pytest]\n")
        empty = min(runner.seconds(EMPTY) for _ in range(rounds))
        for kind in KINDS:
            pairs = [(runner.seconds(scoped(kind)), runner.seconds(windsock(kind))) for _ in range(rounds)]
            wide, own = (min(each) - empty for each in zip(*pairs, strict=True))
            bound = Bound(f"a test on a server of session scope, {kind}", wide / own, at_most=AT_MOST)
            bounds.append(bound)
            rows.append([kind, f"{wide * 1e6:,.0f}", f"{own * 1e6:,.0f}", f"{bound.figure:.2f}x", bound.limit])
    return Result(
        "A server of session scope: microseconds per test over an empty one",
        ["server", "session", "function", "ratio", "bound"],
        rows,
        bounds,
        [f"best of {rounds} rounds that take turns; a test does one 64 B request; an empty one: {empty * 1e6:,.0f} us"],
    )
