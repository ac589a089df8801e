"""A handler that forks by itself and leaves the rest of its connection to the child."""

from __future__ import annotations

import os
from typing import Any

from tests.servers.helpers import Place
from tests.support.servers import rest_of
from tests.support.waiting import DEADLINE
from windsock import servers


class ForksItself(servers.StreamRequestHandler):
    """The child answers when the parent has closed its copy of the connection."""

    ending = "return"

    def handle(self) -> None:
        self.rfile.readline()
        if os.fork() == 0:
            os.read(self.server.released, 1)
            self.wfile.write(b"from child %d\n" % os.getpid())
            if self.ending == "exit":
                os._exit(0)
            if self.ending == "raise":
                raise LookupError("in the child")


def check_fork_in_handle(place: Place, kind: Any) -> None:
    """See the child finish, however it ends, and the server go on."""
    released, release = os.pipe()

    class Releases:
        def close_request(self, request: Any) -> None:
            super().close_request(request)  # type: ignore[misc]
            os.write(release, b"!")

    for ending in ("return", "exit", "raise"):
        handler = type("ForksItself", (ForksItself,), {"ending": ending})
        server = place.start(kind, handler, Releases, released=released)
        client = place.connect(server)

        client.sendall(b"hello\n")

        words = rest_of(client).split()
        assert words[:2] == [b"from", b"child"]
        _, status = os.waitpid(int(words[2]), 0)
        # A thread's exception is reported where it is; the loop's ends the child with status 1.
        assert os.waitstatus_to_exitcode(status) in ((0, 1) if ending == "raise" else (0,))
        if ending == "raise":
            assert place.notes.read() == "error LookupError"
        server.RequestHandlerClass = servers.StreamRequestHandler
        assert rest_of(place.connect(server)) == b""
        server.server_close()
    assert server.wait_for_requests(DEADLINE) == []
    os.close(released)
    os.close(release)
