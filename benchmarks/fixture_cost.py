"""What a fixture costs a test: start a server, serve one 64 B request, stop it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks import stopwatch
from benchmarks.table import Bound, Result

__all__ = ["run"]

ROOT = Path(__file__).parent.parent
KINDS = ("sync_tcp", "threading_tcp", "sync_udp", "threading_udp", "sync_unix_stream", "threading_unix_stream")
AT_MOST = 1.2
MEASURED = {"sync_udp": "1.27 to 1.35"}
"""What was measured of those for which it is a stretch."""
DEADLINE = 120
"""Seconds that one run of pytest may take."""


@dataclass(frozen=True)
class Case:
    """A test module of one kind of tests. `plugin` is the one it needs beside pytest, `options` are pytest's."""

    name: str
    head: str
    test: str
    plugin: str = ""
    options: tuple[str, ...] = ()
    is_slow: bool = False


EMPTY = Case("empty", "", "def test_{n}(): pass")


def windsock(kind: str) -> Case:
    """Return the tests with one of windsock's fixtures."""
    handler = "OnceDatagram" if kind.endswith("udp") else "Once"
    head = (
        "import pytest\n"
        f"from benchmarks.handlers import {handler}\n"
        f"from benchmarks.exchange import {client_for(kind)} as exchange\n"
        f"pytestmark = pytest.mark.windsock(handler={handler})"
    )
    return Case(f"windsock_{kind}", head, f"def test_{{n}}({kind}_server): exchange({kind}_server.address)", "windsock")


def other(name: str, module: str, exchange: str, *, is_slow: bool = False) -> Case:
    """Return the tests with a fixture of ours for comparison."""
    head = f"from benchmarks.{module} import {name} as server\nfrom benchmarks.exchange import {exchange} as exchange"
    return Case(f"{module}_{name}", head, "def test_{n}(server): exchange(server)", is_slow=is_slow)


def client_for(kind: str) -> str:
    """Return the name of the client that speaks to such a server."""
    if kind.endswith("unix_stream"):
        return "stream_unix"
    return "udp" if kind.endswith("udp") else "stream"


@dataclass(frozen=True)
class Runner:
    """Runs cases as test modules in a directory of its own."""

    directory: Path
    tests: int
    slow_tests: int

    def seconds(self, case: Case) -> float:
        """Run pytest once; return the seconds per test."""
        count = (self.slow_tests if case.is_slow else self.tests) + stopwatch.WARM_UP
        module = self.directory / f"test_{case.name}.py"
        module.write_text("\n".join([case.head, *(case.test.format(n=n) for n in range(count)), ""]))
        result = self.directory / "result"
        result.unlink(missing_ok=True)
        names = [name for name in ("windsock", "pytest_httpserver", "localserver", "xdist") if name != case.plugin]
        options = ["-q", "-x", "-c", "pytest.ini", "-p", "no:cacheprovider", "-p", "benchmarks.stopwatch"]
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *(f"-pno:{name}" for name in names), *case.options, module.name],
            cwd=self.directory,
            env={**os.environ, "PYTHONPATH": str(ROOT), stopwatch.RESULT: str(result)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        if ended.returncode or not result.exists():
            raise RuntimeError(f"the tests of {case.name} failed:\n{ended.stdout[-3000:]}")
        return float(result.read_text())


def run(*, is_quick: bool) -> Result:
    """Measure; the rounds of all cases take turns, so that noise hits all alike."""
    rounds = 3 if is_quick else 7
    pairs = [(kind, windsock(kind), other(kind, "by_hand", client_for(kind))) for kind in KINDS]
    cases = [EMPTY, *(case for _, ours, theirs in pairs for case in (ours, theirs))]
    best: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        runner = Runner(Path(name), 100 if is_quick else 300, 3 if is_quick else 10)
        (runner.directory / "pytest.ini").write_text("[pytest]\n")
        for _ in range(rounds):
            for case in cases:
                best[case.name] = min(best.get(case.name, 1e9), runner.seconds(case))
        peers, missing = available_peers()
        for case in peers.values():
            best[case.name] = runner.seconds(case)
    empty = best[EMPTY.name]
    rows, bounds = [], []
    for kind, ours, theirs in pairs:
        mine, hand = best[ours.name] - empty, best[theirs.name] - empty
        bound = Bound(f"fixture cost, {kind}", mine / hand, at_most=AT_MOST, measured=MEASURED.get(kind, ""))
        bounds.append(bound)
        rows.append([kind, f"{mine * 1e6:,.0f}", f"{hand * 1e6:,.0f}", f"{mine / hand:.2f}x", bound.limit])
    reference = best[f"windsock_{KINDS[1]}"] - empty
    for label, case in peers.items():
        cost = best[case.name] - empty
        rows.append([label, "", f"{cost * 1e6:,.0f}", f"{reference / cost:.4f}x", ""])
    return Result(
        "Fixture cost: start a server, one 64 B request, stop; microseconds per test over an empty one",
        ["server", "windsock", "other", "ratio", "bound"],
        rows,
        bounds,
        [
            f"best {stopwatch.STRETCH} of {runner.tests} tests in {rounds} rounds; an empty one: {empty * 1e6:,.0f} us",
            "the first rows: beside bare threads and an eventfd by hand; then: threading_tcp beside others",
            *missing,
        ],
    )


def available_peers() -> tuple[dict[str, Case], list[str]]:
    """Return the cases of other packages that are installed, and a word about those that are not."""
    peers = {"stock socketserver": other("stock_threading_tcp", "elsewhere", "stream", is_slow=True)}
    missing = []
    for label, package, name in (
        ("pytest-httpserver", "pytest_httpserver", "with_httpserver"),
        ("pytest-localserver", "pytest_localserver", "with_localserver"),
    ):
        if importlib.util.find_spec(package) is None:
            missing.append(f"{label} is not installed: left out")
        else:
            peers[label] = other(name, "elsewhere", "http", is_slow=True)
    return peers, missing
