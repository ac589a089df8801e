"""Shows, at the end of the run, what each example's servers have recorded."""

from __future__ import annotations

from collections.abc import Generator
from itertools import groupby
from typing import Any

import pytest

from pytest_windsock.fixtures import State


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the transcripts after the teardown, when every connection has ended."""
    servers = State.servers  # which the plugin forgets at the end
    report = yield
    if report.when == "teardown":
        report.__dict__["about"] = (item.module.__doc__ or "").split("\n")[0]
        report.__dict__["recorded"] = [[server.describe(), *server.transcript()] for server in servers]
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print them under the names of their tests."""
    out = terminalreporter
    out.section("what the servers recorded")
    out.write_line("seconds, # of the connection, > what came, < what was answered, how it ended")
    about = ""
    for test, items in groupby(filter(is_shown, out.getreports("")), lambda report: report.nodeid.partition("[")[0]):
        first, *others = items
        if first.about != about:
            about = first.about
            out.write_line(f"\n{about}", bold=True)
        more = f", and on {len(others)} other kinds of server" if others else ""
        show(out, first.nodeid.removeprefix(f"{test.partition('::')[0]}::") + more, first.recorded)
    out.write_line("")


def is_shown(report: Any) -> bool:
    return hasattr(report, "recorded")


def show(out: pytest.TerminalReporter, test: str, recorded: list[list[str]]) -> None:
    """Print what the servers of one test have recorded."""
    out.write_line(f"\n  {test}", yellow=True)
    for title, *lines in recorded:
        out.write_line(f"  {title}", cyan=True)
        for line in lines:
            out.write_line(f"    {line}")
