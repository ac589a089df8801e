"""Errors of ours point to the test's own line, and nothing is said twice."""

from __future__ import annotations

import re

import pytest

from tests.plugin.conftest import Run


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("tcp_server.connect().half_close().send(b'x')", "this end has been half-closed before"),
        ("tcp_server.fault('nothing')", "expected"),
        ("tcp_server.requests.wait(1, timeout=0.01)", "waited 0.01 s for 1 complete request, got 0"),
        ("tcp_server.connections.wait(1, timeout=0.01)", "waited 0.01 s for 1 connection to end, got 0"),
    ],
)
def test_an_error_of_ours_ends_in_the_test(run: Run, wrong: str, why: str) -> None:
    result = run(
        f"""
        def test_it(tcp_server):
            {wrong}
        """
    )

    result.assert_outcomes(failed=1)
    assert why in result.stdout.str()
    places = [line.rpartition(": ")[0] for line in result.outlines if re.match(r"\S+\.py:\d+: ", line)]
    assert places == ["test_an_error_of_ours_ends_in_the_test.py:2"]


def test_the_full_trace_is_there_for_who_asks(run: Run) -> None:
    code = """
    def test_it(tcp_server):
        with tcp_server.outage():
            tcp_server.connect()
    """

    assert "clients/client_sockets.py" not in run(code).stdout.str()
    assert "clients/client_sockets.py" in run(code, "--full-trace").stdout.str()


def test_an_error_of_a_handler_keeps_all_of_its_way(run: Run) -> None:
    result = run(
        """
        import windsock

        def deepest():
            raise windsock.UsageError("mine")

        def test_it(tcp_server):
            tcp_server.echo()
            deepest()
        """
    )

    assert len([line for line in result.outlines if re.match(r"\S+\.py:\d+: ", line)]) == 2


def test_a_transcript_is_shown_once(run: Run) -> None:
    result = run(
        """
        from windsock import Script

        def test_it(tcp_server):
            tcp_server.play(Script().expect(b"right").send(b"y"))
            with tcp_server.connect() as client:
                client.send(b"wrong").expect(b"y")
        """
    )

    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert text.count("#0 > 5 B b'wrong'") == 1
    assert text.count("... as in the test's own report, and then:") == text.count("(teardown) -")
    assert "entries are hidden" not in text


@pytest.mark.skipif(pytest.version_tuple < (8, 4), reason="pytest shows all frames of an exception group before 8.4")
def test_what_a_factory_made_shows_no_frames_of_ours(run: Run) -> None:
    result = run(
        """
        def test_it(serve):
            serve().on(b"a").reply(b"b")
        """
    )

    result.assert_outcomes(failed=1)
    assert "fixtures.py" not in result.stdout.str()
    assert "entries are hidden" not in result.stdout.str()


ELSEWHERE = """
    import windsock.servers

    class Broken(windsock.servers.StreamRequestHandler):
        def handle(self):
            1 // 0
    """
USES_IT = """
    import elsewhere

    def test_it(serve):
        with serve(elsewhere.Broken, concurrency={!r}).connect() as client:
            client.expect_eof()
    """


@pytest.mark.parametrize("concurrency", ["sync", "threading", "forking", "selecting", "trio"])
def test_an_error_of_a_handler_starts_in_the_handler(run: Run, pytester: pytest.Pytester, concurrency: str) -> None:
    pytester.makepyfile(elsewhere=ELSEWHERE)

    result = run(USES_IT.format(concurrency))

    result.assert_outcomes(failed=1)
    members = result.stdout.str().partition("1 sub-exception")[2]
    assert re.findall(r'File ".*/(\w+\.py)", line \d+, in (\w+)', members) == [("elsewhere.py", "handle")]


def test_the_full_trace_has_what_leads_to_a_handler(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(elsewhere=ELSEWHERE)

    text = run(USES_IT.format("threading"), "--full-trace").stdout.str()

    assert "servers/handlers.py" in text
