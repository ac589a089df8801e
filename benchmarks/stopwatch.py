"""A pytest plugin that writes down the time per test of a run, without its first tests."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from pathlib import Path
from time import perf_counter

import pytest

__all__ = ["RESULT", "WARM_UP", "pytest_runtest_protocol"]

RESULT = "BENCHMARK_RESULT"
"""The environment's name for the file with seconds per test."""
WARM_UP = 5
"""Tests at the start that are not timed: they import what is used for the first time."""

_count = 0
_start = 0.0


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Start with the first test after the warm-up, stop after the last."""
    global _count, _start
    if _count == WARM_UP:
        gc.collect()
        _start = perf_counter()
    result = yield
    _count += 1
    if nextitem is None:
        seconds = (perf_counter() - _start) / (_count - WARM_UP)
        Path(os.environ[RESULT]).write_text(repr(seconds))
    return result
