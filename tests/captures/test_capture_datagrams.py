"""Captures of datagrams, and of Unix sockets on loopback addresses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import windsock
from tests.captures.tshark import capture_of, comments, problems, rows, stream
from tests.support.servers import connect

BINARY = bytes(range(256)) * 40


@pytest.mark.parametrize("options", [{}, {"host": "::1"}, {"transport": "unix_datagram"}], ids=["4", "6", "unix"])
def test_datagrams_are_udp_packets_empty_ones_too(options: dict[str, Any], tmp_path: Path) -> None:
    with windsock.serving(**{"transport": "udp"} | options) as server:
        server.echo()
        with server.connect() as client:
            for data in (b"first", b"", BINARY):
                client.send(data).expect(data)
        server.connections.wait(3)

    capture = capture_of(tmp_path, server)

    assert problems(capture) == []
    assert [int(each[0]) - 8 for each in rows(capture, "udp.length")] == [5, 5, 0, 0, len(BINARY), len(BINARY)]
    assert stream(capture, protocol="udp") == (b"first" + BINARY, b"first" + BINARY)


def test_a_unix_datagram_that_is_too_large_for_udp_is_several_packets(tmp_path: Path) -> None:
    with windsock.serving(transport="unix_datagram") as server:
        server.on(b"?").reply(b"x" * 70_000)
        with connect(server) as client:
            client.send(b"?")
            assert client.recv(100_000) == b"x" * 70_000
        server.connections.wait(1)

    capture = capture_of(tmp_path, server)

    assert problems(capture) == []
    assert [int(each[0]) - 8 for each in rows(capture, "udp.length")] == [1, 65507, 70_000 - 65507]
    assert (2, "one datagram of 70000 B") in comments(capture)


def test_unix_sockets_have_the_documented_loopback_addresses(tmp_path: Path) -> None:
    with windsock.serving(transport="unix_stream") as first, windsock.serving(transport="unix_datagram") as second:
        for each in (first.connect(), first.connect()):
            with each as client:
                client.send(b"x")
        first.connections.wait(2)
        with second.connect() as named, second.connect(anonymous=True) as nameless:
            named.send(b"1").send(b"2")
            nameless.send(b"3")
        second.connections.wait(3)

    capture = capture_of(tmp_path, first, second)

    opened = rows(capture, "ip.src", "tcp.srcport", "ip.dst", "tcp.dstport", where="tcp.flags.syn == 1 && tcp.ack == 0")
    assert opened == [("127.0.0.3", "60001", "127.0.0.2", "60001"), ("127.0.0.3", "60002", "127.0.0.2", "60001")]
    datagrams = rows(capture, "ip.src", "udp.srcport", "ip.dst", "udp.dstport", where="udp")
    assert sorted(datagrams) == [
        ("127.0.0.3", "60000", "127.0.0.2", "60002"),
        ("127.0.0.3", "60003", "127.0.0.2", "60002"),
        ("127.0.0.3", "60003", "127.0.0.2", "60002"),
    ]
