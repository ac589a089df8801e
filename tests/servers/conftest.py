"""Fixtures for the tests of the family: where a test makes its servers and clients."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.helpers import Notes, Place


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
