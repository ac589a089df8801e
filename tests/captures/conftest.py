"""A server to capture; one browser for the tests of a module, and pages that are opened in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

import windsock
from tests.captures.chromium import Chromium, Tab
from tests.programs.conftest import program
from windsock import RunningServer
from windsock.captures.page import write_page
from windsock.captures.page_lanes import PageSubject


@pytest.fixture(scope="module")
def browser() -> Iterator[Chromium]:
    with Chromium(program("chromium")) as found:
        yield found


@pytest.fixture
def view(browser: Chromium, tmp_path: Path) -> Iterator[Callable[..., Tab]]:
    """A function that writes a page of subjects and opens it."""
    tabs: list[Tab] = []

    def opened(*subjects: PageSubject, findings: Sequence[str] = (), scripts: bool = True, dark: bool = False) -> Tab:
        path = tmp_path / f"page-{len(tabs)}.html"
        write_page(path, "test_shop.py::test_tea", subjects, findings)
        tabs.append(browser.open(path, scripts=scripts, dark=dark))
        if scripts:
            tabs[-1].settle()
        return tabs[-1]

    yield opened
    for each in tabs:
        each.close()


@pytest.fixture
def echo() -> Iterator[RunningServer]:
    with windsock.serving(name="echo") as server:
        server.echo()
        yield server
