"""The same seed gives the same run."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.determinism import order_of

ROOT = Path(__file__).parents[2]


def output_of(program: str, hash_seed: int, python: str = sys.executable) -> list[str]:
    environment = os.environ | {"PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": os.pathsep.join(("src", "plugin", "."))}
    command = [python, "-m", f"tests.simulation.{program}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True, cwd=ROOT, env=environment)
    return done.stdout.splitlines()


def other_interpreters() -> list[str]:
    """Return the interpreters of other versions that are installed."""
    versions = [
        each for each in ("3.11", "3.12", "3.13", "3.14") if each != platform.python_version().rpartition(".")[0]
    ]
    command = ["bash", str(ROOT / ".ci" / "interpreters"), *versions]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.split()


def test_a_hundred_seeds_run_alike_in_processes_with_other_hash_seeds() -> None:
    first, second = output_of("determinism", 1), output_of("determinism", 2)

    assert first == second
    assert len(set(first)) == 100


def test_other_seeds_give_other_orders() -> None:
    assert len({order_of(seed) for seed in range(3)}) == 3


def test_what_a_program_does_is_the_same_on_all_versions_of_python() -> None:
    others = other_interpreters()
    if not others:
        pytest.skip("there is one interpreter")

    here = output_of("across_versions", 1)

    assert len(set(here)) == len(here) > 20
    assert {each: output_of("across_versions", 2, each) for each in others} == dict.fromkeys(others, here)
