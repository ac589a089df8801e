"""The plugin that pytest loads: options, the marker, fixtures, reports. Imports windsock on first use only."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator
from typing import Any

import pytest

from pytest_windsock import artifacts, fixtures, phases, seeds, tracebacks

__all__ = [
    "pytest_addoption",
    "pytest_assertrepr_compare",
    "pytest_collection_finish",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_configure_node",
    "pytest_enter_pdb",
    "pytest_generate_tests",
    "pytest_report_header",
    "pytest_runtest_call",
    "pytest_runtest_makereport",
    "pytest_runtest_protocol",
    "pytest_runtest_setup",
    "pytest_runtest_teardown",
    "pytest_terminal_summary",
    "pytest_timeout_cancel_timer",
    "pytest_timeout_set_timer",
    "pytest_unconfigure",
]

globals().update(fixtures.ALL)

MARKER = (
    "windsock(*, handler=None, concurrency=..., framing=..., strict=True, ...): what the windsock fixtures of "
    "this test serve; the keywords are those of windsock.serving()."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and the ini values."""
    seeds.add_option(parser)
    artifacts.add_options(parser)
    fixtures.add_ini_values(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and check the options and the ini values."""
    config.addinivalue_line("markers", MARKER)
    fixtures.timeout_of(config)
    fixtures.hang_timeout_of(config)
    fixtures.idle_threads_of(config)
    seeds.seed_of_run(config)
    artifacts.start(config)


def pytest_report_header(config: pytest.Config) -> str:
    """Report the seed."""
    return seeds.header(config)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give the seed to an xdist worker, and what tells its files from those of others."""
    seeds.tell_worker(node)
    artifacts.tell_worker(node)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Check every marker before the first test runs."""
    marked = [item for item in items if item.get_closest_marker("windsock")]
    if marked:
        from pytest_windsock import marker

        marker.check(marked)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Import windsock if a test needs it, before the tests replace parts of the standard library."""
    needed = [name for item in session.items for name in getattr(item, "fixturenames", ())]
    if not session.config.option.collectonly and not fixtures.ALL.keys().isdisjoint(needed):
        from pytest_windsock import early

        early.import_windsock(needed)
        if artifacts.artifacts_of(session.config) is not None:
            early.import_captures()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make an item of a test for each combination that `any_server` stands for."""
    if "any_server" in metafunc.fixturenames:
        from pytest_windsock import matrix

        matrix.parametrize(metafunc)


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> bool | None:
    """Note when the test has to be over; pytest-timeout sets its own timer all the same.

    But for its method "thread", which would end the whole run, where the test uses fixtures of ours: the watch over
    hangs does without that as long as it can.
    """
    from pytest_windsock import deadline

    deadline.begin(item, settings)
    is_ours = not fixtures.ALL.keys().isdisjoint(getattr(item, "fixturenames", ()))
    return True if is_ours and settings.method == "thread" else None


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_timeout_cancel_timer(item: pytest.Item) -> None:
    """Forget the test's time."""
    from pytest_windsock import deadline

    deadline.end(item)


def pytest_enter_pdb() -> None:
    """A debugger suspends the deadline, as pytest-timeout has it."""
    from pytest_windsock import deadline

    deadline.end_all()
    if (hangs := sys.modules.get("pytest_windsock.hangs")) is not None:
        hangs.suspend()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Know which test is running: cheaper than a `request` in every fixture, whose servers cost so little."""
    state = fixtures.State
    outer = getattr(state, "item", item), state.servers, state.has_failed, state.conclusions
    state.item, state.servers, state.has_failed, state.conclusions = item, [], False, []
    try:
        return (yield)
    finally:
        state.item, state.servers, state.has_failed, state.conclusions = outer


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Watch over a setup; say in its failure what its servers had to do with it."""
    __tracebackhide__ = True
    phases.begin(item)
    try:
        result = yield
    except BaseException as error:
        phases.failed(error)
        raise
    phases.passed(item)
    return result


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Do so with the body of a test; fail a test that has passed if its servers have not."""
    __tracebackhide__ = True
    phases.begin(item)
    try:
        result = yield
    except BaseException as error:
        phases.failed(error)
        raise
    phases.passed(item)
    if fixtures.State.servers and not getattr(item, "_excinfo", None):
        from pytest_windsock import verdict

        verdict.judge(fixtures.State.servers)
    return result


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Watch over a teardown."""
    __tracebackhide__ = True
    phases.begin(item)
    try:
        result = yield
    except BaseException as error:
        phases.failed(error, is_teardown=True)
        raise
    phases.passed(item)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show in a failing test's report what its servers recorded.

    pytest-timeout may strike at any moment here (`pytest.fail()` in a signal handler): the report is made all the same,
    with what there is. So nothing is imported here.
    """
    with contextlib.suppress(pytest.fail.Exception):
        tracebacks.shorten(call, item.config)
        if call.excinfo is not None and fixtures.State.servers:
            phases.conclude(call.excinfo.value)
    try:
        report = yield
    except pytest.fail.Exception:
        report = pytest.TestReport.from_item_and_call(item, call)
    servers = fixtures.State.servers
    if servers:
        verdict, fixtures.State.verdict = fixtures.State.verdict, None
        if verdict is not None and call.excinfo is not None and call.excinfo.value is verdict.error:
            verdict.settle()
        if report.failed:
            _show(servers, report)
    if (files := artifacts.artifacts_of(item.config)) is not None:
        files.look(item, report, servers)
    if call.when == "teardown":
        fixtures.State.servers, fixtures.State.has_failed = [], False  # the test may run again
    return report


def _show(servers: list[Any], report: pytest.TestReport) -> None:
    from pytest_windsock import sections  # which the fixtures have imported

    try:
        tracebacks.tidy(report)
        for each in sections.sections(servers, report.when):
            report.sections.append(each)
    except pytest.fail.Exception:
        report.sections.append(("windsock", "the test's time was over before all that was recorded could be shown"))


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Show where bytes differ, in tests that have used a server: those of other tests are none of our business."""
    if op != "==" or not isinstance(left, bytes | bytearray) or not isinstance(right, bytes | bytearray):
        return None
    if not fixtures.State.servers:
        return None
    from pytest_windsock import comparison

    return comparison.of_bytes(left, right)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Report the passed tests for which no files could be written."""
    if artifacts.artifacts_of(config) is not None:
        artifacts.summarize(terminalreporter)


def pytest_unconfigure() -> None:
    """End the watch over hangs, and the threads that were kept for the next server."""
    if (hangs := sys.modules.get("pytest_windsock.hangs")) is not None:
        hangs.close()
    fixtures.close()
