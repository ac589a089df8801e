"""HTTP/1.1 as a protocol: `framing="http"`. Where a response ends depends on its request. No I/O."""

from __future__ import annotations

from collections import deque

from windsock.protocols.http.messages import HTTPRequest, HTTPResponse
from windsock.protocols.http.wire import (
    UNTIL_END,
    expects_continue,
    head_of,
    request_in,
    request_size,
    response_in,
    response_size,
)
from windsock.protocols.protocol import LIMIT, Protocol, checked_limit

__all__ = ["PROTOCOL", "HTTPProtocol"]

INTERIM = (b"100", b"102", b"103")
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class HTTPProtocol(Protocol):
    """HTTP/1.0 and HTTP/1.1. `limit` is the most bytes of a message.

    Behind CONNECT and behind 101 Switching Protocols, what passes is no HTTP: each piece is a message, as it arrives.
    """

    name = "http"
    title = "HTTP"

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = checked_limit("HTTPProtocol", limit)

    def begin(self) -> HTTPConnection:
        """Return the protocol of one connection."""
        return HTTPConnection(self.limit)

    def size(self, data: bytes) -> int | None:
        """Return the size of the first request, or None."""
        return request_size(data)

    def reply_size(self, data: bytes) -> int | None:
        """Return the size of the first response, to a request that is neither HEAD nor CONNECT, or None."""
        return self._known(response_size(data))

    def decode(self, data: bytes) -> HTTPRequest:
        """Return a request."""
        return request_in(data)

    def decode_reply(self, data: bytes) -> HTTPResponse:
        """Return a response."""
        return response_in(data)

    def until_end(self, data: bytes) -> bool:
        """Return whether a response has neither a size nor chunks."""
        return response_size(data) == UNTIL_END

    def interim_reply(self, data: bytes) -> bytes:
        """Return 100 Continue for a client that waits for it before it sends the body."""
        head = head_of(data) or b""
        return CONTINUE if expects_continue(head) and data.endswith(head) else b""

    def is_interim(self, data: bytes) -> bool:
        """Return whether a response has a status of 100 to 199 and another one follows."""
        return data[:5] == b"HTTP/" and data[9:12] in INTERIM

    def _known(self, size: int | None) -> int | None:
        return None if size == UNTIL_END else size


class HTTPConnection(HTTPProtocol):
    """One connection: remembers the methods that have no response yet, and whether there is HTTP at all."""

    def __init__(self, limit: int = LIMIT) -> None:
        super().__init__(limit)
        self._methods: deque[str] = deque()
        self._is_tunnel = False

    def __repr__(self) -> str:
        return "HTTPProtocol()"  # as the test has given it

    def begin(self) -> HTTPConnection:
        """Return a new one."""
        return HTTPConnection(self.limit)

    def size(self, data: bytes) -> int | None:
        """Return the size of the first request, or of what has come through a tunnel."""
        return len(data) if self._is_tunnel else request_size(data)

    def reply_size(self, data: bytes) -> int | None:
        """Return the same for responses."""
        if self._is_tunnel:
            return len(data)
        return self._known(response_size(data, self._methods[0] if self._methods else ""))

    def passed(self, data: bytes, *, is_reply: bool) -> None:
        """Remember a request, or take that of a response."""
        if self._is_tunnel:
            return
        if not is_reply:
            self._methods.append(data.lstrip(b"\r\n").partition(b" ")[0].decode("latin-1"))
            return
        if self.is_interim(data):
            return
        status = data[9:12]
        method = self._methods.popleft() if self._methods else ""
        self._is_tunnel = status == b"101" or (method == "CONNECT" and status[:1] == b"2")


PROTOCOL = HTTPProtocol()
