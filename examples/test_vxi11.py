"""Instruments: PyVISA and `python-vxi11` control a power supply over VXI-11, which is Sun RPC."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from windsock import RunningServer
from windsock.faults import Segment
from windsock.protocols import xdr
from windsock.servers.rpc import Portmapper, RPCRequestHandler, ThreadingRPCTCPServer, procedure

ERROR = LINK = FLAGS = xdr.INT
TIMEOUT = SIZE = xdr.UINT
NO_ERROR, NOT_ACCESSIBLE, INVALID_LINK, TIMED_OUT = 0, 3, 4, 15
SIZE_REACHED, END_REACHED = 1, 4


class PowerSupply(RPCRequestHandler):
    """The core channel of an instrument; each connection has one link, number 1, and its own voltage."""

    program = 0x0607AF
    version = 1
    volts = b"0.0"
    answer = b""

    @procedure(
        10,
        args=xdr.Struct(client=xdr.INT, is_locked=xdr.BOOL, lock_timeout=TIMEOUT, device=xdr.STRING),
        result=xdr.Struct(error=ERROR, link=LINK, abort_port=xdr.UINT, longest_write=SIZE),
    )
    def create_link(self, wanted: Any) -> Any:
        error = NO_ERROR if wanted.device == "inst0" else NOT_ACCESSIBLE
        return {"error": error, "link": 1, "abort_port": 0, "longest_write": 1024}

    @procedure(
        11,
        args=xdr.Struct(link=LINK, io_timeout=TIMEOUT, lock_timeout=TIMEOUT, flags=FLAGS, data=xdr.OPAQUE),
        result=xdr.Struct(error=ERROR, size=SIZE),
    )
    def device_write(self, sent: Any) -> Any:
        command, _, value = sent.data.rstrip().partition(b" ")
        if command == b"VOLT":
            self.volts = value
        answers = {b"*IDN?": b"Windsock,Breeze 2000,42,1.0\n", b"VOLT?": self.volts + b"\n", b"CURVE?": bytes(30_500)}
        self.answer = answers.get(command, b"")
        return {"error": NO_ERROR if sent.link == 1 else INVALID_LINK, "size": len(sent.data)}

    @procedure(
        12,
        args=xdr.Struct(
            link=LINK, size=SIZE, io_timeout=TIMEOUT, lock_timeout=TIMEOUT, flags=FLAGS, end_character=xdr.INT
        ),
        result=xdr.Struct(error=ERROR, reason=xdr.INT, data=xdr.OPAQUE),
    )
    def device_read(self, wanted: Any) -> Any:
        data, self.answer = self.answer[: wanted.size], self.answer[wanted.size :]
        error = NO_ERROR if data else TIMED_OUT
        return {"error": error, "reason": SIZE_REACHED if self.answer else END_REACHED, "data": data}

    @procedure(23, args=LINK, result=ERROR)
    def destroy_link(self, link: int) -> int:
        return NO_ERROR if link == 1 else INVALID_LINK


# --- PyVISA with pyvisa-py: TCPIP::HOST,PORT::inst0::INSTR

pyvisa = pytest.importorskip("pyvisa")
pytest.importorskip("pyvisa_py")

serving_a_power_supply = pytest.mark.windsock(handler=PowerSupply)


@pytest.fixture
def visa() -> Iterator[Any]:
    with closing(pyvisa.ResourceManager("@py")) as manager:
        yield manager


def opened(visa: Any, server: RunningServer, device: str = "inst0") -> Any:
    return closing(visa.open_resource(f"TCPIP::127.0.0.1,{server.port}::{device}::INSTR"))


@serving_a_power_supply
def test_an_instrument_is_asked_who_it_is(visa: Any, tcp_server: RunningServer) -> None:
    with opened(visa, tcp_server) as supply:
        assert supply.query("*IDN?") == "Windsock,Breeze 2000,42,1.0\n"
        supply.write("VOLT 3.3")
        assert float(supply.query("VOLT?")) == 3.3


@serving_a_power_supply
def test_a_long_answer_is_read_in_several_calls(visa: Any, tcp_server: RunningServer) -> None:
    with opened(visa, tcp_server) as supply:
        supply.write("CURVE?")
        assert supply.read_raw(size=1000) == bytes(30_500)


@serving_a_power_supply
def test_an_instrument_that_has_nothing_to_say_is_a_timeout(visa: Any, tcp_server: RunningServer) -> None:
    with opened(visa, tcp_server) as supply, pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_TMO"):
        supply.read()


@serving_a_power_supply
def test_a_reply_that_arrives_byte_by_byte_is_joined(visa: Any, tcp_server: RunningServer) -> None:
    tcp_server.fault(Segment(1, interval=0.002), direction="downstream")

    with opened(visa, tcp_server) as supply:
        assert supply.query("*IDN?") == "Windsock,Breeze 2000,42,1.0\n"


# --- python-vxi11, which asks the portmapper for the port


class RegisteredServer(ThreadingRPCTCPServer):
    portmapper: Any = None


@pytest.fixture
def vxi11() -> Any:
    return pytest.importorskip("vxi11", reason="python-vxi11 imports xdrlib, which Python 3.13 has not")


@pytest.fixture
def registered_server(serve: Any, vxi11: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    portmapper = serve(Portmapper)
    monkeypatch.setattr(vxi11.rpc, "PMAP_PORT", portmapper.port)
    monkeypatch.setattr(RegisteredServer, "portmapper", portmapper.address)
    return serve(RegisteredServer, PowerSupply)


def test_an_instrument_is_found_through_the_portmapper(vxi11: Any, registered_server: RunningServer) -> None:
    with closing(vxi11.Instrument("127.0.0.1")) as supply:
        assert supply.ask("*IDN?") == "Windsock,Breeze 2000,42,1.0"


def test_a_record_mark_in_two_pieces_is_an_end_of_file(vxi11: Any, registered_server: RunningServer) -> None:
    """It reads the four bytes of the mark with one recv(4), and takes what is there for all."""
    registered_server.fault(Segment(2, interval=1), direction="downstream")

    with closing(vxi11.vxi11.CoreClient("127.0.0.1")) as core, pytest.raises(EOFError):
        core.create_link(1, 0, 1000, b"inst0")
