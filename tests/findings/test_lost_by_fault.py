"""What a fault has dropped."""

from __future__ import annotations

from tests.findings.conftest import Conclude


def test_a_datagram_that_was_dropped_and_not_sent_again_is_named(conclude: Conclude) -> None:
    found = conclude(
        """
    @pytest.mark.parametrize("direction", ["upstream", "downstream"])
    def test_it(udp_server, direction):
        udp_server.echo()
        with udp_server.fault(Drop(1), direction=direction), datagrams_to(udp_server, 0.2) as client:
            client.send(b"hello")
            client.recv(100)
    """
    )

    assert found["test_it[upstream]"][:1] == [
        "udp_server: Drop(1) took effect upstream (dropped number 1, 5 B), and the client sent nothing again after that"
    ]
    assert found["test_it[downstream]"][:1] == [
        "udp_server: Drop(1) took effect downstream (dropped number 1, 5 B), "
        "and the client sent nothing again after that"
    ]


def test_what_was_sent_again_is_not_mentioned(conclude: Conclude) -> None:
    found = conclude(
        """
    def test_it(udp_server):
        udp_server.echo()
        with udp_server.fault(Drop(1), direction="upstream"), datagrams_to(udp_server, 0.2) as client:
            client.send(b"hello")
            with contextlib.suppress(TimeoutError):
                client.recv(100)
            client.send(b"hello")
            assert client.recv(100) == b"goodbye"
    """
    )

    assert found == {"test_it": []}


def test_data_that_was_held_counts_for_more_than_the_end_after_it(conclude: Conclude) -> None:
    found = conclude(
        """
    def test_it(tcp_server):
        tcp_server.greet(b"220 ready\\r\\n", end="half_close")
        fault = tcp_server.fault(Blackhole(), direction="downstream")
        with client_of(tcp_server, 0.2) as client:
            while fault.fired < 2:  # the greeting, and the end
                time.sleep(0.01)
            client.recv(100)
    """
    )

    assert found["test_it"][:1] == [
        "tcp_server: Blackhole() took effect downstream (held 11 B), and the client sent nothing again after that"
    ]


def test_a_client_that_got_nothing_took_nothing_for_the_whole(conclude: Conclude) -> None:
    found = conclude(
        """
    def test_it(tcp_server):
        tcp_server.on(b"GET").reply(b"3.20")
        with tcp_server.fault(Truncate(0), direction="downstream"):
            with socket.create_connection(tcp_server.address, timeout=5) as client:
                client.sendall(b"GET")
                assert client.recv(100) == b"3.20"
    """
    )

    assert not any("for the whole" in each for each in found["test_it"])
