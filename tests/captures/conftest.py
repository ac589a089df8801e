"""A server to capture."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import windsock
from windsock import RunningServer


@pytest.fixture
def echo() -> Iterator[RunningServer]:
    with windsock.serving(name="echo") as server:
        server.echo()
        yield server
