"""Verified fakes: `@pytest.mark.windsock(against=["real", "recorded"])`, a test item for each side."""

from __future__ import annotations

import re
from typing import Any

import pytest

__all__ = ["SIDES", "check", "parametrize", "side_of", "without_side"]

SIDES = ("real", "recorded")
"""The real server, in front of which a proxy compares what passes with the cassette; and the cassette alone."""


def _sides_for(node: Any) -> Any:
    """Return the value of `against=` of the marker closest to a test; None if there is none."""
    return next((each.kwargs["against"] for each in node.iter_markers("windsock") if "against" in each.kwargs), None)


def check(where: str, sides: Any) -> None:
    """Raise pytest.UsageError for a value that `against=` does not take."""
    if not isinstance(sides, list | tuple) or not sides or any(each not in SIDES for each in sides):
        raise pytest.UsageError(f"{where}: @pytest.mark.windsock(against={sides!r}): expected a list of {SIDES}")


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Make an item for each side that the test's marker names. Raises CollectError, which pytest shows in one line."""
    sides = _sides_for(metafunc.definition)
    if sides is None:
        return
    where = metafunc.definition.nodeid
    try:
        check(where, sides)
    except pytest.UsageError as error:
        raise pytest.Collector.CollectError(str(error)) from None
    if "cassette" not in metafunc.fixturenames:
        why = f"@pytest.mark.windsock(against={sides!r}) is for tests that use cassette"
        raise pytest.Collector.CollectError(f"{where}: {why}")
    metafunc.parametrize("cassette", sides, indirect=True, ids=list(sides))


def side_of(item: pytest.Item) -> str | None:
    """Return which side an item is about; None for one of a test without `against=`."""
    callspec = getattr(item, "callspec", None)
    if callspec is None or _sides_for(item) is None:
        return None
    return str(callspec.params["cassette"])


def without_side(name: str, side: str | None) -> str:
    """Return the name of an item as it is without its side, which all sides have."""
    if side is None:
        return name
    shorter = re.sub(rf"(?<=[\[-]){side}(-|(?=\]))", "", name, count=1)
    return shorter.replace("[]", "").replace("-]", "]")
