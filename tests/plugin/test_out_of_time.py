"""pytest-timeout strikes while a failure is being reported: the report is made all the same, and the run goes on."""

from __future__ import annotations

import signal

import pytest

from tests.plugin.conftest import Run

needs_alarm = pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="pytest-timeout has no signal here")

FAILS = """
    import pytest

    @pytest.mark.timeout(30, method="signal")
    def test_it(tcp_server):
        tcp_server.on(b"never").reply(b"sent")
        raise LookupError("the test's own failure")

    def test_next():
        pass
    """

WAIT = """
    import signal, time

    def wait_for_the_alarm():
        if signal.getitimer(signal.ITIMER_REAL)[0]:
            signal.setitimer(signal.ITIMER_REAL, 0.001)  # pytest-timeout's own, brought forward
        while signal.getitimer(signal.ITIMER_REAL)[0]:
            time.sleep(0.01)
"""


@needs_alarm
@pytest.mark.parametrize(
    "where",
    [
        """
    from pytest_windsock import tracebacks
    original = tracebacks.shorten

    def shorten(call, config):
        if call.excinfo is not None and call.when == "call":
            wait_for_the_alarm()
        original(call, config)

    tracebacks.shorten = shorten
""",
        """
    import pytest

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_makereport(item, call):
        if call.excinfo is not None and call.when == "call":
            wait_for_the_alarm()
        return (yield)
""",
        """
    import windsock
    original = windsock.RunningServer.transcript

    def transcript(self):
        wait_for_the_alarm()
        return original(self)

    windsock.RunningServer.transcript = transcript
""",
    ],
    ids=["before the report", "in the report", "in the transcript"],
)
def test_the_report_is_made_when_time_is_up_in_the_middle_of_it(
    where: str, run_apart: Run, pytester: pytest.Pytester
) -> None:
    pytester.makeconftest(WAIT + where)

    result = run_apart(FAILS, "-p", "no:xdist")

    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "*LookupError: the test's own failure*",
            "*windsock: the tcp_server: on(b'never').reply(b'sent'): never matched*",
        ]
    )


@needs_alarm
def test_nothing_but_findings_is_imported_for_a_report(run_apart: Run, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import sys
        import pytest

        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_runtest_makereport(item, call):
            before = set(sys.modules)
            report = yield
            ours = {name for name in set(sys.modules) - before if "windsock" in name and "findings" not in name}
            print("imported:", sorted(ours))
            return report
        """
    )

    result = run_apart(
        """
        def test_it(tcp_server, fault_proxy):
            fault_proxy(tcp_server.address)
            with tcp_server.connect() as client:
                client.send(b"x").expect(b"y", timeout=0.01)
        """,
        "-s",
    )

    result.assert_outcomes(failed=1)
    lines = [line for line in result.outlines if "imported:" in line]
    assert lines
    assert {line.partition("imported:")[2].strip() for line in lines} == {"[]"}
