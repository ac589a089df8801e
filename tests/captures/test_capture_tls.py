"""Captures of TLS: what was said in it, and keys for what is encrypted."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

import windsock
from tests.captures.tshark import capinfos, capture_of, comments, problems, rows, stream
from windsock import RunningServer, Script

BINARY = bytes(range(256)) * 40


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
