"""The table in docs/neighbours.md: its rows, and the versions that it says were tested."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from tests.neighbours.conftest import ROOT

PAGE = ROOT / "docs" / "neighbours.md"
ROWS = [re.split(r" *\| *", line.strip("| ")) for line in re.findall(r"^\| .*", PAGE.read_text(), re.MULTILINE)][1:]
OF_PYTHON = {"unittest"}


def floors() -> dict[str, str]:
    """Return the lowest version of each distribution that the tests may use, by its name in small letters."""
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = [*project["project"]["dependencies"], *project["dependency-groups"]["test"]]
    found = (re.match(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)", each) for each in needed)
    return {each[1].lower(): each[2] for each in found if each}


def numbers(version: str) -> list[int]:
    return [int(each) for each in version.split(".")]


def test_the_rows_are_in_order() -> None:
    names = [name.lower() for name, *_ in ROWS]

    assert names == sorted(names)


def test_the_versions_are_among_those_that_the_tests_may_run_with() -> None:
    lowest = floors()

    too_old = [
        row[0] for row in ROWS if row[0] not in OF_PYTHON and numbers(row[1]) < numbers(lowest[row[0].lower()])[:2]
    ]

    assert too_old == []
