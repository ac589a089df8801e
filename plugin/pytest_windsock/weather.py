"""The fixtures for bad weather: the test's seed, and a factory of proxies."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_windsock import seeds

__all__ = ["ALL"]


@pytest.fixture
def windsock_seed(request: pytest.FixtureRequest) -> int:
    """Return the test's own seed, of the run's (--windsock-seed) and its node id: for `seed=`, and random data."""
    return seeds.seed_of_test(request.node)


ALL: dict[str, Any] = {"windsock_seed": windsock_seed}
"""Each fixture by its name."""
