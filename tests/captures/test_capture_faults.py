"""Captures of faults: a comment where each one fired."""

from __future__ import annotations

from pathlib import Path

import pytest

import windsock
from tests.captures.tshark import capture_of, comments, problems, rows, stream
from windsock import RunningServer
from windsock.faults import Drop, Reset, Truncate

BINARY = bytes(range(256)) * 40


@pytest.mark.parametrize("way", ["server", "proxy"])
def test_a_fault_is_a_comment_where_it_fired(way: str, echo: RunningServer, tmp_path: Path) -> None:
    with windsock.proxy(echo.address, name="proxy") as proxy:
        subject = echo if way == "server" else proxy
        with subject.fault(Reset(after_bytes=3), direction="downstream"):
            with windsock.scripted_client(subject.address) as client:
                client.send(b"hello").expect(b"hel").expect_reset()
            subject.connections.wait(1)

        capture = capture_of(tmp_path, subject)

    assert problems(capture) == []
    ((number, text),) = [each for each in comments(capture) if each[1].startswith("fault: Reset(3) downstream")]
    assert "reset the connection" in text
    assert rows(capture, "tcp.len", where=f"frame.number == {number}") in ([("5",)], [("0",)])


def test_a_truncating_fault_leaves_what_the_server_sent(echo: RunningServer, tmp_path: Path) -> None:
    with echo.fault(Truncate(after_bytes=2), direction="downstream"):
        with echo.connect() as client:
            client.send(b"hello").expect(b"he").expect_eof()
        echo.connections.wait(1)

    capture = capture_of(tmp_path, echo)

    assert stream(capture) == (b"hello", b"hello")
    assert any("Truncate(2) downstream at byte 2" in text for _, text in comments(capture))


def test_a_fault_of_a_datagram_proxy_is_a_comment(tmp_path: Path) -> None:
    in_turn = windsock.serving(transport="udp", concurrency="sync")
    with in_turn as server, windsock.proxy(server.address, transport="udp") as proxy:
        server.echo()
        client = windsock.scripted_client(proxy.address, transport="udp")
        with client, proxy.fault(Drop(1), direction="downstream"):
            client.send(b"one").send(b"two").expect(b"two")
        server.connections.wait(2)

        capture = capture_of(tmp_path, proxy)

    assert problems(capture) == []
    assert any(text.startswith("fault: Drop(1)") for _, text in comments(capture))


def test_a_fault_of_a_datagram_server_is_a_comment_at_the_packet_before(tmp_path: Path) -> None:
    with windsock.serving(transport="udp") as server:
        server.echo()
        with server.fault(Drop(2), direction="upstream"), server.connect() as client:
            client.send(b"one").expect(b"one").send(b"two").send(b"three").expect(b"three")
        server.connections.wait(2)

    capture = capture_of(tmp_path, server)

    assert problems(capture) == []
    ((number, text),) = [each for each in comments(capture) if each[1].startswith("fault: ")]
    assert text.startswith("fault: Drop(2) on client #0 upstream: ")
    assert number == 2
