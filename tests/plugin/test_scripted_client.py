"""The fixture `scripted_client`, and the time that a test has left."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Run

SILENT = """
import time

import pytest
import windsock


def test_nobody_answers(tcp_server):
    with tcp_server.connect() as client:
        client.send(b"hello").expect(b"answer", timeout=30)
"""


def test_its_clients_are_closed_when_the_test_ends(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import windsock

        kept = []

        def test_one(tcp_server, scripted_client):
            tcp_server.echo()
            client = scripted_client(tcp_server.address)
            client.send(b"hello").expect(b"hello")
            kept.append(client)

        def test_two():
            assert kept[0].outcome == "closed"
            assert kept[0].socket.fileno() == -1
        """
    )

    pytester.runpytest("-W", "error").assert_outcomes(passed=2)


def test_it_connects_to_every_kind_of_address(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("name", ["tcp", "udp", "unix_stream", "unix_datagram"])
        def test_echo(request, scripted_client, name):
            server = request.getfixturevalue(f"{name}_server")
            server.echo()
            client = scripted_client(server.address, **({"transport": "udp"} if name == "udp" else {}))
            client.send(b"hello").expect(b"hello")

        @pytest.mark.windsock(tls=True)
        def test_tls(tcp_server, scripted_client):
            tcp_server.echo()
            scripted_client(tcp_server.address, tls=True).send(b"hello").expect(b"hello")

        def test_source(tcp_server, scripted_client):
            tcp_server.echo()
            scripted_client(tcp_server.address, source="127.0.0.1").send(b"hello").expect(b"hello")
        """
    )

    # In a process of its own: cryptography can't be imported twice in one.
    pytester.runpytest_subprocess("-W", "error").assert_outcomes(passed=6)


def test_its_default_deadline_is_the_ini_value(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nwindsock_timeout = 0.25\n")
    pytester.makepyfile(
        """
        def test_one(tcp_server, scripted_client):
            assert scripted_client(tcp_server.address).timeout == 0.25
            assert scripted_client(tcp_server.address, timeout=3).timeout == 3
            assert tcp_server.connect().timeout == 0.25
        """
    )

    pytester.runpytest("-W", "error").assert_outcomes(passed=1)


def test_a_failure_in_the_background_that_nobody_has_joined_fails_the_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from windsock import Script

        def play(tcp_server, client, **options):
            tcp_server.on(b"hello").reply(b"no")
            playing = client.play_in_background(Script().send(b"hello").expect(b"yes"), **options)
            while playing.is_playing:
                pass

        def test_of_the_factory(tcp_server, scripted_client):
            play(tcp_server, scripted_client(tcp_server.address))

        def test_of_the_server(tcp_server):
            play(tcp_server, tcp_server.connect())

        def test_not_strict(tcp_server, scripted_client):
            play(tcp_server, scripted_client(tcp_server.address), strict=False)
        """
    )

    result = pytester.runpytest("-W", "error")

    result.assert_outcomes(passed=3, errors=2)
    result.stdout.fnmatch_lines(["*step 2, expect(b'yes'): *"])
    result.stdout.fnmatch_lines(["*scripts in the background failed*"])


@pytest.mark.parametrize("method", ["signal", "thread"])
@pytest.mark.parametrize("func_only", ["true", "false"])
def test_a_step_waits_no_longer_than_its_test_may_take(pytester: pytest.Pytester, method: str, func_only: str) -> None:
    pytester.makepyfile(SILENT)
    pytester.makeini(f"[pytest]\ntimeout = 2\ntimeout_method = {method}\ntimeout_func_only = {func_only}\n")

    result = pytester.runpytest_subprocess("-W", "error")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ScriptTimeout: step 2, expect(b'answer', timeout=30): *"])
    result.stdout.no_fnmatch_line("*from pytest-timeout*")


def test_the_time_of_one_test_is_no_limit_for_the_next_one(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import math

        import pytest
        from windsock.net import deadlines

        @pytest.mark.timeout(30)
        def test_limited(tcp_server):
            assert deadlines.latest() < math.inf

        @pytest.mark.timeout(0)
        def test_unlimited(tcp_server):
            assert deadlines.latest() == math.inf
        """
    )

    options = ["-W", "error", "-p", "no:cacheprovider", "-o", "windsock_hang_timeout=0"]
    pytester.runpytest_subprocess(*options).assert_outcomes(passed=2)


def test_a_test_within_a_test_leaves_the_outer_ones_limit_alone(pytester: pytest.Pytester) -> None:
    from windsock.net import deadlines

    before = deadlines.latest()
    pytester.makepyfile("def test_inner(tcp_server): pass")

    pytester.runpytest("--timeout", "20").assert_outcomes(passed=1)

    assert deadlines.latest() == pytest.approx(before)


def test_under_a_debugger_there_is_no_limit(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import math

        import pytest
        import pytest_timeout
        from windsock.net import deadlines

        def test_entered(tcp_server, request):
            assert deadlines.latest() < math.inf
            request.config.hook.pytest_enter_pdb(config=request.config, pdb=None)
            assert deadlines.latest() == math.inf

        def test_after_it(tcp_server):
            assert deadlines.latest() == math.inf
        """
    )

    pytester.runpytest_subprocess("--timeout", "20").assert_outcomes(passed=2)


def test_a_fault_of_a_client_that_never_fires_fails_the_test(run: Run) -> None:
    result = run(
        """
        from windsock.faults import Reset

        def test_it(tcp_server, scripted_client):
            tcp_server.echo()
            client = scripted_client(tcp_server.address, faults=[Reset(after_bytes=100)])
            client.send(b"x").expect(b"x")
        """
    )

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*FaultNeverFired: Reset(100) never fired; *"])
