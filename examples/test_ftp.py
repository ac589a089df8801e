"""FTP: `ftplib` fetches a file over a second connection; two servers in one test (RFC 959)."""

from __future__ import annotations

import ftplib

from pytest_windsock import Serve
from windsock.servers import BaseRequestHandler, StreamRequestHandler

FILE = b"Northwest, five knots.\r\n" * 3


class Data(BaseRequestHandler):
    """Gives the file to each client."""

    def handle(self) -> None:
        self.request.sendall(FILE)


class Control(StreamRequestHandler):
    data_port = 0

    def handle(self) -> None:
        self.say(b"220 ready")
        for line in self.rfile:
            command = line[:4].upper()
            self.say(self.answer(command))
            if command == b"RETR":
                self.say(b"226 complete")
            elif command == b"QUIT":
                return

    def answer(self, command: bytes) -> bytes:
        answers = {b"USER": b"230 come in", b"TYPE": b"200 fine", b"RETR": b"150 here it comes", b"QUIT": b"221 bye"}
        answers[b"EPSV"] = answers[b"PASV"] = b"227 (127,0,0,1,%d,%d)" % divmod(self.data_port, 256)
        return answers.get(command, b"502 not here")

    def say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")


def test_a_file_is_fetched_over_a_connection_of_its_own(serve: Serve) -> None:
    data = serve(Data, name="data server")
    control = serve(type("ControlHere", (Control,), {"data_port": data.port}), framing="lines", name="control server")

    received = bytearray()
    with ftplib.FTP() as client:
        client.connect(control.host, control.port, timeout=5)
        client.login()
        client.retrbinary("RETR wind.txt", received.extend)

    assert received == FILE
    assert data.connections[0].downstream == FILE
    commands = [request.data.split()[0] for request in control.requests.wait(5)]
    assert commands == [b"USER", b"TYPE", b"PASV", b"RETR", b"QUIT"]
