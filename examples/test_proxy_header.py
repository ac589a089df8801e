"""PROXY header: a line (v1) or a block (v2) with the client's address, in front of HTTP that another server answers."""

import shutil
import subprocess
from dataclasses import dataclass

import pytest

from pytest_windsock import Serve
from windsock import RunningServer, protocols
from windsock.faults import Truncate

BLOCK = b"\r\n\r\n\x00\r\nQUIT\n" + bytes.fromhex("2111 000c c0000201 c0000202 1388 0050")


@dataclass(frozen=True)
class Header:
    version: int
    host: str
    port: int


class ProxyHeader(protocols.Protocol):
    def size(self, data: bytes) -> int | None:
        if not data.startswith(BLOCK[: min(12, len(data))]):
            return data.find(b"\n") + 1 or None
        return 16 + int.from_bytes(data[14:16]) if len(data) >= 16 else None

    def decode(self, data: bytes) -> Header | bytes:
        if data.startswith(BLOCK[:12]):
            return Header(2, ".".join(map(str, data[16:20])), int.from_bytes(data[24:26]))
        words = data.split()  # of the header, or of a line behind it
        return Header(1, words[2].decode(), int(words[4])) if data.startswith(b"PROXY TCP") else data


@pytest.fixture
def server(serve: Serve) -> RunningServer:
    behind, server = serve(framing=b"\r\n\r\n", name="http server"), serve(framing=ProxyHeader, name="front")
    behind.reply(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nNW", times=None)
    server.on(lambda data: data.startswith((b"PROXY TCP", BLOCK[:12]))).forward(behind.address).optional()
    return server


def test_a_line_is_in_front_of_a_request(server: RunningServer) -> None:
    command = [shutil.which("curl") or pytest.skip("needs curl"), "-s", "--haproxy-protocol"]
    url = f"http://{server.host}:{server.port}/"
    assert subprocess.run([*command, url], capture_output=True, timeout=20).stdout == b"NW"
    assert server.requests[0].message == Header(1, *server.connections[0].peer)


def test_a_block_is_in_front_of_a_request(server: RunningServer) -> None:
    with server.connect() as client:
        client.send(BLOCK + b"GET / HTTP/1.1\r\n\r\n").expect(until=b"NW")
    assert server.requests[0].message == Header(2, "192.0.2.1", 5000)


def test_a_header_that_is_cut_gets_no_answer(server: RunningServer) -> None:
    server.fault(Truncate(len(BLOCK) - 1), direction="upstream")
    with server.connect() as client:
        client.send(BLOCK).expect_end()
