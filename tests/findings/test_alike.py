"""A client that tries again and again."""

from __future__ import annotations

from tests.findings.conftest import Conclude


def test_equal_connections_at_regular_intervals_are_counted(conclude: Conclude) -> None:
    found = conclude(
        """
    def test_it(tcp_server):
        tcp_server.on(b"PING\\r\\n").reply(b"PONG\\r\\n")
        for _ in range(4):
            with client_of(tcp_server, 0.1) as client, contextlib.suppress(TimeoutError):
                client.sendall(b"PI")
                client.recv(100)
        raise TimeoutError("no answer in 4 attempts")
    """
    )

    assert found["test_it"] == [
        r"tcp_server #0: 2 of the 6 B of on(b'PING\r\n') came, b'NG\r\n' is missing",
        "tcp_server: 4 connections, one about every T s, each sent b'PI' and got nothing, ended by: client EOF",
    ]


def test_crowds_and_answered_clients_are_not_mentioned(conclude: Conclude) -> None:
    found = conclude(
        """
    def test_crowd(tcp_server):
        tcp_server.echo()
        tcp_server.crowd(5, Script().send(b"x").expect(b"x"))
        assert [each.data for each in tcp_server.requests] == [b"y"]

    def test_answered(tcp_server):
        tcp_server.echo()
        for _ in range(4):
            with client_of(tcp_server) as client:
                client.sendall(b"x")
                assert client.recv(1) == b"x"
        assert b"x" == b"y"
    """
    )

    assert found == {"test_crowd": [], "test_answered": []}


def test_the_fault_that_met_each_of_them_is_named(conclude: Conclude) -> None:
    found = conclude(
        """
    def attempt(server):
        time.sleep(0.1)  # as a client does that tries again
        with client_of(server) as client:
            client.sendall(b"hello")
            return client.recv(100)

    def test_it(tcp_server):
        with tcp_server.fault(Reset(after_bytes=0), direction="downstream"):
            for _ in range(3):
                with contextlib.suppress(ConnectionError):
                    attempt(tcp_server)
            attempt(tcp_server)
    """
    )

    assert found == {"test_it": ["tcp_server: 4 connections, one about every T s, each met by Reset(0)"]}


def test_connections_that_are_open_at_the_same_time_are_no_attempts(conclude: Conclude) -> None:
    found = conclude(
        """
    def test_it(tcp_server):
        tcp_server.echo()
        clients = []
        for _ in range(3):
            clients.append(client_of(tcp_server))
            time.sleep(0.02)  # as regular as attempts
        for each in clients:
            each.close()
        raise TimeoutError("no answer")
    """
    )

    assert [each for each in found["test_it"] if "3 connections" in each] == []
