"""What each dependency costs a process that imports it: CPU time, memory and modules."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tempfile
from importlib.metadata import requires
from statistics import median

from benchmarks.table import Result
from benchmarks.unused import with_bytecode

__all__ = ["run"]

MODULES = {"pytest-timeout": "pytest_timeout", "dnspython": "dns.message", "hypothesis": "hypothesis.strategies"}
"""The modules of distributions that are imported by another name."""
IMPORT = """
import os, sys, time

def now():
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[1])
    return time.process_time() * 1e3, pages * os.sysconf("SC_PAGE_SIZE") / 2**20, len(sys.modules)

before = now()
__import__(sys.argv[1])
print(*(after - start for after, start in zip(now(), before)))
"""


def run(*, is_quick: bool) -> Result:
    """Import each in processes of their own, in turns; windsock itself is the last."""
    rounds = 3 if is_quick else 9
    names = [re.split(r"\W*[>;\s\[]", each)[0] for each in requires("pytest-windsock") or ()]
    modules = {name: MODULES.get(name, name) for name in names} | {"windsock": "windsock"}
    found = {name: each for name, each in modules.items() if importlib.util.find_spec(each.partition(".")[0])}
    figures: dict[str, list[list[float]]] = {name: [] for name in found}
    with tempfile.TemporaryDirectory() as directory:
        environment = with_bytecode(directory)
        for _ in range(rounds + 1):
            for name, module in found.items():
                figures[name].append(cost(module, environment))
    rows = []
    for name, taken in figures.items():
        milliseconds, size, count = map(median, zip(*taken[1:], strict=True))  # the first time compiles
        rows.append([name, f"{milliseconds:.0f}", f"{size:.1f}", f"{count:.0f}"])
    return Result(
        "Dependencies: what it takes to import each of them into an empty process",
        ["dependency", "CPU, ms", "memory, MiB", "modules"],
        rows,
        notes=[
            f"medians of {rounds} processes each; modules that several of them need are counted for each",
            *(f"{name} is not installed" for name in modules.keys() - found.keys()),
        ],
    )


def cost(module: str, environment: dict[str, str]) -> list[float]:
    """Import a module in a process of its own; return milliseconds of CPU, MiB of memory (proc(5)), and modules."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, module], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    return [float(each) for each in done.stdout.split()]
