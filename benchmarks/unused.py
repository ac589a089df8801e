"""What the plugin costs where no test uses it: the CPU time of collecting an empty file."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.table import Bound, Result

__all__ = ["run"]

AT_MOST = 5.0
"""Milliseconds."""
PLUGINS = {"pytest_httpserver": "pytest_httpserver", "localserver": "pytest_localserver", "timeout": "pytest_timeout"}
"""Other plugins, by the names of their entry points, with their packages; windsock itself brings `timeout` along."""


def run(*, is_quick: bool) -> Result:
    """Measure each plugin with it and without it, in turns."""
    pairs = 5 if is_quick else 15
    names = ["windsock", *(name for name, package in PLUGINS.items() if importlib.util.find_spec(package))]
    differences: dict[str, list[float]] = {name: [] for name in names}
    best = dict.fromkeys(["", *names], 1e9)
    totals: list[float] = []
    with tempfile.TemporaryDirectory() as directory:
        for name in ("pytest.ini", "test_empty.py"):
            (Path(directory) / name).touch()
        collect(directory, names)  # compiles all there is
        for _ in range(pairs):
            for name in names:
                without, with_it = collect(directory, []), collect(directory, [name])
                differences[name].append(with_it - without)
                totals.append(without)
                best[""], best[name] = min(best[""], without), min(best[name], with_it)
    cost = median(differences["windsock"])
    bound = Bound("unused plugin", cost, at_most=AT_MOST, unit=" ms")
    rows = []
    for name in names:
        limit = bound.limit if name == "windsock" else ""
        rows.append([name, f"{median(differences[name]):.1f}", f"{best[name] - best['']:.1f}", limit])
    return Result(
        "Unused: milliseconds of CPU that a plugin adds to `pytest --collect-only` of an empty file",
        ["plugin", "median", "best to best", "bound"],
        rows,
        [bound],
        [f"median of {pairs} pairs; without any of them it takes {median(totals):.0f} ms"],
    )


def collect(directory: str, plugins: list[str]) -> float:
    """Collect an empty file with these of the plugins; return the milliseconds of CPU, user and system."""
    without = [f"-pno:{name}" for name in ("windsock", *PLUGINS) if name not in plugins]
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *without, "test_empty.py"],
        cwd=directory,
        env=with_bytecode(directory),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    with process.stderr:
        complaint = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 5):
        raise RuntimeError(f"pytest ended with {process.returncode}: {complaint.decode()[-2000:]}")
    return (usage.ru_utime + usage.ru_stime) * 1e3


def with_bytecode(directory: str) -> dict[str, str]:
    """Return an environment in which modules are compiled once, as where they are installed; kept in the directory."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**inherited, "PYTHONPYCACHEPREFIX": f"{directory}/bytecode"}
