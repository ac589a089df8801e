"""TLSSocket on its own, over a pair of sockets: it behaves like a socket."""

from __future__ import annotations

import io
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers.helpers import only_linux
from tests.support.waiting import DEADLINE
from windsock.security import TLSSocket, certificates


def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    server = certificates.server_context(is_mutual=False)
    certificates.certificate("valid", ("localhost",)).configure_cert(server)
    return server, certificates.client_context(certificate=False)


def secured_pair(**options: Any) -> tuple[TLSSocket, TLSSocket]:
    """Return both ends of a connection, the server's first."""
    return secured(*socket.socketpair(), **options)


def secured(one: socket.socket, other: socket.socket, **options: Any) -> tuple[TLSSocket, TLSSocket]:
    """Return both ends of a connection in TLS, the server's first."""
    for_server, for_client = contexts()
    server = TLSSocket(one, for_server, **options)
    client = TLSSocket(other, for_client, server_side=False, server_hostname="localhost", **options)
    thread = threading.Thread(target=client.do_handshake, args=(DEADLINE,))
    thread.start()
    server.do_handshake(DEADLINE)
    thread.join(DEADLINE)
    for each in (server, client):
        each.settimeout(DEADLINE)
    return server, client


@pytest.fixture
def pair() -> Iterator[tuple[TLSSocket, TLSSocket]]:
    server, client = secured_pair()
    yield server, client
    client.close()
    server.close()


Pair = tuple[TLSSocket, TLSSocket]


@only_linux
def test_the_last_word_of_a_handshake_is_acknowledged_at_once() -> None:
    """The client has nothing to say before that, by Nagle's rule; benchmarks/combinations.py measures it."""
    calls: list[str] = []

    class Noted(socket.socket):
        def recv(self, size: int, flags: int = 0) -> bytes:
            calls.append("receive")
            return super().recv(size, flags)

        def setsockopt(self, *args: Any) -> None:
            calls.append("acknowledge" if args == (socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1) else "set another")
            super().setsockopt(*args)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        other = socket.create_connection(listener.getsockname(), DEADLINE)
        accepted, _ = listener.accept()
    server, client = secured(Noted(fileno=accepted.detach()), other)

    with server, client:
        assert "receive" in calls
        assert calls[-1] == "acknowledge"


def test_what_has_come_in_several_records_is_pending(pair: Pair) -> None:
    server, client = pair
    for word in (b"one", b"two", b"three"):
        client.sendall(word)

    assert server.recv(1) == b"o"
    assert server.pending() == 10
    assert server.recv(100) == b"netwothree"
    assert server.pending() == 0


def test_an_error_behind_what_is_pending_comes_when_it_is_read(pair: Pair) -> None:
    server, client = pair
    client.sendall(b"one")
    client.sendall(b"two")
    client.raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))

    assert server.recv(1) == b"o"
    assert server.pending() == 5
    assert server.recv(100) == b"netwo"
    with pytest.raises(ssl.SSLError, match=r"(?i)bad record mac|decryption failed|record layer failure"):
        server.recv(100)


def test_half_a_record_is_not_pending(pair: Pair) -> None:
    server, client = pair
    client.sendall(b"one")
    client.raw.sendall(b"\x17\x03\x03\x00\x20" + bytes(7))

    assert server.recv(1) == b"o"
    assert server.pending() == 2


def test_bytes_go_both_ways(pair: Pair) -> None:
    server, client = pair

    client.sendall(b"question")
    assert server.recv(4) == b"ques"
    assert server.pending() == 4
    buffer = bytearray(10)
    assert server.recv_into(buffer) == 4
    server.send(b"answer")

    assert buffer[:4] == b"tion"
    assert client.recv(100) == b"answer"


def test_files_read_and_write(pair: Pair) -> None:
    server, client = pair
    with server.makefile("rwb") as file, client.makefile("r", encoding="utf-8", newline="\n") as lines:
        file.write("grüße\n".encode())
        file.flush()
        assert lines.readline() == "grüße\n"
        client.sendall(b"line\n")
        assert file.readline() == b"line\n"


@pytest.mark.parametrize("mode", ["x", "r+"])
def test_other_modes_of_files_are_refused(pair: Pair, mode: str) -> None:
    with pytest.raises(ValueError, match="only r, w, b allowed"):
        pair[0].makefile(mode)


def test_a_socket_stays_open_until_its_files_are_closed(pair: Pair) -> None:
    server, client = pair
    file = server.makefile("wb", 0)

    server.close()
    file.write(b"still here")
    assert client.recv(100) == b"still here"
    file.close()

    assert client.recv(100) == b""
    assert server.fileno() == -1


def test_a_timeout_is_a_timeout(pair: Pair) -> None:
    server, _ = pair
    server.settimeout(0.01)

    with pytest.raises(TimeoutError):
        server.recv(1)
    assert server.gettimeout() == server.timeout == 0.01


