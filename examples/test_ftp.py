"""FTP: `ftplib` fetches a file over a second connection, to a server that the first one names (RFC 959)."""

import ftplib
from contextlib import closing
from dataclasses import dataclass

import pytest

from pytest_windsock import Serve
from windsock import RunningServer, protocols
from windsock.faults import Truncate

FILE = b"Northwest, five knots.\r\n" * 3


@dataclass(frozen=True)
class Line:
    word: str
    text: str = ""

    def __bytes__(self) -> bytes:
        return f"{self.word} {self.text}".strip().encode() + b"\r\n"


class FTP(protocols.Protocol):
    def size(self, data: bytes) -> int | None:
        return data.find(b"\n") + 1 or None

    def decode(self, data: bytes) -> Line:
        return Line(*data.decode().strip().split(" ", 1))


@pytest.fixture
def servers(serve: Serve) -> tuple[RunningServer, RunningServer]:
    control, data = serve(framing=FTP, name="control server"), serve(name="data server")
    data.greet(FILE, end="close")
    control.greet(Line("220", "ready"))
    control.on(Line("USER", "anonymous")).reply(Line("230", "come in"))
    control.on(Line("TYPE", "I")).reply(Line("200", "fine"))
    control.on(Line("PASV")).reply(Line("227", "(127,0,0,1,{},{})".format(*divmod(data.port, 256))))
    control.on(Line("RETR", "wind.txt")).reply([Line("150", "here it comes"), Line("226", "complete")])
    return control, data


def fetch(control: RunningServer) -> bytes:
    received = bytearray()
    with closing(ftplib.FTP(timeout=5)) as client:
        client.connect(control.host, control.port)
        client.login()
        client.retrbinary("RETR wind.txt", received.extend)
    return bytes(received)


def test_a_file_is_fetched_over_a_connection_of_its_own(servers: tuple[RunningServer, RunningServer]) -> None:
    assert fetch(servers[0]) == FILE


def test_a_file_that_is_cut_looks_whole(servers: tuple[RunningServer, RunningServer]) -> None:
    servers[1].fault(Truncate(30), direction="downstream")
    assert fetch(servers[0]) == FILE[:30]  # without an error: the end of the connection is that of the file
