"""Captures, as Wireshark's own tools read them: conversations, bytes and ends as recorded."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import windsock
from tests.captures.tshark import capinfos, comments, flags, problems, rows, stream
from tests.programs.conftest import program
from tests.support.servers import connect
from windsock import RunningServer, Script
from windsock.captures import subject_of, write_capture
from windsock.captures.subjects import RecordedServer
from windsock.faults import Drop, Reset, Truncate
from windsock.net.system import wall_clock

BINARY = bytes(range(256)) * 40
LARGE = bytes(range(251)) * 20_000
"""About 5 MB."""


@pytest.fixture(autouse=True)
def _has_programs() -> None:
    program("tshark")
    program("capinfos")


def capture_of(directory: Path, *servers: RecordedServer, key_log: bytes = b"") -> Path:
    path = directory / "traffic.pcapng"
    write_capture(str(path), [subject_of(each) for each in servers], key_log=key_log)
    return path


@pytest.fixture
def echo() -> Iterator[RunningServer]:
    with windsock.serving(name="echo") as server:
        server.echo()
        yield server


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


def test_what_was_said_in_tls_is_on_an_interface_of_its_own(echo: RunningServer, tmp_path: Path) -> None:
    with windsock.serving(tls=True) as secret:
        secret.echo()
        for server in (echo, secret):
            with server.connect() as client:
                client.send(b"hello").expect(b"hello")
            server.connections.wait(1)

        capture = capture_of(tmp_path, echo, secret)

    found = rows(capture, "frame.interface_name", "tcp.dstport", where="tcp.flags.syn == 1 && tcp.ack == 0")
    assert found == [("recorded", str(echo.port)), ("decrypted", str(secret.port))]
    assert stream(capture, 1) == (b"hello", b"hello")
    assert capinfos(capture)["Number of interfaces in file"] == "2"


def test_a_stream_moves_to_the_other_interface_with_starttls(tmp_path: Path) -> None:
    with windsock.serving(tls="starttls") as server:
        server.play(Script().expect(b"STARTTLS\n").send(b"go\n").start_tls().expect(b"secret").send(b"answer"))
        with server.connect() as client:
            client.send(b"STARTTLS\n").expect(b"go\n").start_tls().send(b"secret").expect(b"answer")
        server.connections.wait(1)

    capture = capture_of(tmp_path, server)

    assert problems(capture) == []
    assert stream(capture) == (b"STARTTLS\nsecret", b"go\nanswer")
    assert rows(capture, "frame.interface_name", "tcp.len", where="tcp.len > 0") == [
        ("recorded", "9"),
        ("recorded", "3"),
        ("decrypted", "6"),
        ("decrypted", "6"),
    ]


def test_a_proxy_without_tls_carries_what_the_keys_decrypt(tmp_path: Path) -> None:
    keys = tmp_path / "keys.txt"
    keys.write_text("# of somebody else\nCLIENT_RANDOM " + "00" * 32 + " " + "11" * 48 + "\n")
    with windsock.serving(tls=True) as server, windsock.proxy(server.address) as proxy:
        server.echo()
        context = server.client_context()
        context.keylog_filename = str(keys)
        with (
            socket.create_connection(proxy.address, timeout=10) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as client,
        ):
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert client.recv(100) == b"GET / HTTP/1.0\r\n\r\n"
        proxy.connections.wait(1)

    capture = capture_of(tmp_path, proxy, key_log=keys.read_bytes())

    found = rows(capture, "http.request.method", where=f"http && tcp.dstport == {proxy.port}", guess=True)
    assert found == [("GET",)]
    assert b"11" * 48 not in capture.read_bytes()


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
    with windsock.serving(transport="udp") as server, windsock.proxy(server.address, transport="udp") as proxy:
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


def test_a_failed_handshake_is_told_of(tmp_path: Path) -> None:
    with windsock.serving(tls=True, strict=False) as server:
        context = ssl.create_default_context()
        with pytest.raises(ssl.SSLError), socket.create_connection(server.address, timeout=10) as plain:
            context.wrap_socket(plain, server_hostname="localhost")
        server.connections.wait(1)

    capture = capture_of(tmp_path, server)

    assert problems(capture) == []
    assert any("unknown" in text for _, text in comments(capture))
    assert comments(capture)[-1][1] == "ended: handshake failed"
