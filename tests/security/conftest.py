"""Every test of servers in tests must leave nothing behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.helpers import Signal, nothing_left, own_temporary_directory


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    tmp_path_factory.getbasetemp()  # not in there
    with own_temporary_directory(), nothing_left():
        yield


@pytest.fixture
def signals(nothing_is_left: None) -> Iterator[list[Signal]]:
    """Two signals between the test and its handlers: the handler's, and the test's."""
    made = [Signal(), Signal()]
    yield made
    for signal in made:
        signal.close()
