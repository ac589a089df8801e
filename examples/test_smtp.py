"""Mail: `smtplib` sends a message to a handler that takes it, and to a fake that goes silent (RFC 5321)."""

from __future__ import annotations

import re
import smtplib
from email.message import EmailMessage
from typing import Any

import pytest

from windsock import RunningServer, Script
from windsock.servers import StreamRequestHandler

ANSWERS = {
    b"HELO": b"250 Hello",
    b"MAIL": b"250 OK",
    b"RCPT": b"250 OK",
    b"DATA": b"354 Go on, end with a dot",
    b"QUIT": b"221 Bye",
}


class SMTPHandler(StreamRequestHandler):
    def handle(self) -> None:
        self.say(b"220 mail.example ready")
        for line in self.rfile:
            command = line[:4].upper()
            self.say(ANSWERS.get(command, b"502 Not here"))
            if command == b"DATA":
                self.take_message()
            elif command == b"QUIT":
                return

    def take_message(self) -> None:
        while self.rfile.readline() != b".\r\n":
            pass
        self.say(b"250 Queued")

    def say(self, line: bytes) -> None:
        self.wfile.write(line + b"\r\n")


def message_to(recipient: str, subject: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "ann@example.com"
    message["To"] = recipient
    message["Subject"] = subject
    message.set_content("Northwest, five knots.\n")
    return message


@pytest.mark.windsock(handler=SMTPHandler)
def test_a_message_arrives_as_it_was_sent(threading_tcp_server: RunningServer) -> None:
    with smtplib.SMTP(threading_tcp_server.host, threading_tcp_server.port, timeout=5) as client:
        client.send_message(message_to("bob@example.com", "The wind today"))

    session = threading_tcp_server.requests.only()
    assert b":<ann@example.com>\r\n" in session.data
    assert b":<bob@example.com>\r\n" in session.data
    assert b"Subject: The wind today\r\n" in session.data
    assert session.reply.endswith(b"250 Queued\r\n221 Bye\r\n")


@pytest.mark.windsock(handler=SMTPHandler, framing="lines")
def test_the_client_falls_back_to_helo(threading_tcp_server: RunningServer) -> None:
    where = (threading_tcp_server.host, threading_tcp_server.port)
    with smtplib.SMTP(*where, local_hostname="here", timeout=5) as client:
        refused: Any = client.ehlo()
        client.helo()

    assert refused == (502, b"Not here")
    lines = [request.data for request in threading_tcp_server.requests.wait(3)]
    assert lines == [b"ehlo here\r\n", b"helo here\r\n", b"QUIT\r\n"]


def to_the_data() -> Script:
    script = Script().send(b"220 mail.example ready\r\n")
    for command in (rb"(?i)^ehlo ", rb"(?i)^mail from:", rb"(?i)^rcpt to:"):
        script = script.expect(re.compile(command), until=b"\r\n").send(b"250 OK\r\n")
    return script.expect(b"data\r\n").send(b"354 Go on, end with a dot\r\n")


def test_a_server_that_goes_silent_after_data_is_given_up(tcp_server: RunningServer) -> None:
    tcp_server.play(to_the_data().expect(until=b"\r\n.\r\n").expect_eof())
    gives_up = pytest.raises(smtplib.SMTPServerDisconnected, match="timed out")

    with smtplib.SMTP(tcp_server.host, tcp_server.port, timeout=0.2) as client, gives_up:
        client.send_message(message_to("bob@example.com", "The wind today"))

    session = tcp_server.requests.wait(1)[0]
    assert session.data.endswith(b"Northwest, five knots.\r\n.\r\n")  # all of it was said, and
    assert session.reply.endswith(b"354 Go on, end with a dot\r\n")  # nobody knows whether it was taken
