"""Where reports are looked at: the text of a failure, which the terminal, JUnit files and debuggers show."""

from __future__ import annotations

import pytest

__all__ = ["into_failure", "is_ours"]


def into_failure(report: pytest.TestReport, config: pytest.Config) -> None:
    """Move our sections into the text of the failure: JUnit files and `--pdb` show nothing else of a report.

    With `--show-capture=no` they stay where that option hides them.
    """
    add = getattr(report.longrepr, "addsection", None)
    if add is None or config.getoption("showcapture", "all") != "all":
        return
    ours = [each for each in report.sections if is_ours(each)]
    report.sections = [each for each in report.sections if not is_ours(each)]
    for title, text in ours:
        add(title, text)


def is_ours(section: tuple[str, ...]) -> bool:
    """Return whether a section of a report is one of windsock's."""
    return section[0].startswith("windsock")
