"""Modbus/TCP: `pymodbus` reads registers from a protocol of one's own, in which requests and replies share an id."""

import struct
from dataclasses import dataclass, replace

import pytest

from pytest_windsock import Serve
from windsock import RunningServer, protocols

library = pytest.importorskip("pymodbus.client")


@dataclass(frozen=True)
class Frame:
    id: int
    unit: int
    function: int
    payload: bytes

    def __bytes__(self) -> bytes:
        return struct.pack(">HHHBB", self.id, 0, len(self.payload) + 2, self.unit, self.function) + self.payload


class Modbus(protocols.Protocol):
    def size(self, data: bytes) -> int | None:
        return 6 + int.from_bytes(data[4:6]) if len(data) >= 6 else None

    def decode(self, data: bytes) -> Frame:
        if len(data) < 8 or data[2:4] != bytes(2):
            raise protocols.DecodeError("expected the protocol 0, a unit and a function")
        return Frame(int.from_bytes(data[:2]), data[6], data[7], data[8:])

    def request_key(self, data: bytes) -> bytes:
        return data[:2]


@pytest.fixture
def device(serve: Serve) -> RunningServer:
    device = serve(framing=Modbus)
    decode = Modbus().decode
    register, refused = b"\x02\x00\x11", b"\x02"
    device.on(protocols.message(Modbus, function=3)).reply_with(lambda data: replace(decode(data), payload=register))
    device.on(protocols.message(Modbus)).reply_with(lambda data: replace(decode(data), function=0x84, payload=refused))
    return device


def ask(device: RunningServer) -> tuple[list[int], int]:
    with library.ModbusTcpClient(device.host, port=device.port, retries=0) as client:
        return client.read_holding_registers(7).registers, client.read_input_registers(8).exception_code


def test_a_register_is_read_and_another_refused(device: RunningServer) -> None:
    assert ask(device) == ([17], 2)


def test_a_reply_that_comes_twice_is_not_taken_for_the_next_one(device: RunningServer) -> None:
    device.fault(lambda item, context: item.data * 2, direction="downstream", match=protocols.reply(Modbus, function=3))
    assert ask(device) == ([17], 2)
