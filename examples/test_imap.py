"""Mail: `imaplib` lists a mailbox, from a handler that serves one client after the other (RFC 3501)."""

from __future__ import annotations

import imaplib

import pytest

from windsock import RunningServer
from windsock.servers import StreamRequestHandler

UNTAGGED = {
    b"CAPABILITY": b"* CAPABILITY IMAP4rev1\r\n",
    b"SELECT": b"* 2 EXISTS\r\n",
    b"SEARCH": b"* SEARCH 1 2\r\n",
    b"LOGOUT": b"* BYE\r\n",
}


class IMAPHandler(StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"* OK ready\r\n")
        for line in self.rfile:
            tag, command, *_ = line.split()
            self.wfile.write(UNTAGGED.get(command, b"") + tag + b" OK done\r\n")
            if command == b"LOGOUT":
                return


@pytest.mark.windsock(handler=IMAPHandler, framing="lines")
def test_a_mailbox_is_searched(sync_tcp_server: RunningServer) -> None:
    with imaplib.IMAP4(sync_tcp_server.host, sync_tcp_server.port, timeout=5) as client:
        client.login("ann", "secret")
        _, count = client.select()
        _, found = client.search(None, "UNSEEN")

    assert (count, found) == ([b"2"], [b"1 2"])
    commands = [request.data.split(b" ", 1)[1] for request in sync_tcp_server.requests.wait(5)]
    assert commands[1:4] == [b'LOGIN ann "secret"\r\n', b"SELECT INBOX\r\n", b"SEARCH UNSEEN\r\n"]
