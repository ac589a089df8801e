"""Runs of tests with a defect, and the last screen of each report."""

from __future__ import annotations

import gc
import re
import warnings
from collections.abc import Callable, Mapping
from typing import TypeAlias

import pytest

from tests.findings.conftest import CLIENT, NOTE, OTHERS, comparable
from tests.plugin.conftest import PLUGIN, run_apart

__all__ = ["SCREEN", "run_apart"]

NameCauses: TypeAlias = Callable[[str, Mapping[str, str]], dict[str, str]]

SCREEN = 60
"""Lines of a report that are seen at once."""
SECTIONS = re.compile(r"^-+ windsock: ", re.MULTILINE)
"""What follows a failure: transcripts."""
VARYING = (
    (r"handler \(\d+\)", "handler (PID)"),
    (r"at /\S+/s\b", "at PATH"),
    (r"\b(at least )?\d+ times", "N times"),
    (r"\b\d{6,} B", "N B"),
)


class Screens:
    """Collects the last lines of the report of each failing test."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            lines = SECTIONS.split(report.longreprtext)[0].splitlines()[-SCREEN:]
            self.texts[report.nodeid.partition("::")[2]] = "\n".join(map(_comparable, lines))


def _comparable(line: str) -> str:
    for pattern, word in VARYING:
        line = re.sub(pattern, word, line)
    return comparable(line)


@pytest.fixture
def name_causes(pytester: pytest.Pytester) -> NameCauses:
    """Run tests with a defect; return the cause of each as far as its report names it, and no other."""

    def name_causes(code: str, causes: Mapping[str, str]) -> dict[str, str]:
        screens = Screens()
        pytester.makepyfile(test_defects=CLIENT + code)
        pytester.runpytest_inprocess(*PLUGIN, "-p", "no:cacheprovider", plugins=[screens])
        with warnings.catch_warnings(action="ignore"):  # sockets that the failing tests have not closed
            gc.collect()
        return {name: _named(text, causes.get(name, "?")) for name, text in screens.texts.items()}

    return name_causes


def _named(screen: str, cause: str) -> str:
    """Return the cause if a report names it and concludes nothing else; otherwise what it does conclude."""
    concluded = [each for each in NOTE.findall(screen) if not OTHERS.match(each)]
    return cause if cause in screen and concluded in ([cause], []) else "; ".join(concluded) or screen
