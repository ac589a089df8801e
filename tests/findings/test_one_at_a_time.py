"""A server that handles one connection at a time."""

from __future__ import annotations

from tests.findings.conftest import Conclude

TWO_CLIENTS = """
    def ask_beside_a_silent_client(server):
        with client_of(server), client_of(server, 0.5) as client:
            client.sendall(b"hello")
            return client.recv(100)
    """


def test_the_connection_that_kept_the_other_one_waiting_is_named(conclude: Conclude) -> None:
    found = conclude(
        TWO_CLIENTS
        + """
    def test_it(sync_tcp_server):
        sync_tcp_server.echo()
        ask_beside_a_silent_client(sync_tcp_server)
    """
    )

    assert found == {
        "test_it": [
            "sync_tcp_server handles one connection at a time, and #0 was open for T s before #1 had its turn: "
            "a threading server does not keep it waiting"
        ]
    }


def test_connections_one_after_the_other_are_not_mentioned(conclude: Conclude) -> None:
    found = conclude(
        TWO_CLIENTS
        + """
    def test_it(sync_tcp_server):
        sync_tcp_server.echo()
        for _ in range(2):
            with client_of(sync_tcp_server, 0.3) as client:
                client.sendall(b"hello")
                assert client.recv(100) == b"hello"
        raise TimeoutError("something else")

    def test_beside(tcp_server):
        tcp_server.echo()
        assert ask_beside_a_silent_client(tcp_server) == b"goodbye"
    """
    )

    assert found == {"test_it": [], "test_beside": []}
