"""pytest inside a test, with the plugin, however the outer run has got it."""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import TypeAlias

import pytest

import pytest_windsock.marker  # noqa: F401
import windsock

for each in pkgutil.walk_packages(windsock.__path__, "windsock."):
    importlib.import_module(each.name)  # the inner runs are to find them imported: they forget what they import

Run: TypeAlias = Callable[..., pytest.RunResult]

IS_INSTALLED = any(each.value == "pytest_windsock.plugin" for each in entry_points(group="pytest11"))
PLUGIN = () if IS_INSTALLED else ("-p", "pytest_windsock.plugin")
BOUND = 220
"""Seconds for a run within a test, which takes a few if the machine does nothing else..."""
TIMEOUT = 240
"""...and for the test."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give tests that run others the time for that."""
    for each in items:
        if "pytester" in getattr(each, "fixturenames", ()) and each.get_closest_marker("timeout") is None:
            each.add_marker(pytest.mark.timeout(TIMEOUT))


@pytest.fixture
def run(pytester: pytest.Pytester) -> Run:
    """Run these tests in this process, with warnings as errors."""

    def run(code: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(code)
        return pytester.runpytest_inprocess(*PLUGIN, "-W", "error", *options)

    return run


@pytest.fixture
def run_apart(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run these tests in a process of their own."""
    root = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root / "src"), str(root / "plugin")]))

    def run(code: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(code)
        return pytester.runpytest_subprocess(*PLUGIN, "-W", "error", *options, timeout=BOUND)

    return run
