"""What pytest loads: options, the marker, the fixtures, the report. Imports windsock on first use only."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from pytest_windsock import fixtures

__all__ = ["pytest_addoption", "pytest_collection_modifyitems", "pytest_configure", "pytest_runtest_makereport"]

globals().update(fixtures.ALL)

MARKER = (
    "windsock(*, handler=None, concurrency=..., framing=..., strict=True, ...): what the windsock fixtures of "
    "this test serve; the keywords are those of windsock.serving()."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini value."""
    parser.addini(
        "windsock_timeout",
        "windsock: seconds that a server's stop and a wait for requests may take (default: 5)",
        default="5",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", MARKER)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Check every marker before the first test runs."""
    marked = [item for item in items if item.get_closest_marker("windsock")]
    if marked:
        from pytest_windsock import marker

        marker.check(marked)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show in a failing test's report what its servers recorded."""
    report = yield
    servers = item.stash.get(fixtures.SERVERS, None)
    if servers and report.failed:
        report.sections.extend(fixtures.sections(servers, call.when))
    return report
