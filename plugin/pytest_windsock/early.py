"""Import windsock before the first test runs, ahead of tools that replace the standard library during a test."""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module

import windsock

__all__ = ["import_captures", "import_windsock"]

PYFAKEFS = {"fs", "fs_class", "fs_module", "fs_session"}
"""Fixtures at whose end the modules are removed from `sys.modules` that were imported during them."""


def import_windsock(fixtures: Iterable[str]) -> None:
    """Import windsock for tests that use these fixtures.

    As a rule its parts are imported when they are used. Beside pyfakefs that would be at the wrong time, and beside
    gevent in two threads at once, of which gevent's import lock lets the test's own thread fail (LoopExit).
    """
    import_module("windsock.harness")
    if PYFAKEFS.isdisjoint(fixtures) and "gevent.monkey" not in sys.modules:
        return
    for each in pkgutil.walk_packages(windsock.__path__, "windsock."):
        import_module(each.name)
    for name in ("greenlet", "trio", "trustme"):
        with suppress(ImportError):
            import_module(name)


def import_captures() -> None:
    """Import what writes the files of tests."""
    import_module("windsock.captures")