def test_one_that_does_not_block_says_what_it_wants(pair: Pair) -> None:
    server, client = pair
    server.setblocking(False)
    assert not server.getblocking()

    with pytest.raises(ssl.SSLWantReadError):
        server.recv(1)
    with pytest.raises(ssl.SSLWantWriteError):
        send_until_full(server, bytes(65536), [])

    assert client.recv(1) == b"\0"


def send_until_full(sender: TLSSocket, block: bytes, sizes: list[int]) -> None:
    while True:
        sizes.append(sender.send(block))


def test_what_could_not_be_sent_is_sent_by_the_next_try(pair: Pair) -> None:
    server, client = pair
    server.settimeout(0.02)
    block = bytes(range(256)) * 200
    sizes: list[int] = []
    with pytest.raises(TimeoutError):
        send_until_full(server, block, sizes)
    received = bytearray()

    def read() -> None:
        while data := client.recv(65536):
            received.extend(data)

    reader = threading.Thread(target=read)
    reader.start()
    server.settimeout(DEADLINE)
    sizes.append(server.send(block))
    server.sendall(b"end")
    server.shutdown(socket.SHUT_WR)
    reader.join(DEADLINE)

    assert bytes(received) == block * (sum(sizes) // len(block)) + b"end"


def test_after_the_own_end_what_comes_can_still_be_read(pair: Pair) -> None:
    server, client = pair
    client.sendall(b"sent before")

    server.shutdown(socket.SHUT_WR)
    client.sendall(b" and after")
    client.shutdown(socket.SHUT_WR)
    found = b"".join(iter(lambda: server.recv(4), b""))

    assert found == b"sent before and after"
    assert not server.was_truncated


def test_an_end_without_close_notify_is_an_end_though_nobody_takes_our_alert() -> None:
    server, client = secured_pair()
    client.sendall(b"last words")
    client.abandon()

    assert server.recv(100) == b"last words"
    assert server.recv(100) == b""
    assert server.was_truncated

    server.abandon()


def test_an_end_without_close_notify_can_be_an_error() -> None:
    server, client = secured_pair(suppress_ragged_eofs=False)
    client.abandon()

    with pytest.raises(ssl.SSLEOFError):
        server.recv(1)

    server.abandon()


def test_unwrapping_gives_the_socket_below(pair: Pair) -> None:
    server, client = pair
    thread = threading.Thread(target=client.unwrap)
    thread.start()
    plain = server.unwrap()
    thread.join(DEADLINE)

    plain.sendall(b"in the clear")

    assert client.raw.recv(100) == b"in the clear"


def test_one_thread_reads_while_another_writes(pair: Pair) -> None:
    server, client = pair
    size = 4_000_000

    def echo() -> None:
        while data := server.recv(65536):
            server.sendall(data)
        server.shutdown(socket.SHUT_WR)

    def write() -> None:
        client.sendall(bytes(size))
        client.shutdown(socket.SHUT_WR)

    threads = [threading.Thread(target=each) for each in (echo, write)]
    for thread in threads:
        thread.start()
    received = 0
    while data := client.recv(65536):
        received += len(data)
    for thread in threads:
        thread.join(DEADLINE)

    assert received == size


def test_flags_are_refused(pair: Pair) -> None:
    with pytest.raises(ValueError, match=r"non-zero flags not allowed in calls to recv\(\) on TLSSocket"):
        pair[0].recv(1, socket.MSG_PEEK)


def test_it_tells_what_a_socket_tells(pair: Pair) -> None:
    server, client = pair

    assert server.family == socket.AF_UNIX
    assert server.type == socket.SOCK_STREAM
    assert server.proto == 0
    assert server.fileno() == server.raw.fileno()
    assert server.getpeername() == ""
    assert server.getsockname() == ""
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    assert server.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) >= 8192
    assert server.server_hostname == "localhost"
    assert server.version() == client.version() == "TLSv1.3"
    assert server.cipher() == client.cipher()
    assert client.getpeercert()["subjectAltName"] == (("DNS", "localhost"),)
    assert repr(server).startswith("<TLSSocket TLSv1.3, over <socket.socket ")


def test_a_file_is_sent(pair: Pair) -> None:
    server, client = pair
    file = io.BytesIO(b"0123456789")

    assert server.sendfile(file, 2, 5) == 5
    assert file.tell() == 7
    assert server.sendfile(file) == 3

    assert client.recv(5) + client.recv(5) == b"23456789"


def test_reading_nothing_gives_nothing(pair: Pair) -> None:
    assert pair[0].recv(0) == b""
    assert pair[0].recv_into(bytearray()) == 0
    pair[0].sendall(b"")
    assert pair[0].send(b"") == 0
