"""A part of a reply that was taken for all of it."""

from __future__ import annotations

from tests.findings.conftest import Conclude


def test_one_recv_of_a_reply_in_pieces_is_named(conclude: Conclude) -> None:
    found = conclude(
        """
    def test_pieces(tcp_server):
        tcp_server.on(b"PING").reply(b"PONG\\r\\n", pieces=2, every=0.2)
        with client_of(tcp_server) as client:
            client.sendall(b"PING")
            answer = client.recv(100)
            tcp_server.drain()
            assert answer == b"PONG\\r\\n"

    def test_small(tcp_server):
        tcp_server.on(b"PING").reply(b"PONG\\r\\n")
        with client_of(tcp_server) as client:
            client.sendall(b"PING")
            assert client.recv(4) == b"PONG\\r\\n"

    def test_datagram(udp_server):
        udp_server.echo()
        with datagrams_to(udp_server) as client:
            client.send(b"hello")
            assert client.recv(3) == b"hello"

    def test_record(unix_seqpacket_server):
        unix_seqpacket_server.echo()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.connect(unix_seqpacket_server.path)
            client.send(b"hello")
            assert client.recv(3) == b"hello"
    """
    )

    assert found == {
        "test_pieces": [
            "tcp_server #0: the client took 3 of the 6 B of the reply, which were sent in 2 pieces: "
            "one recv() returns what has arrived, so read on until the message is complete"
        ],
        "test_small": [
            "tcp_server #0: the client took 4 of the 6 B of the reply, which were sent in 1 piece: "
            "one recv() returns what has arrived, so read on until the message is complete"
        ],
        "test_datagram": [
            "udp_server #0: the client took 3 of the 5 B of the reply: "
            "a recv() with too small a buffer drops the rest of a datagram"
        ],
        "test_record": [
            "unix_seqpacket_server #0: the client took 3 of the 5 B of the reply: "
            "a recv() with too small a buffer drops the rest of a record"
        ],
    }


def test_a_reply_that_is_as_sent_or_was_cut_by_a_fault_is_not_mentioned(conclude: Conclude) -> None:
    found = conclude(
        """
    def test_as_sent(tcp_server):
        tcp_server.on(b"PING").reply(b"PO")
        with client_of(tcp_server) as client:
            client.sendall(b"PING")
            assert client.recv(100) == b"PONG"

    def test_cut(tcp_server):
        tcp_server.on(b"PING").reply(b"PONG")
        with tcp_server.fault(Truncate(2), direction="downstream"), client_of(tcp_server) as client:
            client.sendall(b"PING")
            assert client.recv(100) == b"PONG"
    """
    )

    assert found["test_as_sent"] == []
    assert [each for each in found["test_cut"] if "of the reply" in each] == []
