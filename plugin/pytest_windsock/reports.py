"""The report of a failing test, with what its servers recorded; made whatever a signal handler raises meanwhile.

Loaded for each run of pytest, so what it needs is imported on first use.
"""

from __future__ import annotations

from typing import Any

import pytest

from pytest_windsock import artifacts, phases, presentation, texts, tracebacks
from pytest_windsock.fixtures import State

__all__ = ["complete", "prepare", "whatever_strikes"]


class _WhateverStrikes:
    """Suppresses what signal handlers raise; for Ctrl-C the run ends after the test that runs.

    An exception here would be lost with the report in it, or end the run with an internal error where an old-style
    wrapper of another plugin is around this one.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        if kind is KeyboardInterrupt:
            State.was_interrupted_late = True
        return kind in (KeyboardInterrupt, pytest.fail.Exception)


whatever_strikes = _WhateverStrikes()


def prepare(call: pytest.CallInfo[None], config: pytest.Config) -> None:
    """Shorten the traceback of an exception, and note on it what is concluded, before pytest makes a report of it."""
    with whatever_strikes:
        tracebacks.shorten(call, config)
        texts.with_text(call)
        if call.excinfo is not None and phases.servers_to_show():
            (phases.part_failed if State.is_in_body else phases.conclude)(call.excinfo.value)


def complete(report: pytest.TestReport, item: pytest.Item, raised: BaseException | None) -> None:
    """Add to a report what the servers of the test recorded, and write the test's files."""
    files = artifacts.artifacts_of(item.config)
    if not report.failed and State.verdict is None and files is None:
        return
    servers = [*State.servers, *State.others]
    has_some = bool(servers or State.programs)
    if has_some:
        verdict, State.verdict = State.verdict, None
        if verdict is not None and raised is verdict.error:
            verdict.settle()
        if report.failed:
            _show(servers, report)
    if report.failed:
        texts.clean(report)
    if files is not None:
        with whatever_strikes:
            files.look(item, report, servers)
    if report.failed and has_some:
        with whatever_strikes:
            presentation.into_failure(report, item)


def _show(servers: list[Any], report: pytest.TestReport) -> None:
    from pytest_windsock import sections  # which the fixtures, or the explanation of the failure, have imported

    text = "the test's time was over before all that was recorded could be shown"
    with whatever_strikes:
        try:
            tracebacks.tidy(report)
            report.sections += sections.sections(servers, report.when) if servers else ()
            report.sections += sections.of_programs(servers, report.when)
            return
        except Exception as error:
            text = f"what was recorded could not be shown: {error!r}"
    report.sections.append(("windsock", text))
