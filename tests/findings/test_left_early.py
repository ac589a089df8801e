"""A client that left before it had read a reply."""

from __future__ import annotations

import contextlib
import re
import socket
import threading

import windsock
from tests.findings.conftest import Conclude
from tests.support.waiting import DEADLINE
from windsock.findings.conclusions import case_from
from windsock.servers import BaseRequestHandler


def test_bytes_left_unread_are_counted(conclude: Conclude) -> None:
    found = conclude(
        """
    def test_unread(tcp_server):
        tcp_server.on(b"LIST").reply(b"one two three")
        with client_of(tcp_server) as client:
            client.sendall(b"LIST")
            first = client.recv(3)
        tcp_server.connections.wait(1)
        assert first == b"one two three, go"

    def test_unsent(tcp_server):
        tcp_server.on(b"LIST").reply(b"x" * 30_000_000)
        with client_of(tcp_server) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(b"LIST")
            first = client.recv(3)
        tcp_server.connections.wait(1)
        assert first == b"the whole list"
    """
    )

    assert found["test_unread"] == [
        "tcp_server #0: the client left without reading all of the 13 B that were sent to it last"
    ]
    (sentence,) = found["test_unsent"]
    words = r"tcp_server #0: the client left after at most \d+ B of a reply of \d+ B or more"
    assert re.fullmatch(words, sentence)


def test_a_client_that_has_read_all_or_was_reset_by_a_fault_is_not_mentioned(conclude: Conclude) -> None:
    found = conclude(
        """
    def test_read(tcp_server):
        tcp_server.on(b"LIST").reply(b"one")
        with client_of(tcp_server) as client:
            client.sendall(b"LIST")
            first = client.recv(3)
        assert first == b"two"

    def test_as_much_as_wanted(tcp_server):
        tcp_server.on(b"LIST").reply(b"one two three")
        with client_of(tcp_server) as client:
            client.sendall(b"LIST")
            first = client.recv(3)
        tcp_server.connections.wait(1)
        assert first == b"two"

    def test_reset(tcp_server):
        tcp_server.echo()
        with tcp_server.fault(Reset(2), direction="downstream"), client_of(tcp_server) as client:
            client.sendall(b"hello")
            assert client.recv(2) == b"he"
            with contextlib.suppress(ConnectionResetError):
                client.recv(100)
        assert b"he" == b"hello"
    """
    )

    assert (found["test_read"], found["test_as_much_as_wanted"]) == ([], [])
    assert [each for each in found["test_reset"] if "the client left" in each] == []


def test_a_reset_is_the_clients_end_though_its_handler_has_not_ended() -> None:
    has_seen, goes_on = threading.Event(), threading.Event()

    class Lingers(BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(100)
            self.request.sendall(b"one two three")
            with contextlib.suppress(ConnectionResetError):
                self.request.recv(100)
            has_seen.set()
            goes_on.wait(DEADLINE)

    with windsock.serving(Lingers, timeout=0.2) as server:
        with socket.create_connection(server.address, timeout=DEADLINE) as client:
            client.sendall(b"LIST")
            assert client.recv(3) == b"one"
        assert has_seen.wait(DEADLINE)
        (facts,) = case_from([server], AssertionError("assert b'one' == b'one two three'")).servers
        goes_on.set()

    assert facts.connections[0].ending == "client reset"
