"""One cause is one failure: of the test that has passed, beside the failure of its body, or of its setup."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Run

HANDLER = """
    import socket
    import pytest
    from windsock import Script, servers
    from windsock.faults import Delay

    class Broken(servers.StreamRequestHandler):
        def handle(self):
            raise LookupError("broken")

    def provoke(server):
        with socket.create_connection(server.address) as client:
            client.sendall(b"x")
            client.recv(1)
"""


@pytest.mark.parametrize("concurrency", ["sync", "threading", "forking", "selecting", "trio"])
def test_a_failing_body_has_the_handlers_error_and_traceback_as_a_note(run: Run, concurrency: str) -> None:
    result = run(
        HANDLER
        + f"""
    def test_it(serve):
        provoke(serve(Broken, concurrency={concurrency!r}, name="the server"))
        assert not "mine"
    """,
        "--tb=short",
        "--show-capture=no",
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *assert not 'mine'",
            "E *windsock: the the server had an error too: LookupError: broken*",
            "E *raise LookupError*",
        ]
    )


def test_a_failing_setup_has_it_too(run: Run) -> None:
    result = run(
        HANDLER
        + """
    @pytest.fixture
    def client(serve):
        provoke(serve(Broken))
        raise OSError("no answer")

    def test_it(client):
        pass
    """
    )

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E *OSError: no answer", "E *had an error too: LookupError: broken*"])


def test_what_was_not_met_is_a_note_without_a_remedy(run: Run) -> None:
    result = run(
        HANDLER
        + """
    def test_it(tcp_server, udp_server):
        tcp_server.play(Script().expect(b"HELO").send(b"250").expect(b"QUIT"))
        udp_server.fault(Delay(1))
        client = tcp_server.connect()
        client.send(b"HELO").expect(b"250")
        assert not "mine"
    """
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *assert not 'mine'",
            "E *windsock: the tcp_server: play(): script 1 of 1: not played to its end, #0 * is at step 3 *",
            "E *windsock: the udp_server: Delay(1) never fired; the udp_server had 0 datagrams, 0 B up, 0 B down",
        ]
    )
    assert "allow_un" not in result.stdout.str()


def test_an_expectation_that_a_later_teardown_meets_is_met(run: Run) -> None:
    result = run(
        HANDLER
        + """
    @pytest.fixture
    def client(tcp_server):
        tcp_server.play(Script().expect(b"HELO").send(b"250").expect(b"QUIT"))
        with socket.create_connection(tcp_server.address) as client:
            yield client
            client.sendall(b"QUIT")

    def test_it(client):
        client.sendall(b"HELO")
        assert client.recv(3) == b"250"
    """
    )

    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "outcome",
    ["pytest.skip('today')", "pytest.xfail('known')", "raise KeyboardInterrupt"],
    ids=["skip", "xfail", "interrupt"],
)
def test_an_outcome_that_is_no_failure_gets_no_notes(run_apart: Run, outcome: str) -> None:
    result = run_apart(
        HANDLER
        + f"""
    def test_it(tcp_server):
        tcp_server.on(b"a").reply(b"b")
        {outcome}
    """
    )

    assert "E       windsock:" not in result.stdout.str()


@pytest.mark.parametrize("outcome", ["skip", "xfail"])
def test_a_test_that_leaves_early_need_not_meet_what_it_expected(run: Run, outcome: str) -> None:
    result = run(
        f"""
    import pytest
    from windsock.faults import Drop

    def test_it(tcp_server, udp_server):
        tcp_server.on(b"a").reply(b"b")
        udp_server.fault(Drop(1))
        pytest.{outcome}("today")
    """
    )

    result.assert_outcomes(**{"skip": {"skipped": 1}, "xfail": {"xfailed": 1}}[outcome])


def test_a_test_that_is_expected_to_fail_has_one_outcome(run: Run) -> None:
    result = run(
        HANDLER
        + """
    @pytest.mark.xfail
    @pytest.mark.windsock(handler=Broken)
    def test_it(tcp_server):
        provoke(tcp_server)
        assert not "mine"
    """
    )

    result.assert_outcomes(xfailed=1)


@pytest.mark.parametrize("wrong", ["tcp_server.fault('x')", "tcp_server.on(b'')", "serve(transprot='udp')"])
def test_a_wrong_call_of_windsock_is_all_that_is_said(run: Run, wrong: str) -> None:
    result = run(
        f"""
    def test_it(tcp_server, serve):
        tcp_server.on(b"a").reply(b"b")
        {wrong}
    """
    )

    result.assert_outcomes(failed=1)
    assert [line for line in result.outlines if line.startswith("E       windsock: ")] == []


def test_a_handlers_error_is_told_beside_a_wrong_call(run: Run) -> None:
    result = run(
        HANDLER
        + """
    def test_it(serve):
        server = serve(Broken)
        provoke(server)
        server.fault("x")
    """
    )

    result.stdout.fnmatch_lines(["E *UsageError: 'x': expected a fault*", "E *had an error too: LookupError: broken"])


def test_colors_in_a_handlers_message_are_escaped(run: Run) -> None:
    result = run(
        HANDLER
        + r"""
    class Red(servers.StreamRequestHandler):
        def handle(self):
            raise LookupError("\x1b[31mred")

    def test_it(serve):
        provoke(serve(Red))
        assert not "mine"
    """
    )

    result.stdout.fnmatch_lines([r"E *had an error too: LookupError: \x1b[[]31mred"])
