"""Fakes in tests: what was told and has not happened fails the test at its end, and the report says why."""

from __future__ import annotations

from tests.plugin.conftest import Run


def test_a_script_that_is_not_played_to_its_end_fails_the_test_with_its_state(run: Run) -> None:
    result = run(
        """
        from windsock import Script

        kept = []

        def test_it(tcp_server):
            tcp_server.play(Script().expect(b"HELO").send(b"250").expect(b"QUIT"))
            kept.append(tcp_server.connect().send(b"HELO").expect(b"250"))
        """
    )

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*ExceptionGroup: tcp_server on 127.0.0.1:*: * (1 sub-exception)*",
            "*script 1*expect(b'QUIT')*",
            "*received 4 B b'HELO'*",
            "*sent 3 B b'250'*",
        ]
    )


def test_what_nobody_asked_for_fails_the_test(run: Run) -> None:
    result = run(
        """
        from windsock import Script

        def test_it(forking_tcp_server, udp_server):
            forking_tcp_server.on(b"PING").reply(b"PONG")
            udp_server.play(Script().expect(b"PING"))
        """
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Unmet: on(b'PING').reply(b'PONG'): never matched*", "*pass allow_unused=True*"])
    result.stdout.fnmatch_lines(["*Unmet: play(): script 1 of 1: never played, no connection came for it*"])


def test_the_marker_and_the_factory_can_allow_it(run: Run) -> None:
    result = run(
        """
        import pytest
        from windsock import Script

        @pytest.mark.windsock(allow_unused=True)
        def test_marked(tcp_server):
            tcp_server.on(b"PING").reply(b"PONG")
            tcp_server.play(Script().expect(b"PING"))

        def test_made(serve):
            serve(framing="lines", allow_unused=True).reply(b"PONG")
        """
    )

    result.assert_outcomes(passed=2)


def test_that_it_is_allowed_is_said_with_true_or_false(run: Run) -> None:
    result = run(
        """
        import pytest

        @pytest.mark.windsock(allow_unused="yes")
        def test_it(tcp_server): pass
        """
    )

    result.stderr.fnmatch_lines(["*@pytest.mark.windsock: allow_unused='yes': expected True or False"])


def test_a_mismatch_is_reported_once_with_the_transcript(run: Run) -> None:
    result = run(
        """
        import socket
        from windsock import Script

        def test_it(tcp_server):
            tcp_server.play(Script().expect(b"HELO"))
            with socket.create_connection(tcp_server.address) as client:
                client.sendall(b"HELP")
                client.recv(1)
        """
    )

    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert text.count("ScriptMismatch: script 1, step 1, expect(b'HELO')") == 1 + text.count("handler error: Script")
    assert "never played" not in text
    assert "fake.py" not in text  # the way to the error is our own code
    result.stdout.fnmatch_lines(["*#0 script 1: failed at step 1 of 1, expect(b'HELO')*"])
