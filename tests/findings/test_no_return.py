"""A client that did not come again after a reset."""

from __future__ import annotations

from tests.findings.conftest import Conclude


def test_a_client_that_does_not_retry_is_named(conclude: Conclude) -> None:
    found = conclude(
        """
    def test_it(tcp_server):
        tcp_server.echo()
        with tcp_server.fault(Reset(after_bytes=3), connections=first(1), direction="downstream"):
            with client_of(tcp_server) as client:
                client.sendall(b"hello")
                while client.recv(100):
                    pass
    """
    )

    assert found == {
        "test_it": ["tcp_server #0: Reset(3) reset the connection, and no client connected again after that"]
    }


def test_a_client_that_comes_again_is_not_mentioned(conclude: Conclude) -> None:
    found = conclude(
        """
    def ask(server):
        with client_of(server) as client:
            client.sendall(b"hello")
            return client.recv(100)

    def test_again(tcp_server):
        tcp_server.echo()
        with tcp_server.fault(Reset(after_bytes=0), connections=first(1), direction="downstream"):
            with contextlib.suppress(ConnectionResetError):
                ask(tcp_server)
            assert ask(tcp_server) == b"goodbye"

    def test_another_reason(tcp_server):
        tcp_server.echo()
        with tcp_server.fault(Reset(after_bytes=0), connections=first(1), direction="downstream"):
            with contextlib.suppress(ConnectionResetError):
                ask(tcp_server)
        assert 1 == 2
    """
    )

    assert found == {"test_again": [], "test_another_reason": []}
