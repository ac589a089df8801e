"""Memcached: `pymemcache` stores and asks, in a protocol whose first line says how many bytes follow it."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass

import pytest

from windsock import RunningServer, protocols

memcache = pytest.importorskip("pymemcache.client.base")

WITH_VALUE = re.compile(rb"(?:set|add|cas) \S+ \d+ -?\d+ (\d+)|VALUE \S+ \d+ (\d+)")
ANSWER = b"VALUE wind 0 2\r\nNW\r\nEND\r\n"


@dataclass(frozen=True)
class Command:
    name: str
    key: str
    value: bytes = b""


class Memcached(protocols.Protocol):
    def size(self, data: bytes) -> int | None:
        line = data.find(b"\r\n") + 2
        if line < 2:
            return None
        match = WITH_VALUE.match(data)
        return line + int(match[match.lastindex or 0]) + 2 if match else line

    def reply_size(self, data: bytes) -> int | None:
        first = self.size(data)
        if first and data.startswith(b"VALUE"):
            return (rest := self.reply_size(data[first:])) and first + rest
        return first

    def decode(self, data: bytes) -> Command:
        name, key, *_ = [*data.partition(b"\r\n")[0].decode().split(), ""]
        return Command(name, key, data.partition(b"\r\n")[2][:-2])


pytestmark = pytest.mark.windsock(framing=Memcached)


def test_a_value_is_stored_and_found(tcp_server: RunningServer) -> None:
    tcp_server.on(protocols.message(Memcached, name="set")).reply(b"STORED\r\n")
    tcp_server.on(protocols.message(Memcached, name="get", key="wind")).reply(ANSWER, pieces=len(ANSWER))
    with closing(memcache.Client(tcp_server.address, timeout=5)) as client:
        assert client.set("wind", b"N\r\nW", noreply=False)
        assert client.get("wind") == b"NW"
    assert [each.message for each in tcp_server.requests] == [Command("set", "wind", b"N\r\nW"), Command("get", "wind")]


def test_a_cache_may_fail(tcp_server: RunningServer) -> None:
    tcp_server.on(protocols.message(Memcached, name="get")).reply(ANSWER, truncate=20, end="reset")
    with closing(memcache.Client(tcp_server.address, timeout=5, ignore_exc=True)) as client:
        assert client.get("wind", default=b"unknown") == b"unknown"
