"""The same seed gives the same run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.simulation.determinism import order_of

ROOT = Path(__file__).parents[2]


def digests(hash_seed: int) -> list[str]:
    environment = os.environ | {"PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": os.pathsep.join(("src", "plugin", "."))}
    command = [sys.executable, "-m", "tests.simulation.determinism"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True, cwd=ROOT, env=environment)
    return done.stdout.split()


def test_a_hundred_seeds_run_alike_in_processes_with_other_hash_seeds() -> None:
    first, second = digests(1), digests(2)

    assert first == second
    assert len(set(first)) == 100


def test_other_seeds_give_other_orders() -> None:
    assert len({order_of(seed) for seed in range(3)}) == 3
