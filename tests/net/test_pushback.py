"""Bytes that are given back to a socket or a stream come first when it is read."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from windsock.net.pushback import give_back, give_back_to_stream, held_by, held_by_stream, is_tls_handshake, shown


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(5)
        theirs.sendall(b"later")
        yield ours, theirs


def test_a_socket_returns_them_first_and_is_as_before_afterwards(pair: tuple[socket.socket, socket.socket]) -> None:
    sock, _ = pair
    give_back(sock, b"first")

    assert held_by(sock) == b"first"
    assert isinstance(sock, socket.socket)
    assert [sock.recv(2), sock.recv(100), sock.recv(100)] == [b"fi", b"rst", b"later"]
    assert held_by(sock) == b""
    assert type(sock) is socket.socket


def test_a_socket_can_be_peeked_at(pair: tuple[socket.socket, socket.socket]) -> None:
    sock, _ = pair
    give_back(sock, b"first")

    assert sock.recv(3, socket.MSG_PEEK) == b"fir"
    assert sock.recv(100) == b"first"


def test_a_file_over_the_socket_reads_them(pair: tuple[socket.socket, socket.socket]) -> None:
    sock, theirs = pair
    give_back(sock, b"first\n")
    theirs.sendall(b"\n")

    with sock.makefile("rb") as file:
        assert [file.readline(), file.readline()] == [b"first\n", b"later\n"]


def test_what_is_given_back_later_was_read_earlier(pair: tuple[socket.socket, socket.socket]) -> None:
    sock, _ = pair
    give_back(sock, b"second")
    give_back(sock, b"first ")
    give_back(sock, b"")

    assert sock.recv(100) == b"first second"


def test_a_stream_returns_them_first() -> None:
    trio = pytest.importorskip("trio")

    async def main() -> None:
        ours, theirs = trio.socket.socketpair()
        stream = trio.SocketStream(ours)
        await theirs.send(b"later")
        give_back_to_stream(stream, b"st")
        give_back_to_stream(stream, b"fir")
        assert held_by_stream(stream) == b"first"
        assert [await stream.receive_some(2) for _ in range(2)] == [b"fi", b"rs"]
        assert [await stream.receive_some() for _ in range(2)] == [b"t", b"later"]
        assert held_by_stream(stream) == b""
        assert "receive_some" not in vars(stream)
        theirs.close()
        await stream.aclose()

    trio.run(main)


@pytest.mark.parametrize("data", [b"", b"\x16", b"\x16\x03", b"\x16\x03\x01\x00\x05hello"])
def test_what_can_begin_a_handshake(data: bytes) -> None:
    assert is_tls_handshake(data)


@pytest.mark.parametrize("data", [b"\x03", b"\x17\x03\x03", b"\x16\x01", b"NOOP\r\n"])
def test_what_can_not(data: bytes) -> None:
    assert not is_tls_handshake(data)


def test_much_data_is_shown_in_part() -> None:
    assert shown(b"x" * 64) == repr(b"x" * 64)
    assert shown(b"x" * 65) == f"{b'x' * 64!r}... (65 B in all)"
