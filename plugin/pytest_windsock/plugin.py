"""The plugin that pytest loads: options, the marker, fixtures, reports. Imports windsock on first use only."""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import Any

import pytest

from pytest_windsock import (
    artifacts,
    cassette_modes,
    crashes,
    fixtures,
    github,
    ini_values,
    interrupted,
    past_threads,
    phases,
    reports,
    secrets,
    seeds,
)

__all__ = [
    "pytest_addoption",
    "pytest_assertrepr_compare",
    "pytest_collection_finish",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_configure_node",
    "pytest_enter_pdb",
    "pytest_generate_tests",
    "pytest_handlecrashitem",
    "pytest_keyboard_interrupt",
    "pytest_report_header",
    "pytest_runtest_call",
    "pytest_runtest_makereport",
    "pytest_runtest_protocol",
    "pytest_runtest_setup",
    "pytest_runtest_teardown",
    "pytest_sessionstart",
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
    cassette_modes.add_option(parser)
    parser.getgroup("windsock").addoption(
        "--windsock-summary",
        action="store_true",
        help="windsock: show at the end what all servers and proxies of the run have done: how many there were of each "
        "kind, connections, bytes, faults that fired and that never did, and the slowest start and stop",
    )
    ini_values.add_ini_values(parser)
    secrets.add_ini_values(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and check the options and the ini values."""
    config.addinivalue_line("markers", MARKER)
    ini_values.timeout_of(config)
    ini_values.hang_timeout_of(config)
    ini_values.idle_threads_of(config)
    cassette_modes.mode_of(config)
    seeds.seed_of_run(config)
    secrets.configure(config)
    artifacts.start(config)
    if config.getoption("--windsock-summary"):
        from pytest_windsock import summary

        config.pluginmanager.register(summary.Summary(config), "windsock_summary")


def pytest_sessionstart(session: pytest.Session) -> None:
    """Have failures annotated that other plugins leave out."""
    github.start(session.config)


def pytest_report_header(config: pytest.Config) -> str:
    """Report the seed."""
    return seeds.header(config)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give the seed to an xdist worker, what tells its files from those of others, and a file for its last words."""
    seeds.tell_worker(node)
    artifacts.tell_worker(node)
    crashes.tell_worker(node)
    interrupted.tell_worker(node)


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(report: Any) -> None:
    """Show what the servers of a worker that has crashed had recorded."""
    crashes.explain(report)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Check every marker before the first test runs."""
    marked = [item for item in items if item.get_closest_marker("windsock")]
    if marked and fixtures.is_supported():
        from pytest_windsock import marker

        marker.check(marked)
        if any(mark.kwargs.get("simulated") for item in marked for mark in item.iter_markers("windsock")):
            from pytest_windsock import simulated

            config.pluginmanager.register(simulated.Worlds(), simulated.NAME)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Import windsock if a test needs it, before the tests replace parts of the standard library."""
    needed = [name for item in session.items for name in getattr(item, "fixturenames", ())]
    if not session.config.option.collectonly and fixtures.are_among(needed) and fixtures.is_supported():
        from pytest_windsock import early

        early.prepare(session.config, needed)


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make an item of a test for each combination that `any_server` stands for, and for each side of `against=`."""
    is_marked = metafunc.definition.get_closest_marker("windsock") is not None
    if is_marked and fixtures.is_supported():
        from pytest_windsock import against

        against.parametrize(metafunc)
    if "any_server" in metafunc.fixturenames and fixtures.is_supported():
        from pytest_windsock import matrix

        matrix.parametrize(metafunc)


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> bool | None:
    """Note when the test has to be over.

    Where the test uses fixtures of ours, the watch over hangs comes first, so the timer of pytest-timeout is set later,
    or not at all if it would end the whole run (its method "thread").
    """
    from pytest_windsock import deadline

    deadline.begin(item, settings)
    is_ours = fixtures.are_among(getattr(item, "fixturenames", ()))
    return deadline.postpone(item, settings) if is_ours and ini_values.hang_timeout_of(item.config) else None


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_timeout_cancel_timer(item: pytest.Item) -> None:
    """Forget the test's time."""
    from pytest_windsock import deadline

    deadline.end(item)


def pytest_enter_pdb(config: pytest.Config) -> None:
    """A debugger suspends the deadline and the watch over hangs, as pytest-timeout has it."""
    from pytest_windsock import deadline, debuggers

    config.stash[debuggers.ENTERED] = True
    deadline.end_all()
    if (hangs := sys.modules.get("pytest_windsock.hangs")) is not None:
        hangs.end()


def pytest_keyboard_interrupt() -> None:
    """Have the fixtures that are torn down now raise nothing: no report would show it, and no summary would follow."""
    fixtures.State.is_interrupted = True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Know which test is running: cheaper than a `request` in every fixture, whose servers cost so little."""
    state = fixtures.State
    saved = state.saved()
    state.item = item
    state.begin(phases.monotonic())
    try:
        result = yield
    finally:
        state.restore(saved)
    if state.was_interrupted_late:
        state.was_interrupted_late = False
        raise KeyboardInterrupt
    return result


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Watch over a setup; say in its failure what its servers had to do with it."""
    __tracebackhide__ = True
    return (yield from phases.watched(item, "setup"))


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Do so with the body of a test; fail a test that has passed if its servers have not."""
    __tracebackhide__ = True
    phases.begin(item)
    fixtures.State.is_in_body = True
    threads = past_threads.before_body()
    try:
        result = yield
    except BaseException as error:
        phases.failed(item, error, "body")
        raise
    finally:
        fixtures.State.is_in_body = False
        past_threads.note(threads)
    phases.passed(item, "body")
    state = fixtures.State
    if (state.servers or state.diversions or state.programs) and not getattr(item, "_excinfo", None):
        from pytest_windsock import verdict

        verdict.judge(state.servers)
    return result


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    """Watch over a teardown."""
    __tracebackhide__ = True
    return (yield from phases.watched(item, "teardown"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show in a failing test's report what its servers recorded.

    pytest-timeout may strike at any moment here (`pytest.fail()` in a signal handler), and so may Ctrl-C: the report is
    made all the same, with what there is, and the run ends after this test. So nothing is imported here.
    """
    raised = call.excinfo and call.excinfo.value
    if raised is not None:
        reports.prepare(call, item.config)
    report: pytest.TestReport | None = None
    with reports.whatever_strikes:
        report = yield
    if report is None:
        report = pytest.TestReport.from_item_and_call(item, call)
    reports.complete(report, item, raised)
    if call.when == "teardown":
        secrets.forget()
        fixtures.State.begin(phases.monotonic())  # the test may run again
    return report


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Show where bytes differ, in tests that have used a server: those of other tests are none of our business."""
    if op != "==" or not isinstance(left, bytes | bytearray) or not isinstance(right, bytes | bytearray):
        return None
    if not fixtures.State.servers:
        return None
    from pytest_windsock import comparison

    return comparison.of_bytes(left, right)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Show where interrupted tests stood, and report the passed tests for which no files could be written."""
    interrupted.summarize(terminalreporter, config)
    if artifacts.artifacts_of(config) is not None:
        artifacts.summarize(terminalreporter)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the watch over hangs, that over programs, and the threads kept for the next server; remove files."""
    crashes.close(config)
    interrupted.clean_up(config)
    if (hangs := sys.modules.get("pytest_windsock.hangs")) is not None:
        hangs.close()
    if (watcher := sys.modules.get("windsock.programs.watcher")) is not None:
        watcher.close()
    secrets.unconfigure()
    fixtures.close()
