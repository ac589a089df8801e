"""Scenarios in a process of their own: with pytest and the plugin, or in a script that starts a tool first."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(str(ROOT / each) for each in ("", "src", "plugin"))}

Run: TypeAlias = Callable[..., pytest.RunResult]
RunAfter: TypeAlias = Callable[..., str]

SCRIPT = """
import traceback

{activation}
from tests.neighbours import scenarios

for name, scenario in scenarios.{scenarios}.items():
    try:
        scenario()
    except BaseException:
        print(name, traceback.format_exc())
print("done")
"""


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run these tests in a process of their own, with warnings as errors."""
    monkeypatch.setenv("PYTHONPATH", ENVIRONMENT["PYTHONPATH"])

    def run(code: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(code)
        return pytester.runpytest_subprocess("-W", "error", "--timeout", "40", *options, timeout=120)

    return run


@pytest.fixture
def run_after() -> RunAfter:
    """Import windsock when a tool has been started already, run scenarios, and return what failed."""

    def run_after(activation: str, scenarios: str = "ALL") -> str:
        script = SCRIPT.format(activation=textwrap.dedent(activation), scenarios=scenarios)
        command = [sys.executable, "-W", "error", "-c", script]
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=55, check=False)
        assert done.stdout.endswith("done\n"), done.stdout + done.stderr
        return done.stdout.removesuffix("done\n")

    return run_after
