"""Each test in a simulated world of its own: `pytest -p tests.support.in_world`, as `make worlds` does.

Tests and fixtures are as they are; a world is entered for each of them as for a test with the marker `simulated=True`.
What cannot run there is skipped, with its reason. `--left-out` runs only that: an entry of the table none of whose
tests fails any more is an error.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.left_out_of_worlds import LEFT_OUT, PASS_AT_TIMES, entry_of, reason_of


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --left-out."""
    text = "in_world: run what is left out, and say what need not be any longer"
    parser.addoption("--left-out", action="store_true", help=text)


def pytest_configure(config: pytest.Config) -> None:
    """Begin to note results."""
    config.pluginmanager.register(Results(), "in_world_results")


@pytest.hookimpl(wrapper=True)  # before `--one-in`, and before windsock looks at the markers
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Mark the tests. Raises UsageError for an entry of the table that matches nothing in its file."""
    _mark(config, items)
    yield


def _mark(config: pytest.Config, items: list[pytest.Item]) -> None:
    entries = {item: entry_of(item.nodeid) for item in items}
    _check(config, {item.nodeid.removeprefix("tests/").partition("::")[0] for item in items}, set(entries.values()))
    is_turned = config.getoption("left_out")
    if is_turned:
        config.hook.pytest_deselected(items=[item for item in items if entries[item] is None])
        items[:] = [item for item in items if entries[item] is not None]
    for item in items:
        item.add_marker(pytest.mark.windsock(simulated=True))
        if (entry := entries[item]) is not None:
            reason = reason_of(entry)
            item.add_marker(pytest.mark.xfail(reason=reason, strict=False) if is_turned else pytest.mark.skip(reason))


def _check(config: pytest.Config, files: set[str], used: set[str | None]) -> None:
    if config.option.keyword or any("::" in each for each in config.args):
        return  # files are not whole
    for entry in (each for entries in LEFT_OUT.values() for each in entries):
        if entry.partition("::")[0] in files and entry not in used:
            raise pytest.UsageError(f"tests/support/left_out_of_worlds.py: no test matches {entry!r}")


class Results:
    """Which entries of the table have tests that ran, and that failed. In the process that reports."""

    def __init__(self) -> None:
        self.ran: set[str] = set()
        self.failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note what has become of a test."""
        entry = entry_of(report.nodeid)
        if entry is not None:
            self.ran.add(entry)
            if report.outcome != "passed":
                self.failed.add(entry)

    def outdated(self) -> list[str]:
        """Return the entries without a test that fails."""
        return sorted(self.ran - self.failed - PASS_AT_TIMES)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail the run for an entry that is outdated."""
        if self.outdated() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how many tests are left out for which reason, and which entries are outdated."""
        stats = terminalreporter.stats
        texts = [report.longrepr[2] for report in stats.get("skipped", ()) if isinstance(report.longrepr, tuple)]
        for reason in LEFT_OUT:
            if number := texts.count(f"Skipped: {reason}"):
                terminalreporter.write_line(f"in no world: {number:4} tests, each of which {reason}")
        for entry in self.outdated():
            terminalreporter.write_line(f"ERROR in_world: no test of {entry!r} fails in a world; take it off the table")
