"""Beside plugins that run tests again, in parts, or in workers: each part and each attempt explains itself."""

from __future__ import annotations

import re

import pytest

from tests.plugin.conftest import Run
from tests.plugin.test_where_shown import AT_TEARDOWN, PING, TALK


def test_every_attempt_of_a_rerun_test_explains_itself(run_apart: Run, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        def pytest_runtest_logreport(report):
            if report.outcome in ("failed", "rerun"):
                print(report.outcome, report.longreprtext.count("but for the line end"),
                      report.longreprtext.count("> 5 B"))
        """
    )

    result = run_apart(PING, "-p", "rerunfailures", "--reruns=1", "-s")

    result.stdout.fnmatch_lines(["*rerun 1 1", "*failed 1 1"])


def test_an_error_of_a_handler_is_a_failure_that_is_run_again(run_apart: Run) -> None:
    result = run_apart(
        """
        import pytest

        attempts = []

        def handler(request, client_address, server):
            request.recv(1)
            if not attempts:
                attempts.append(1)
                raise LookupError("broken")

        @pytest.mark.windsock(handler=handler)
        def test_it(tcp_server):
            with tcp_server.connect() as client:
                client.send(b"x").expect_end()
        """,
        "-p",
        "rerunfailures",
        "--reruns=1",
    )

    result.stdout.fnmatch_lines(["*1 passed, 1 rerun in *"])


def test_a_server_that_a_failing_test_has_not_used_is_not_shown(run: Run) -> None:
    result = run(
        """
        import pytest, windsock

        @pytest.fixture(scope="module", autouse=True)
        def server():
            with windsock.serving(name="the shared server") as server:
                server.echo()
                yield server

        def test_first(server):
            with server.connect() as client:
                client.send(b"x").expect(b"x")
            server.connections.wait()

        def test_that_uses_none():
            assert not "mine"

        def test_that_uses_it(server):
            with server.connect() as client:
                client.send(b"x").expect(b"x")
            assert not "mine"
        """
    )

    result.assert_outcomes(passed=1, failed=2)
    assert len(re.findall(r"^-+ windsock: the shared server", result.stdout.str(), re.MULTILINE)) == 1


def test_each_failed_subtest_has_its_conclusion_and_the_test_no_second_cause(run: Run) -> None:
    result = run(
        TALK
        + """
    def test_ping(tcp_server, subtests):
        for name in ("one", "two"):
            with subtests.test(name):
                talk(tcp_server)
    """
    )

    text = result.stdout.str()
    assert text.count("but for the line end") == 2
    assert "errors in handlers" not in text
    assert "never matched" not in text


def test_the_rest_of_a_test_behind_a_failed_subtest_has_its_conclusion_too(run: Run) -> None:
    result = run(
        TALK
        + """
    def test_ping(tcp_server, subtests):
        with subtests.test("one"):
            talk(tcp_server)
        talk(tcp_server)
    """
    )

    assert result.stdout.str().count("but for the line end") == 2


def test_a_subtest_has_no_conclusion_about_what_an_earlier_one_has_done(run: Run) -> None:
    result = run(
        TALK
        + """
    def test_ping(tcp_server, subtests):
        with subtests.test("one"):
            talk(tcp_server)
        with subtests.test("two"):
            raise TimeoutError("of something else")
        with subtests.test("three"):
            talk(tcp_server)
        with subtests.test("four"):
            socket.create_connection(("127.0.0.1", 1), timeout=5)
    """
    )

    conclusions = re.findall(r"windsock: (tcp_server #\d+): .* but for the line end", result.stdout.str())
    errors = re.findall(r"windsock: the tcp_server had an error too", result.stdout.str())
    assert conclusions == ["tcp_server #0", "tcp_server #1"]
    assert len(errors) == 2


def test_a_skipped_subtest_is_no_failure(run: Run) -> None:
    result = run(
        """
        import pytest

        def test_it(tcp_server, subtests):
            with subtests.test("one"):
                pytest.skip("today")
            with tcp_server.connect():
                pass
        """
    )

    assert "windsock: tcp_server" not in result.stdout.str()
    assert result.ret == pytest.ExitCode.OK


def test_a_teardown_in_a_worker_is_annotated_once(run_apart: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")

    result = run_apart(AT_TEARDOWN, "-p", "pytest_github_actions_annotate_failures", "-n1")

    assert len([line for line in result.errlines if line.startswith("::error file=")]) == 1


def test_a_failure_without_servers_is_left_to_the_plugin_that_annotates(
    run_apart: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")

    result = run_apart(
        """
        import pytest

        @pytest.fixture
        def broken():
            raise LookupError("broken")

        def test_it(broken):
            pass
        """,
        "-p",
        "pytest_github_actions_annotate_failures",
    )

    assert [line for line in result.errlines if line.startswith("::error")] == []
