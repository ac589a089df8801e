"""Import windsock before the first test runs, ahead of tools that replace the standard library during a test."""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module

import pytest

import windsock
from pytest_windsock import artifacts, crashes, presentation
from pytest_windsock.fixtures import SCOPED, SHARED

__all__ = ["import_windsock", "prepare"]

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


def prepare(config: pytest.Config, fixtures: Iterable[str]) -> None:
    """Import what tests with these fixtures need, and begin what lasts for the whole run."""
    import_windsock(fixtures)
    if artifacts.artifacts_of(config) is not None or presentation.shows_html(config):
        import_module("windsock.captures")
    crashes.begin(config)
    if SCOPED:
        from pytest_windsock import checkpoints

        config.pluginmanager.register(checkpoints.Checkpoints(), checkpoints.NAME)
    if SHARED:
        from pytest_windsock import shared_programs

        shared_programs.begin(config)
