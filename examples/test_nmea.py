"""NMEA 0183, a line protocol of serial devices: `pynmea2` checks the checksum of each sentence of a receiver."""

import operator
import socket
from dataclasses import dataclass
from functools import reduce
from typing import Any

import pytest

from pytest_windsock import Serve
from windsock import RunningServer, protocols
from windsock.faults import Replace

library = pytest.importorskip("pynmea2")


@dataclass(frozen=True)
class Sentence:
    type: str
    fields: tuple[str, ...]

    def __bytes__(self) -> bytes:
        text = ",".join((self.type, *self.fields)).encode()
        return b"$%b*%02X\r\n" % (text, reduce(operator.xor, text))


class NMEA(protocols.Protocol):
    def size(self, data: bytes) -> int | None:
        return data.find(b"\n") + 1 or None

    def decode(self, data: bytes) -> Sentence:
        first, *fields = data[1:].partition(b"*")[0].decode().split(",")
        sentence = Sentence(first, tuple(fields))
        if bytes(sentence) != data:
            raise protocols.DecodeError(f"the checksum is wrong, expected {bytes(sentence)!r}")
        return sentence


@pytest.fixture
def receiver(serve: Serve) -> RunningServer:
    receiver = serve(framing=NMEA)
    receiver.on(Sentence("CCIIQ", ("MWV",))).reply(Sentence("IIMWV", ("315.0", "T", "5.0", "N", "A")))
    return receiver


def ask(receiver: RunningServer) -> Any:
    with socket.create_connection(receiver.address, 5) as client, client.makefile() as stream:
        client.sendall(library.QuerySentence("CC", "II", "MWV").render(newline=True).encode())
        return library.parse(stream.readline(), check=True)


def test_the_wind_is_asked_for(receiver: RunningServer) -> None:
    assert float(ask(receiver).wind_angle) == 315


def test_a_damaged_sentence_is_refused(receiver: RunningServer) -> None:
    receiver.fault(Replace(b"315", b"375"), direction="downstream")
    with pytest.raises(library.ChecksumError):
        ask(receiver)
