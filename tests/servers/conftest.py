"""Fixtures for the tests of the family; every one of these tests must leave nothing behind."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.helpers import Notes, Place, descriptors, has_children


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Threads, children and descriptors are after the test what they were before."""
    threads, open_before, had_children = set(threading.enumerate()), descriptors(), has_children()
    yield
    assert set(threading.enumerate()) - threads == set()
    assert has_children() == had_children
    left = {number: what for number, what in descriptors().items() if open_before.get(number) != what}
    assert left == {}


@pytest.fixture
def place(nothing_is_left: None) -> Iterator[Place]:
    """Where a test makes its servers and clients."""
    directory = Path(tempfile.mkdtemp(prefix="ws-"))
    place = Place(directory)
    try:
        with place.closing:
            yield place
        assert [name for name in os.listdir(directory) if _is_servers(place, name)] == []
    finally:
        shutil.rmtree(directory)


def _is_servers(place: Place, name: str) -> bool:
    return str(place.directory / name) in place.server_paths


@pytest.fixture
def notes(place: Place) -> Notes:
    """What handlers and hooks have noted."""
    return place.notes
