"""Failures and interrupts at the worst moments: never an internal error, never a lost result."""

from __future__ import annotations

from itertools import product

import pytest

from tests.plugin.conftest import Run

LIMIT = ("-o", "windsock_hang_timeout=0.5", "-p", "no:randomly")

PHASES = """
    import time
    import pytest

    {rerun}

    @pytest.fixture
    def server(tcp_server):
        tcp_server.on(b"never").reply(b"sent")
        {setup}
        yield tcp_server
        {teardown}

    def test_before(tcp_server):
        pass

    def test_it(server):
        {body}

    def test_next(tcp_server):
        pass
"""
WAYS = {"passes": "pass", "fails": "raise LookupError('mine')", "hangs": "time.sleep(30)"}
RERUN = """
    import pytest
    from _pytest.runner import runtestprotocol

    def pytest_runtest_protocol(item, nextitem):
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for attempt in range(2):
            reports = runtestprotocol(item, nextitem=nextitem, log=False)
            is_last = attempt or not any(each.failed for each in reports)
            for each in reports:
                if each.failed and not is_last:
                    each.outcome = "rerun"
                item.ihook.pytest_runtest_logreport(report=each)
            if is_last:
                break
            item._initrequest()
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True
"""


def outcomes_of(setup: str, body: str, teardown: str) -> dict[str, int]:
    """Return the results of such a test and its two neighbours."""
    if setup != "passes":
        return {"passed": 2, "errors": 1}
    failed = 1  # the expectation that is never met, at least
    return {"passed": 2, "failed": failed, "errors": int(teardown != "passes")}


@pytest.mark.parametrize(
    ("setup", "body", "teardown"), [each for each in product(WAYS, repeat=3) if "passes" in each or "hangs" in each[2]]
)
def test_a_failure_or_a_hang_in_any_phase_is_one_of_that_phase(
    run_apart: Run, setup: str, body: str, teardown: str
) -> None:
    if setup != "passes" and (body, teardown) != ("passes", "passes"):
        pytest.skip("what follows a setup that fails does not run")
    code = PHASES.format(setup=WAYS[setup], body=WAYS[body], teardown=WAYS[teardown], rerun="")

    result = run_apart(code, *LIMIT)

    result.assert_outcomes(**outcomes_of(setup, body, teardown))
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    assert result.stdout.str().count("windsock: the test hung") == [setup, body, teardown].count("hangs")


@pytest.mark.parametrize("how", ["fails", "hangs"])
@pytest.mark.parametrize("phase", ["setup", "body", "teardown"])
def test_a_test_that_runs_again_is_judged_anew(run_apart: Run, pytester: pytest.Pytester, phase: str, how: str) -> None:
    pytester.makeconftest(RERUN)
    ways = {"setup": "pass", "body": "pass", "teardown": "pass", phase: f"if not runs.pop(): {WAYS[how]}"}
    code = PHASES.format(**ways, rerun="runs = [True, False]").replace('tcp_server.on(b"never").reply(b"sent")', "")

    result = run_apart(code, *LIMIT)

    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    outcomes = result.parseoutcomes()
    assert outcomes.pop("passed") == 3 + (phase == "teardown")  # the first try had passed by then
    assert outcomes.keys() <= {"rerun"}


STRIKE = """
    import signal

    def strike(*_):
        signal.raise_signal(signal.SIGINT)
"""
STRIKES = {
    "in the findings": """
    import windsock.findings
    windsock.findings.conclusions.failure_from = strike
""",
    "in the transcript": """
    from windsock.recording.transcript.transcript import Transcript
    Transcript.heading = property(lambda transcript: strike())
""",
    "in another report hook": """
    import pytest

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_makereport(item, call):
        report = yield
        if report.failed:
            strike()
        return report
""",
    "before the report": """
    from pytest_windsock import tracebacks
    original = tracebacks.shorten

    def shorten(call, config):
        if call.excinfo is not None:
            strike()
        original(call, config)

    tracebacks.shorten = shorten
""",
}


@pytest.mark.parametrize("where", STRIKES)
def test_an_interrupt_in_the_middle_of_a_report_keeps_the_result(
    run_apart: Run, pytester: pytest.Pytester, where: str
) -> None:
    pytester.makeconftest(STRIKE + STRIKES[where])

    result = run_apart(
        """
        def test_it(tcp_server):
            raise LookupError("mine")

        def test_next():
            pass
        """,
        "-p",
        "no:randomly",
    )

    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*LookupError: mine"])
