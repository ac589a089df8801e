"""TFTP: curl fetches a file in blocks; each is a datagram that is acknowledged, and may come twice (RFC 1350)."""

import subprocess
from dataclasses import dataclass

import pytest

from windsock import RunningServer, protocols
from windsock.faults import Duplicate

FILE, BLOCK = bytes(range(256)) * 5, 512


@dataclass(frozen=True)
class Packet:
    operation: int  # 1 asks for a file, 3 is a block, 4 acknowledges one
    block: int = 0
    data: bytes = b""

    def __bytes__(self) -> bytes:
        return self.operation.to_bytes(2) + self.block.to_bytes(2) + self.data


class TFTP(protocols.Protocol):
    def decode(self, data: bytes) -> Packet:
        if len(data) < 4:
            raise protocols.DecodeError("a packet has at least 4 bytes")
        if data[:2] == b"\x00\x01":
            return Packet(1, data=data[2:].split(b"\0")[0])
        return Packet(int.from_bytes(data[:2]), int.from_bytes(data[2:4]), data[4:])


def next_block(message: bytes) -> Packet | None:
    block = TFTP().decode(message).block
    return Packet(3, block + 1, FILE[block * BLOCK :][:BLOCK]) if block * BLOCK <= len(FILE) else None


def fetch(server: RunningServer) -> bytes:
    if "tftp" not in subprocess.getoutput("curl --version"):
        pytest.skip("needs curl with TFTP")
    url = f"tftp://{server.host}:{server.port}/wind"
    return subprocess.run(["curl", "-s", "--tftp-no-options", url], capture_output=True, check=True, timeout=20).stdout


pytestmark = pytest.mark.windsock(framing=TFTP)


def test_a_file_comes_in_blocks(udp_server: RunningServer) -> None:
    udp_server.on(protocols.message(TFTP)).reply_with(next_block)
    assert fetch(udp_server) == FILE
    assert udp_server.requests.wait(4)[0].message == Packet(1, data=b"wind")
    assert [each.message for each in udp_server.requests[1:]] == [Packet(4, 1), Packet(4, 2), Packet(4, 3)]


def test_a_block_that_comes_twice_is_in_the_file_once(udp_server: RunningServer) -> None:
    udp_server.on(protocols.message(TFTP)).reply_with(next_block)
    udp_server.fault(Duplicate(), direction="downstream", match=protocols.reply(TFTP, block=2))
    assert fetch(udp_server) == FILE
