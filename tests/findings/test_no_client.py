"""A server that nobody has come to."""

from __future__ import annotations

from tests.findings.conftest import Conclude


def test_the_address_is_named_and_the_one_that_the_client_tried(conclude: Conclude) -> None:
    found = conclude(
        """
    def test_other_port(tcp_server):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            socket.create_connection(unused.getsockname(), timeout=5)

    def test_missing(unix_stream_server):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect("/no/such/socket")

    def test_waited(tcp_server):
        tcp_server.requests.wait(1, timeout=0.01)

    def test_other_server(tcp_server, udp_server):
        with client_of(tcp_server) as client:
            client.sendall(b"hits:1|c")
        tcp_server.connections.wait(1)
        udp_server.requests.wait(1, timeout=0.01)

    def test_unmet(udp_server):
        udp_server.on(b"PING").reply(b"PONG")

    def test_past_the_proxy(tcp_server, fault_proxy):
        tcp_server.echo()
        proxy = fault_proxy(tcp_server.address)
        with client_of(tcp_server) as client:
            client.sendall(b"one")
            assert client.recv(100) == b"one"
        assert proxy.requests[:] == [b"one"]
    """
    )

    (missing,) = found.pop("test_missing")
    assert missing.startswith("no client connected to unix_stream_server, which is at /")
    assert found == {
        "test_other_port": [
            "no client connected to tcp_server, which is at 127.0.0.1:PORT; the client tried 127.0.0.1:PORT"
        ],
        "test_waited": ["no client connected to tcp_server, which is at 127.0.0.1:PORT"],
        "test_other_server": ["no datagram came to udp_server, which is at 127.0.0.1:PORT"],
        "test_unmet": ["no datagram came to udp_server, which is at 127.0.0.1:PORT"],
        "test_past_the_proxy": [
            "no client connected to fault_proxy 1, which is at 127.0.0.1:PORT: the client went to the server behind it"
        ],
    }


def test_servers_that_were_not_meant_are_not_mentioned(conclude: Conclude) -> None:
    found = conclude(
        """
    def test_bystander(tcp_server, udp_server):
        tcp_server.echo()
        with client_of(tcp_server) as client:
            client.sendall(b"one")
            assert client.recv(100) == b"two"

    def test_another_reason(tcp_server):
        assert 1 == 2

    def test_another_file(tcp_server):
        open("/no/such/file")
    """
    )

    assert found == {"test_bystander": [], "test_another_reason": [], "test_another_file": []}
