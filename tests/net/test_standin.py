"""The stand-in for macOS takes from windsock what only Linux has, and from nothing else."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.support.processes import run_python

CODE = """
import os, sys
import tests.support.standin
from windsock.net import addresses, system

print(system.platform, hasattr(system.os, "eventfd"), hasattr(system.select, "epoll"), addresses.LONGEST_UNIX_PATH)
tests.support.standin.pytest_collection_finish()
print(sys.platform, hasattr(os, "eventfd"))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it stands in on Linux")
def test_windsock_has_nothing_of_linux_s_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))

    printed = run_python(CODE)

    assert printed.splitlines() == ["stand-in False False 103", f"linux {hasattr(os, 'eventfd')}"]
