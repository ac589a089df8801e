"""The code under test: a server that shouts, and a client that asks once more."""

from __future__ import annotations

import socket

from windsock.servers import StreamRequestHandler, ThreadingTCPServer


class Shout(StreamRequestHandler):
    """Returns each line in capitals."""

    def handle(self) -> None:
        """Answer until the client ends."""
        for line in self.rfile:
            self.wfile.write(line.upper())


class ShoutServer(ThreadingTCPServer):
    """A server class of one's own."""

    allow_reuse_address = True


def ask(address: tuple[str, int], line: bytes) -> bytes:
    """Return the answer to a line; ask twice if the connection is lost."""
    for is_last in (False, True):
        try:
            with socket.create_connection(address, timeout=5) as client, client.makefile("rb") as answer:
                client.sendall(line)
                return answer.readline()
        except ConnectionResetError:
            if is_last:
                raise
    return b""
