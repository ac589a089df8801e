"""Where reports are looked at: the text of a failure, which JUnit files and debuggers show, and pytest-html."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from pytest_windsock import seeds
from pytest_windsock.fixtures import State

__all__ = ["has_ours", "into_failure", "shows_html"]


def into_failure(report: pytest.TestReport, item: pytest.Item) -> None:
    """Move our sections into the text of the failure: JUnit files and `--pdb` show nothing else of a report.

    With `--show-capture=no` they stay where that option hides them. An HTML report gets files.
    """
    ours = [each for each in report.sections if _is_ours(each)]
    if ours and shows_html(item.config):
        _attach(report, item, ours)
    add = getattr(report.longrepr, "addsection", None)
    if add is None or item.config.getoption("showcapture", "all") != "all":
        return
    report.sections = [each for each in report.sections if not _is_ours(each)]
    for title, text in ours:
        add(title, text)


def has_ours(report: pytest.TestReport) -> bool:
    """Return whether a report shows what servers have recorded."""
    return any(map(_is_ours, [*report.sections, *getattr(report.longrepr, "sections", ())]))


def _is_ours(section: tuple[str, ...]) -> bool:
    return section[0].startswith("windsock")


def shows_html(config: pytest.Config) -> bool:
    """Return whether pytest-html makes a report of this run."""
    return bool(config.getoption("htmlpath", None))


def _attach(report: pytest.TestReport, item: pytest.Item, sections: list[tuple[str, str]]) -> None:
    """Attach the transcript and the page to a report of pytest-html."""
    transcript = "\n\n".join(f"{title}\n\n{text}" for title, text in sections)
    found = [_attachment("transcript", "txt", "text/plain", transcript)]
    with contextlib.suppress(Exception, pytest.fail.Exception):  # a report without the page is better than none
        from windsock.captures.page import page_of

        page = page_of(seeds.name_of_test(item), [*State.servers, *State.others], State.conclusions)
        found.append(_attachment("traffic", "html", "text/html", page))
    report.extras = [*getattr(report, "extras", ()), *found]  # type: ignore[attr-defined]


def _attachment(name: str, extension: str, mime_type: str, content: str) -> dict[str, Any]:
    """Return a file as pytest-html takes it, which writes it beside its report, or into it."""
    return {
        "name": f"windsock: {name}",
        "format_type": "text",
        "content": content.encode(errors="backslashreplace").decode(),
        "mime_type": mime_type,
        "extension": extension,
    }
