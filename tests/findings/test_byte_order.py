"""A length prefix that makes sense when it is read in another way."""

from __future__ import annotations

from tests.findings.conftest import Conclude


def test_the_other_byte_order_is_named_with_the_figures_of_both(conclude: Conclude) -> None:
    found = conclude(
        """
    @pytest.mark.windsock(framing=LengthPrefix(4))
    def test_too_long(tcp_server):
        tcp_server.reply(b"ok")
        with client_of(tcp_server, 0.2) as client:
            client.sendall(struct.pack("<I", 30) + b"x" * 30)
            assert client.recv(100) == b"ok"

    @pytest.mark.windsock(framing=LengthPrefix(2, byteorder="little"))
    def test_waits(tcp_server):
        tcp_server.reply(b"ok")
        with client_of(tcp_server, 0.2) as client:
            client.sendall(struct.pack(">H", 30) + b"x" * 30)
            assert client.recv(100) == b"ok"
    """
    )

    assert found["test_too_long"] == [
        "tcp_server #0: the length prefix says 503316480 B, 30 came; read as little-endian it says 30: "
        "send it as big-endian, or pass framing=LengthPrefix(size=4, byteorder='little', includes_prefix=False)"
    ]
    assert found["test_waits"][:1] == [
        "tcp_server #0: the length prefix says 7680 B, 30 came; read as big-endian it says 30: "
        "send it as little-endian, or pass framing=LengthPrefix(size=2, byteorder='big', includes_prefix=False)"
    ]


def test_a_prefix_that_counts_itself_or_is_shorter_is_named(conclude: Conclude) -> None:
    found = conclude(
        """
    @pytest.mark.windsock(framing=LengthPrefix(4))
    def test_counts_itself(tcp_server):
        tcp_server.reply(b"ok")
        with client_of(tcp_server, 0.2) as client:
            client.sendall(struct.pack(">I", 9) + b"hello")
            assert client.recv(100) == b"ok"

    @pytest.mark.windsock(framing=LengthPrefix(4))
    def test_two_bytes(tcp_server):
        tcp_server.reply(b"ok")
        with client_of(tcp_server, 0.2) as client:
            client.sendall(struct.pack(">H", 5) + b"hello")
            assert client.recv(100) == b"ok"
    """
    )

    assert found["test_counts_itself"] == [
        "tcp_server #0: the length prefix says 9 B, 5 came; the client counts with the prefix itself: "
        "pass framing=LengthPrefix(size=4, byteorder='big', includes_prefix=True)"
    ]
    assert found["test_two_bytes"] == [
        "tcp_server #0: the length prefix says 354405 B, 3 came; read as 2 B it says 5: "
        "pass framing=LengthPrefix(size=2, byteorder='big', includes_prefix=False)"
    ]


def test_whole_messages_and_those_that_make_no_sense_either_way_are_not_mentioned(conclude: Conclude) -> None:
    found = conclude(
        """
    @pytest.mark.windsock(framing=LengthPrefix(4))
    def test_whole(tcp_server):
        tcp_server.reply(b"ok")
        with client_of(tcp_server) as client:
            client.sendall(struct.pack(">I", 5) + b"hello")
            assert client.recv(100) == b"no"

    @pytest.mark.windsock(framing=LengthPrefix(4))
    def test_short(tcp_server):
        with client_of(tcp_server, 0.2) as client:
            client.sendall(struct.pack(">I", 8) + b"hello")
            assert client.recv(100) == b"ok"
    """
    )

    assert found["test_whole"] == []
    assert found["test_short"] == [
        r"tcp_server #0: the length prefix says 8 B, 5 came: b'\x00\x00\x00\x08hello'",
    ]
