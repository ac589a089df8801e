"""The marker `windsock`: its keywords, checked before the first test runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

import windsock
from windsock.harness import OPTION_NAMES, Options

__all__ = ["check"]


def check(items: Iterable[pytest.Item]) -> None:
    """Raise pytest.UsageError for the first marker that says what does not exist, with what does."""
    seen: set[int] = set()
    for item in items:
        for mark in item.iter_markers("windsock"):
            if id(mark) not in seen:
                seen.add(id(mark))
                _check(item.nodeid, mark)


def _check(where: str, mark: pytest.Mark) -> None:
    if mark.args:
        raise pytest.UsageError(f"{where}: @pytest.mark.windsock{mark.args!r}: it takes keywords only: handler=...")
    unknown = sorted(mark.kwargs.keys() - OPTION_NAMES)
    if unknown:
        valid = ", ".join(sorted(OPTION_NAMES))
        raise pytest.UsageError(f"{where}: @pytest.mark.windsock has no keyword {unknown[0]!r}; there are: {valid}")
    _check_values(where, mark.kwargs)


def _check_values(where: str, options: Mapping[str, Any]) -> None:
    try:
        Options(**options).resolved()
    except windsock.Unsupported:
        pass  # the fixture skips the test
    except windsock.UsageError as error:
        raise pytest.UsageError(f"{where}: @pytest.mark.windsock: {error}") from None
