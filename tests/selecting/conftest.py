"""Every one of these tests must leave nothing behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.helpers import nothing_left, own_temporary_directory


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Threads, children, descriptors and files are after the test what they were before."""
    tmp_path_factory.getbasetemp()  # not in there
    with own_temporary_directory(), nothing_left():
        yield
