"""A pytest plugin that writes down the time per test of a run: of its best stretch, without its first tests."""

from __future__ import annotations

import gc
import os
from collections.abc import Generator
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import pytest

__all__ = ["RESULT", "STRETCH", "WARM_UP", "pytest_runtest_protocol"]

RESULT = "BENCHMARK_RESULT"
"""The environment's name for the file with seconds per test."""
WARM_UP = 5
"""Tests at the start that are not timed: they import what is used for the first time."""
STRETCH = 50
"""Tests in a stretch, long enough for what is not due with each test (random_bytes, for one)."""

_count = 0
_times: list[float] = []


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(nextitem: pytest.Item | None) -> Generator[None, object, object]:
    """Look at the clock after the warm-up, after each stretch, and at the end if there was no whole one."""
    global _count
    if _count == WARM_UP:
        gc.collect()
        _times.append(perf_counter())
    result = yield
    _count += 1
    is_over = nextitem is None
    timed = _count - WARM_UP
    if timed > 0 and (timed % STRETCH == 0 or (is_over and timed < STRETCH)):
        _times.append(perf_counter())
    if is_over:
        seconds = min(later - earlier for earlier, later in pairwise(_times)) / min(timed, STRETCH)
        Path(os.environ[RESULT]).write_text(repr(seconds))
    return result
