"""What a failing test shows: each server's transcript, and what went wrong in handlers."""

from __future__ import annotations

import re

import pytest

from tests.plugin.conftest import Run

BROKEN = """
    import socket, pytest

    def handler(request, client_address, server):
        request.sendall(request.recv(100).upper())
        raise LookupError("broken")
    """


def test_a_server_or_proxy_that_cannot_start_has_no_transcript(run: Run) -> None:
    result = run(
        """
        def test_server(serve):
            serve(host="203.0.113.1", allow_external=True)

        def test_proxy(fault_proxy, tcp_server):
            fault_proxy(tcp_server.address, listen=("203.0.113.1", 0), allow_external=True)
        """
    )

    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*StartError: the threading tcp server could not listen on 203.0.113.1:0*"])
    result.stdout.no_fnmatch_line("*could not be shown*")


def test_a_failing_test_shows_what_was_recorded(run: Run) -> None:
    result = run(
        """
        import socket

        def test_it(tcp_server, serve):
            tcp_server.echo()
            serve(transport="udp", name="the bystander")
            with socket.create_connection(tcp_server.address) as client:
                client.sendall(b"hello")
                assert client.recv(100) == b"goodbye"
        """
    )

    result.assert_outcomes(failed=1)
    result.stdout.re_match_lines(
        [
            r"-+ windsock: 2 servers and proxies -+",
            r"tcp_server, ThreadingTCPServer on 127\.0\.0\.1:\d+, 1 connection",
            r"the bystander, ThreadingUDPServer on 127\.0\.0\.1:\d+, 0 datagrams",
            r"\+0\.0000 tcp_server #0 from 127\.0\.0\.1:\d+",
            r"\+\d\.\d{4} tcp_server #0 > 5 B b'hello'",
            r"\+\d\.\d{4} tcp_server #0 < 5 B b'hello'",
            r"\+\d\.\d{4} --- the test's body ended: AssertionError",
        ],
        consecutive=False,
    )


@pytest.mark.parametrize("concurrency", ["threading", "forking"])
def test_an_error_whose_text_cannot_be_made_is_reported_all_the_same(concurrency: str, run: Run) -> None:
    result = run(
        f"""
        import pytest

        class Mute(Exception):
            def __str__(self):
                raise LookupError("no words")

        def handler(request, client_address, server):
            raise Mute

        @pytest.mark.windsock(handler=handler, concurrency={concurrency!r})
        def test_it(tcp_server):
            with tcp_server.connect() as client:
                client.expect_end()

        def test_next():
            pass
        """
    )

    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*handler error: *Mute*"])


def test_equal_errors_are_counted(run: Run) -> None:
    result = run(
        """
        import re, pytest

        def bad(message):
            raise ValueError("bad")

        @pytest.mark.windsock(framing="lines")
        def test_it(tcp_server):
            tcp_server.on(re.compile(b"^a")).reply_with(bad)
            tcp_server.on(b"b").reply_with(lambda message: {}[message])
            for message in [b"a\\n", b"b\\n", b"a\\n", b"a\\n"]:
                with tcp_server.connect() as client:
                    client.send(message).expect_end()
        """
    )

    result.stdout.fnmatch_lines(
        [
            "*errors in handlers (2 sub-exceptions)*",
            "*ValueError: bad*",
            "*windsock: while handling #0 from *",
            "*windsock: 3 times, this is the first*",
            "*KeyError: b'b*",
        ]
    )


def test_a_passing_test_shows_nothing(run: Run) -> None:
    result = run("def test_it(tcp_server): pass", "-rA")

    result.assert_outcomes(passed=1)
    assert "nothing was recorded" not in result.stdout.str()


def test_an_error_in_a_handler_fails_the_test_with_traceback_and_transcript(run: Run) -> None:
    result = run(
        BROKEN
        + """
    @pytest.mark.windsock(handler=handler)
    def test_it(tcp_server):
        with socket.create_connection(tcp_server.address) as client:
            client.sendall(b"cause")
            assert client.recv(100) == b"CAUSE"
            client.recv(1)
    """
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*ExceptionGroup: tcp_server on 127.0.0.1:*: errors in handlers (1 sub-exception)*",
            '*raise LookupError("broken")*',
            "*LookupError: broken*",
            "*windsock: while handling #0 from 127.0.0.1:*",
            "*windsock: tcp_server, ThreadingTCPServer on 127.0.0.1:*, 1 connection*",
            "*#0 > 5 B b'cause'*",
            "*#0 < 5 B b'CAUSE'*",
            "*#0 ! handler error: LookupError: broken*",
        ]
    )


def test_a_childs_error_shows_the_childs_traceback(run: Run) -> None:
    result = run(
        BROKEN
        + """
    @pytest.mark.windsock(handler=handler)
    def test_it(forking_tcp_server):
        with socket.create_connection(forking_tcp_server.address) as client:
            client.sendall(b"cause")
            while client.recv(100):
                pass
    """
    )

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(['*raise LookupError("broken")*', "*LookupError: broken*"])


def test_an_error_that_the_test_took_or_expects_does_not_fail_it(run: Run) -> None:
    result = run(
        BROKEN
        + """
    def provoke(server):
        with socket.create_connection(server.address) as client:
            client.sendall(b"cause")
            while client.recv(100):
                pass

    @pytest.mark.windsock(handler=handler, concurrency="sync")
    def test_take(tcp_server):
        provoke(tcp_server)
        with socket.create_connection(tcp_server.address):  # the loop has got there
            tcp_server.stop()
        assert "LookupError('broken')" in [repr(error) for error in tcp_server.errors.take()]

    @pytest.mark.windsock(handler=handler, strict=False)
    def test_relaxed(tcp_server):
        provoke(tcp_server)
    """
    )

    result.assert_outcomes(passed=2)


def test_a_long_transcript_is_cut_in_the_middle(run: Run) -> None:
    result = run(
        """
        import socket

        def test_it(tcp_server):
            tcp_server.echo()
            with socket.create_connection(tcp_server.address) as client:
                for number in range(500):
                    client.sendall(b"%03d" % number)
                    client.recv(100)
            assert False
        """
    )

    text = result.stdout.str()
    assert re.search(r"\.\.\. 9\d\d more lines \.\.\.", text)
    assert len(re.findall(r"#0 [<>] 3 B", text)) < 60


def test_several_errors_are_all_shown(run: Run) -> None:
    result = run(
        """
        import pytest, socket

        def handler(request, client_address, server):
            raise LookupError(repr(request.recv(10)))

        @pytest.mark.windsock(handler=handler)
        def test_it(tcp_server):
            for number in range(3):
                with socket.create_connection(tcp_server.address) as client:
                    client.sendall(b"no %d" % number)
                    while client.recv(10):
                        pass
        """
    )

    text = result.stdout.str()
    assert "errors in handlers (3 sub-exceptions)" in text
    assert all(f"LookupError: b'no {number}'" in text for number in range(3))


def test_a_server_or_proxy_that_cannot_listen_does_not_hide_what_the_others_recorded(run: Run) -> None:
    result = run(
        """
        def test_server(tcp_server, serve):
            with tcp_server.connect() as client:
                client.send(b"hello")
            tcp_server.requests.wait()
            serve(port=tcp_server.port)

        def test_proxy(tcp_server, fault_proxy):
            with tcp_server.connect() as client:
                client.send(b"hello")
            tcp_server.requests.wait()
            fault_proxy(tcp_server.address, listen=tcp_server.address)
        """
    )

    assert result.stdout.str().count("#0 > 5 B b'hello'") == 2
    result.stdout.no_fnmatch_line("*could not be shown*")
