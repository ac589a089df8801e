"""Clients that a fault takes by surprise: they do not ask again, or take what is left for the whole."""

from __future__ import annotations

from tests.findings.defects.conftest import NameCauses

DEFECTS = """
    import json
    from windsock.faults import Corrupt, Delay, Duplicate, Truncate, Hold

    def test_a_dropped_request(udp_server):
        udp_server.echo()
        udp_server.fault(Drop(1), direction="upstream")
        with datagrams_to(udp_server, 0.3) as client:
            client.send(b"hello")
            assert client.recv(100) == b"hello"

    def test_a_dropped_reply(udp_server):
        udp_server.echo()
        udp_server.fault(Drop(1), direction="downstream")
        with datagrams_to(udp_server, 0.3) as client:
            client.send(b"hello")
            assert client.recv(100) == b"hello"

    def test_a_duplicate_taken_for_another_reply(udp_server):
        udp_server.echo()
        udp_server.fault(Duplicate(1), direction="downstream")
        with datagrams_to(udp_server) as client:
            client.send(b"one")
            assert client.recv(100) == b"one"
            client.send(b"two")
            assert client.recv(100) == b"two"

    def test_a_late_reply_taken_for_another(udp_server):
        udp_server.echo()
        udp_server.fault(Delay(0.3), direction="downstream", times=1)
        with datagrams_to(udp_server, 0.2) as client:
            client.send(b"one")
            with contextlib.suppress(TimeoutError):
                client.recv(100)
            client.settimeout(5)
            time.sleep(0.2)
            client.send(b"two")
            assert client.recv(100) == b"two"

    def test_a_truncated_reply_taken_for_the_whole(tcp_server):
        tcp_server.on(b"GET\\n").reply(b"0123456789" * 10, end="close")
        tcp_server.fault(Truncate(30), direction="downstream")
        with client_of(tcp_server) as client:
            client.sendall(b"GET\\n")
            assert b"".join(iter(lambda: client.recv(100), b"")) == b"0123456789" * 10

    def test_a_truncated_reply_counted(tcp_server):
        tcp_server.on(b"GET\\n").reply(b"one\\ntwo\\nthree\\n", end="close")
        tcp_server.fault(Truncate(6), direction="downstream")
        with client_of(tcp_server) as client, client.makefile("rb") as lines:
            client.sendall(b"GET\\n")
            assert len(lines.readlines()) == 3

    def test_a_corrupt_reply(tcp_server):
        tcp_server.on(b"GET\\n").reply(b"0123456789")
        tcp_server.fault(Corrupt(), direction="downstream")
        with client_of(tcp_server) as client:
            client.sendall(b"GET\\n")
            assert client.recv(100) == b"0123456789"
    """

CAUSES = {
    "test_a_dropped_request": (
        "udp_server: Drop(1) took effect upstream (dropped number 1, 5 B), and the client sent nothing again after that"
    ),
    "test_a_dropped_reply": (
        "udp_server: Drop(1) took effect downstream (dropped number 1, 5 B), and the client sent nothing again "
        "after that"
    ),
    "test_a_duplicate_taken_for_another_reply": (
        "udp_server: b'one' is the reply to the earlier request b'one', the one to the latest request b'two' is "
        "b'two'; Duplicate() had taken effect downstream"
    ),
    "test_a_late_reply_taken_for_another": (
        "udp_server: b'one' is the reply to the earlier request b'one', the one to the latest request b'two' is "
        "b'two'; Delay(0.3) had taken effect downstream"
    ),
    "test_a_truncated_reply_taken_for_the_whole": (
        "tcp_server: Truncate(30) took effect downstream (cut the stream, 70 B that had come are lost, then "
        "close), and the client took what had come for the whole"
    ),
    "test_a_truncated_reply_counted": (
        "tcp_server: Truncate(6) took effect downstream (cut the stream, 8 B that had come are lost, then "
        "close), and the client took what had come for the whole"
    ),
    "test_a_corrupt_reply": (
        "tcp_server: Corrupt() took effect downstream (bitflip in 10 B): what arrived is not what was sent"
    ),
}


def test_the_cause_is_named(name_causes: NameCauses) -> None:
    assert name_causes(DEFECTS, CAUSES) == CAUSES
