"""SOCKS5: a proxy hands PySocks's connections on; the size of a message depends on those before it (RFC 1928)."""

from dataclasses import dataclass
from typing import Self

import pytest

from pytest_windsock import Serve
from windsock import RunningServer, protocols
from windsock.faults import Truncate

socks = pytest.importorskip("socks")


@dataclass(frozen=True)
class Connect:
    address: tuple[str, int]


class Socks(protocols.Protocol):
    replies = 0

    def begin(self) -> Self:
        return type(self)()

    def size(self, data: bytes) -> int | None:
        if self.replies > 1:
            return len(data)
        at, more = (4, 7) if self.replies else (1, 2)  # where the length of a name is, or the number of methods
        return data[at] + more if len(data) > at else None

    def reply_size(self, data: bytes) -> int | None:
        return (2, 10, len(data))[self.replies]

    def passed(self, data: bytes, *, is_reply: bool) -> None:
        self.replies = min(self.replies + is_reply, 2)

    def decode(self, data: bytes) -> bytes | Connect:
        return Connect((data[5:-2].decode(), int.from_bytes(data[-2:]))) if data[1:4] == b"\x01\x00\x03" else data


@pytest.fixture
def proxy(serve: Serve) -> RunningServer:
    target, proxy = serve(name="target").echo(), serve(framing=Socks, name="proxy")
    proxy.on(b"\x05\x01\x00").reply(b"\x05\x00")
    connect = protocols.message(Socks, address=("wind.example", 7))
    proxy.on(connect).forward(target.address, reply=b"\x05\x00\x00\x01" + bytes(6))
    return proxy


def test_a_connection_is_handed_on(proxy: RunningServer) -> None:
    with socks.create_connection(("wind.example", 7), 5, None, socks.SOCKS5, proxy.host, proxy.port) as client:
        client.sendall(b"hello")
        assert client.recv(100) == b"hello"


def test_a_reply_that_is_cut_is_an_error(proxy: RunningServer) -> None:
    proxy.fault(Truncate(6), direction="downstream")
    with pytest.raises(socks.GeneralProxyError, match="unexpectedly"):
        socks.create_connection(("wind.example", 7), 5, None, socks.SOCKS5, proxy.host, proxy.port)
