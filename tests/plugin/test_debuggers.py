"""Debuggers: while one is at work, no test is taken for a hang, as pytest-timeout has it."""

from __future__ import annotations

import sys

import pytest

from tests.plugin.conftest import BOUND, PLUGIN, Run

LIMIT = ["-o", "windsock_hang_timeout=0.3", "-p", "no:timeout", "-p", "no:xdist"]
PATIENCE = b"import time; time.sleep(1)\n"

TRACER = """
    import sys, time
    import pytest

    def sleep(seconds=1):
        time.sleep(seconds)

    def trace(*_):
        return trace

    trace.__module__ = "{module}"

    @pytest.fixture(autouse=True)
    def no_trace():
        yield
        sys.settrace(None)
        if hasattr(sys, "monitoring"):
            sys.monitoring.free_tool_id(sys.monitoring.DEBUGGER_ID)
"""
BEFORE = """
    @pytest.fixture
    def debugger():
        {start}

    def test_it(debugger, tcp_server):
        sleep({seconds})
"""
LATER = """
    def test_it(tcp_server):
        {start}
        sleep({seconds})
"""


def debug(pytester: pytest.Pytester, code: str, commands: bytes, *options: str) -> pytest.RunResult:
    """Run a test with commands for pdb."""
    path = pytester.makepyfile(code)
    command = [sys.executable, "-m", "pytest", *PLUGIN, *LIMIT, *options, str(path)]
    return pytester.run(*command, stdin=commands, timeout=BOUND)


@pytest.mark.usefixtures("run_apart")
def test_a_breakpoint_may_last(pytester: pytest.Pytester) -> None:
    result = debug(pytester, "def test_it(tcp_server):\n    breakpoint()\n", PATIENCE + b"c\n")

    result.assert_outcomes(passed=1)


@pytest.mark.usefixtures("run_apart")
def test_the_first_server_may_be_started_in_a_debugger(pytester: pytest.Pytester) -> None:
    code = "def test_it(serve):\n    breakpoint()\n    serve()\n    assert True\n"

    result = debug(pytester, code, b"n\nn\n" + PATIENCE + b"c\n")

    result.assert_outcomes(passed=1)


@pytest.mark.usefixtures("run_apart")
def test_a_failure_may_be_looked_at_for_long(pytester: pytest.Pytester) -> None:
    code = """
        import time, pytest

        @pytest.fixture
        def slow(tcp_server):
            yield
            time.sleep(0.5)

        def test_it(slow):
            assert not "mine"
    """

    result = debug(pytester, code, PATIENCE + b"c\n", "--pdb")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*AssertionError: assert not 'mine'"])
    result.stdout.no_fnmatch_line("*the test hung*")


@pytest.mark.parametrize("module", ["pydevd", "_pydevd_bundle.tracing", "pydevd_frame_evaluator.evaluator", "bdb"])
@pytest.mark.parametrize("when", [BEFORE, LATER], ids=["before the test", "in the test"])
def test_a_trace_function_of_a_debugger_is_known(run_apart: Run, when: str, module: str) -> None:
    result = run_apart(TRACER.format(module=module) + when.format(start="sys.settrace(trace)", seconds=1), *LIMIT)

    result.assert_outcomes(passed=1)


@pytest.mark.skipif(not hasattr(sys, "monitoring"), reason="sys.monitoring came with Python 3.12")
@pytest.mark.parametrize("when", [BEFORE, LATER], ids=["before the test", "in the test"])
def test_a_debugger_that_monitors_is_known(run_apart: Run, when: str) -> None:
    start = "sys.monitoring.use_tool_id(sys.monitoring.DEBUGGER_ID, 'mine')"

    result = run_apart(TRACER.format(module="mine") + when.format(start=start, seconds=1), *LIMIT)

    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("when", [BEFORE, LATER], ids=["before the test", "in the test"])
def test_other_trace_functions_end_no_watch(run_apart: Run, when: str) -> None:
    result = run_apart(TRACER.format(module="profiler") + when.format(start="sys.settrace(trace)", seconds=60), *LIMIT)

    result.stdout.fnmatch_lines(["*the test stood at *in sleep: time.sleep(seconds)"])


def test_a_debugger_counts_for_nothing_where_pytest_timeout_is_told_so(run_apart: Run) -> None:
    code = TRACER.format(module="pydevd") + LATER.format(start="sys.settrace(trace)", seconds=60)

    result = run_apart(code, "--timeout=0.5", "--timeout-disable-debugger-detection", "-p", "no:xdist")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the test stood at *in sleep: time.sleep(seconds)"])
