"""The handshake of WebSocket, and the rules of a usual session. No I/O."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha1
from typing import Any

from windsock.errors import UsageError
from windsock.protocols import http
from windsock.protocols.http.headers import Headers, HeadersLike, as_headers
from windsock.protocols.message_pattern import MessagePattern
from windsock.protocols.ready_rules import check_server
from windsock.protocols.values import MessageAnswer
from windsock.protocols.websocket import patterns
from windsock.protocols.websocket.protocol import PROTOCOL, asked

__all__ = ["HandshakePattern", "accept", "accept_key", "handshake", "session"]

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
KEY = "d2luZHNvY2std2luZHNvYw=="
"""The key that `handshake()` is sent with."""


@dataclass(frozen=True, slots=True, repr=False)
class HandshakePattern(MessagePattern):
    """Matches requests for WebSocket, and is sent as one; see `handshake()`."""

    protocol = PROTOCOL
    is_reply = False
    request: http.RequestPattern

    def matches(self, message: Any) -> bool:
        """Return whether a message is such a request."""
        return isinstance(message, http.HTTPRequest) and self.request.matches(message) and not _lack(message)

    def why_differs(self, message: Any) -> str:
        """Return what it lacks."""
        if not isinstance(message, http.HTTPRequest):
            return ""
        return self.request.why_differs(message) or _lack(message)

    def __bytes__(self) -> bytes:
        request = self.request.message
        more = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Key", KEY)]
        more.append(("Sec-WebSocket-Version", "13"))
        fields = (*request.headers.fields, *((name, value) for name, value in more if name not in request.headers))
        return bytes(http.HTTPRequest("GET", request.target, headers=Headers(fields)))

    def __repr__(self) -> str:
        return repr(self.request).replace("http.get", "websocket.handshake", 1)


@dataclass(frozen=True, slots=True, repr=False)
class AcceptAnswer(MessageAnswer):
    """Accepts a handshake; see `accept()`."""

    subprotocol: str | None
    headers: Headers

    def __call__(self, message: bytes) -> http.HTTPResponse:
        """Return 101 Switching Protocols with the key that belongs to that of the request."""
        found = asked(message)
        key = found.headers.get("sec-websocket-key", "") if isinstance(found, http.HTTPRequest) else ""
        more = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept_key(key))]
        if self.subprotocol is not None:
            more.append(("Sec-WebSocket-Protocol", self.subprotocol))
        fields = (*self.headers.fields, *((name, value) for name, value in more if name not in self.headers))
        return http.HTTPResponse(101, headers=Headers(fields))

    def __repr__(self) -> str:
        words = [] if self.subprotocol is None else [repr(self.subprotocol)]
        words += [f"headers={self.headers!r}"] if self.headers else []
        return f"websocket.accept({', '.join(words)})"


def handshake(path: str | re.Pattern[str] | None = None, *, headers: HeadersLike = ()) -> HandshakePattern:
    """Return a pattern for requests for WebSocket with this path and these headers; it can be sent, too."""
    return HandshakePattern(http.get(path, headers=headers))


def accept(subprotocol: str | None = None, *, headers: HeadersLike = ()) -> AcceptAnswer:
    """Return the answer that accepts a handshake, with one of the client's subprotocols.

    Its `headers` replace those that it would have, so `{"Sec-WebSocket-Accept": "x"}` is a wrong one.
    """
    if not (subprotocol is None or isinstance(subprotocol, str)):
        raise UsageError(f"websocket.accept({subprotocol!r}): expected the name of a subprotocol")
    return AcceptAnswer(subprotocol, as_headers("websocket.accept", headers))


def accept_key(key: str) -> str:
    """Return the Sec-WebSocket-Accept that belongs to a Sec-WebSocket-Key (RFC 6455, 4.2.2)."""
    return b64encode(sha1(f"{key}{GUID}".encode("latin-1"), usedforsecurity=False).digest()).decode()


def session(server: Any, path: str | None = None, *, subprotocol: str | None = None) -> None:
    """Let a fake accept handshakes, answer pings by pongs, and close after the client's close.

    Rules for messages, and rules that were added before, come beside. `framing="websocket"` is needed.
    """
    check_server("websocket.session()", server, PROTOCOL, keeps_state=False)
    server.on(handshake(path)).reply(accept(subprotocol)).optional()
    server.on(patterns.ping()).reply(patterns.pong()).optional()
    server.on(patterns.pong()).reply_with(_nothing).optional()
    server.on(patterns.close()).reply(patterns.close()).optional()


def _nothing(message: bytes) -> None:
    """Answer nothing."""


def _lack(request: http.HTTPRequest) -> str:
    """Return why a request asks for no WebSocket; "" if it does."""
    if "websocket" not in request.headers.words("upgrade") or "upgrade" not in request.headers.words("connection"):
        return "there is no Upgrade: websocket with Connection: Upgrade"
    return "" if "sec-websocket-key" in request.headers else "there is no Sec-WebSocket-Key"
