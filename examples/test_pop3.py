"""Mail: `poplib` fetches a message from a handler that runs in a process of its own (RFC 1939)."""

from __future__ import annotations

import poplib

import pytest

from windsock import RunningServer
from windsock.servers import StreamRequestHandler

MESSAGE = b"Subject: The wind today\r\n\r\nNorthwest, five knots.\r\n"


class POP3Handler(StreamRequestHandler):
    answers = {  # noqa: RUF012  # nobody changes it
        b"STAT": b"+OK 1 %d" % len(MESSAGE),
        b"RETR": b"+OK\r\n" + MESSAGE + b".",
        b"USER": b"+OK",
        b"PASS": b"+OK",
        b"QUIT": b"+OK",
    }

    def handle(self) -> None:
        self.say(b"+OK ready")
        for line in self.rfile:
            command = line[:4].upper()
            self.say(self.answers.get(command, b"-ERR unknown"))
            if command == b"QUIT":
                return

    def say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")


@pytest.mark.windsock(handler=POP3Handler, framing="lines")
def test_a_mailbox_is_read(forking_tcp_server: RunningServer) -> None:
    client = poplib.POP3(forking_tcp_server.host, forking_tcp_server.port, timeout=5)
    client.user("ann")
    client.pass_("secret")
    count, _ = client.stat()
    _, lines, _ = client.retr(1)
    client.quit()

    assert count == 1
    assert lines == MESSAGE.splitlines()
    commands = [request.data for request in forking_tcp_server.requests.wait(5)]
    assert commands == [b"USER ann\r\n", b"PASS secret\r\n", b"STAT\r\n", b"RETR 1\r\n", b"QUIT\r\n"]
    assert forking_tcp_server.requests[3].reply == b"+OK\r\n" + MESSAGE + b".\r\n"


@pytest.mark.windsock(handler=POP3Handler)
def test_an_unknown_command_is_refused(forking_tcp_server: RunningServer) -> None:
    client = poplib.POP3(forking_tcp_server.host, forking_tcp_server.port, timeout=5)

    with pytest.raises(poplib.error_proto, match="unknown"):
        client.uidl()
    client.quit()

    assert b"UIDL\r\n" in forking_tcp_server.requests.only().data
