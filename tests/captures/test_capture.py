"""Captures, as Wireshark's own tools read them: conversations, bytes and ends as recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import windsock
from tests.captures.tshark import capinfos, capture_of, comments, flags, problems, rows, stream
from windsock import RunningServer, Script
from windsock.net.system import wall_clock

BINARY = bytes(range(256)) * 40
LARGE = bytes(range(251)) * 20_000
"""About 5 MB."""


STREAMS: dict[str, dict[str, Any]] = {
    "tcp": {},
    "tcp6": {"host": "::1"},
    "unix": {"transport": "unix_stream"},
    "tls": {"tls": True},
    "forking": {"concurrency": "forking"},
    "trio": {"concurrency": "trio"},
    "relayed": {"relay": True},
}


@pytest.mark.parametrize("options", STREAMS.values(), ids=STREAMS)
def test_a_stream_is_a_tcp_conversation_with_the_bytes_that_were_recorded(
    options: dict[str, Any], tmp_path: Path
) -> None:
    with windsock.serving(**options) as server:
        server.echo()
        with server.connect() as client:
            client.send(BINARY).expect(BINARY).send(b"more").expect(b"more").half_close().expect_eof()
        (connection,) = server.connections.wait(1)

    capture = capture_of(tmp_path, server)

    assert problems(capture) == []
    assert stream(capture) == (connection.upstream, connection.downstream) == (BINARY + b"more", BINARY + b"more")
    client_port, server_port = (port for port, _ in flags(capture)[:2])
    assert [each for each in flags(capture) if each[1] in ("S", "AS", "AF", "R", "AR")] == [
        (client_port, "S"),
        (server_port, "AS"),
        (client_port, "AF"),
        (server_port, "AF"),
    ]
    assert capinfos(capture)["File type"] == "Wireshark/... - pcapng"


def test_a_secret_is_masked_one_byte_for_one_however_it_was_cut(tmp_path: Path) -> None:
    message, masked = b"PASS one very long secret\r\n", b"PASS [redacted 20 B]*****\r\n"
    with windsock.serving(framing="lines") as server:
        server.on(message).reply(message, pieces=3)
        with server.connect() as client:
            client.send(message, pieces=4).expect(message)
        server.connections.wait(1)

    capture = capture_of(tmp_path, server)

    assert problems(capture) == []
    assert stream(capture) == (masked, masked)


def test_addresses_and_times_are_those_of_the_connection(echo: RunningServer, tmp_path: Path) -> None:
    with echo.connect() as client:
        client.send(b"hello").expect(b"hello")
    (connection,) = echo.connections.wait(1)

    capture = capture_of(tmp_path, echo)

    fields = ("ip.src", "tcp.srcport", "ip.dst", "tcp.dstport", "frame.time_epoch", "frame.time_relative", "tcp.len")
    first, *others = rows(capture, *fields)
    assert first[:4] == ("127.0.0.1", str(connection.peer[1]), "127.0.0.1", str(echo.port))
    times = [float(each[5]) for each in others if each[6] == "5"]
    assert times == [pytest.approx(each.time - connection.opened, abs=1e-6) for each in connection.chunks]
    assert 0 <= wall_clock() - float(first[4]) < 60


def test_large_replies_are_whole(tmp_path: Path) -> None:
    with windsock.serving(framing="lines") as server:
        server.on(b"GET").reply(LARGE, end="close")
        with server.connect() as client:
            client.send(b"GET\n").expect(LARGE).expect_eof()
        server.connections.wait(1)

    capture = capture_of(tmp_path, server)

    assert problems(capture) == []
    assert stream(capture) == (b"GET\n", LARGE)
    assert max(int(each[0]) for each in rows(capture, "tcp.len")) == 32768


def test_what_was_not_sent_after_all_is_not_in_the_capture(tmp_path: Path) -> None:
    with windsock.serving(handler=lambda request, address, server: request.sendall(LARGE)) as server:
        with server.connect(receive_buffer=4096) as client:
            client.expect(LARGE[:1000]).reset()
        (connection,) = server.connections.wait(1)
        server.errors.take()

    capture = capture_of(tmp_path, server)

    assert problems(capture) == []
    assert stream(capture) == (b"", connection.downstream)
    assert 1000 <= len(connection.downstream) < len(LARGE)


def test_a_half_close_is_one_fin_with_data_after_it(tmp_path: Path) -> None:
    with windsock.serving() as server:
        server.play(Script().expect(b"question").expect_eof().send(b"answer").half_close())
        with server.connect() as client:
            client.send(b"question").half_close().expect(b"answer").expect_eof()
        server.connections.wait(1)

    capture = capture_of(tmp_path, server)

    assert problems(capture) == []
    client_port = flags(capture)[0][0]
    assert [(port == client_port, each) for port, each in flags(capture) if each != "A"] == [
        (True, "S"),
        (False, "AS"),
        (True, "AP"),
        (True, "AF"),
        (False, "AP"),
        (False, "AF"),
    ]


def test_a_clients_reset_is_one(echo: RunningServer, tmp_path: Path) -> None:
    with echo.connect() as client:
        client.send(b"hello").expect(b"hello").reset()
    echo.connections.wait(1)

    capture = capture_of(tmp_path, echo)

    client_port = flags(capture)[0][0]
    assert problems(capture) == []
    assert flags(capture)[-1] == (client_port, "AR")
    assert comments(capture)[-1][1] == "ended: client reset"


def test_a_servers_reset_is_one(tmp_path: Path) -> None:
    with windsock.serving(framing="lines") as server:
        server.on(b"GET").reply(b"half a re", end="reset")
        with server.connect() as client:
            client.send(b"GET\n").expect(b"half a re").expect_reset()
        server.connections.wait(1)

    capture = capture_of(tmp_path, server)

    assert problems(capture) == []
    assert flags(capture)[-1] == (str(server.port), "AR")
    assert comments(capture)[-1][1] == "ended: server reset"


def test_servers_are_told_apart_and_in_the_order_of_time(echo: RunningServer, tmp_path: Path) -> None:
    with windsock.serving(name="other") as other:
        other.echo()
        with echo.connect() as first:
            first.send(b"0").expect(b"0")
            second = other.connect()
            first.send(b"1").expect(b"1")
            second.send(b"2").expect(b"2")
            first.send(b"3").expect(b"3")
            second.close()
        for each in (echo, other):
            each.connections.wait(1)

        capture = capture_of(tmp_path, echo, other)

    assert problems(capture) == []
    assert rows(capture, "tcp.stream", where=f"tcp.len > 0 && (tcp.dstport in {{{echo.port}, {other.port}}})") == [
        ("0",),
        ("0",),
        ("1",),
        ("0",),
    ]
    assert [text.partition(" from ")[0] for _, text in comments(capture) if " from " in text] == ["echo #0", "other #0"]
    assert capinfos(capture)["Strict time order"] == "True"


def test_a_connection_that_is_still_open_has_no_end(echo: RunningServer, tmp_path: Path) -> None:
    with echo.connect() as client:
        client.send(b"hello").expect(b"hello")

        capture = capture_of(tmp_path, echo)

    assert problems(capture) == []
    assert {each for _, each in flags(capture)} == {"S", "AS", "A", "AP"}


def test_without_connections_it_is_an_empty_capture(echo: RunningServer, tmp_path: Path) -> None:
    capture = capture_of(tmp_path, echo)

    assert rows(capture, "frame.number") == []
    assert capinfos(capture)["Number of packets"] == "0"
