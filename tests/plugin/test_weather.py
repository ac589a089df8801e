"""An example of Hypothesis under a weather, in a test of pytest."""

from __future__ import annotations

from tests.plugin.conftest import Run


def test_hypothesis_shows_the_transcript_and_the_kinds_that_fired(run: Run) -> None:
    result = run(
        """
        import windsock
        from hypothesis import HealthCheck, Phase, given, settings
        from windsock import strategies

        options = settings(
            max_examples=50, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
            report_multiple_bugs=False,
            suppress_health_check=[HealthCheck.function_scoped_fixture],
        )

        @options
        @given(weather=strategies.weather(largest=8, slowest=0.01, most=1))
        def test_it(tcp_server, weather):
            with windsock.under(weather, tcp_server):
                tcp_server.echo()
                with tcp_server.connect() as client:
                    client.send(b"hello").expect(b"hello", timeout=1)
        """,
        "-p",
        "hypothesispytest",
        "--hypothesis-show-statistics",
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*weather=[[](*), {*'direction': *"])
    result.stdout.fnmatch_lines(["*#0 ~ fault: * at byte *"])
    result.stdout.fnmatch_lines(["*fired: *"])
