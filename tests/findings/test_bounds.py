"""Findings of large recordings: only a part of them is read."""

from __future__ import annotations

import socket

import pytest

import windsock
from windsock.findings import gathering
from windsock.findings.conclusions import case_from
from windsock.servers import BaseRequestHandler


class Sink(BaseRequestHandler):
    def handle(self) -> None:
        while self.request.recv(256 * 1024):
            pass


def test_of_large_connections_only_the_ends_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "MOST_READ", 1024 * 1024)
    with windsock.serving(Sink) as server:
        with socket.create_connection(server.address, timeout=5) as client:
            client.sendall(b"x" * 2 * 1024 * 1024)
        with socket.create_connection(server.address, timeout=5) as client:
            client.sendall(b"x" * 1000)
        server.connections.wait(2)

        (facts,) = case_from([server], TimeoutError("timed out")).servers

    large, small = facts.connections
    assert len(large.upstream) <= gathering.FIRST_EVENTS * 64
    assert (large.chunks, large.ending) == ((), "client EOF")
    assert len(small.upstream) == 1000


def test_of_many_connections_the_first_and_the_last_are_read_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "DETAILED", 4)
    with windsock.serving() as server:
        server.echo()
        for _ in range(6):
            with server.connect() as client:
                client.send(b"PING").expect(b"PING")
        server.connections.wait(6)

        (facts,) = case_from([server], TimeoutError("timed out")).servers

    assert [bool(each.chunks) for each in facts.connections] == [True, True, False, False, True, True]
    assert {each.upstream for each in facts.connections} == {b"PING"}
