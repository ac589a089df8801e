"""WebSocket as a protocol: `framing="websocket"`. The handshake is HTTP, which the first byte tells from frames."""

from __future__ import annotations

from windsock.protocols.errors import DecodeError
from windsock.protocols.http.messages import HTTPRequest, HTTPResponse
from windsock.protocols.http.wire import UNTIL_END, request_in, request_size, response_in, response_size
from windsock.protocols.protocol import LIMIT, Protocol, checked_limit
from windsock.protocols.websocket.frames import is_frame, message_in, message_size
from windsock.protocols.websocket.messages import WebSocketMessage

__all__ = ["PROTOCOL", "WebSocketProtocol", "asked"]


class WebSocketProtocol(Protocol):
    """A handshake of HTTP, and messages in one or several frames. `limit` is the most bytes of a message."""

    name = "websocket"
    title = "WebSocket"

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = checked_limit("WebSocketProtocol", limit)

    def size(self, data: bytes) -> int | None:
        """Return the size of the first message, or of a request of HTTP, or None."""
        return message_size(data) if is_frame(data) else request_size(data)

    def reply_size(self, data: bytes) -> int | None:
        """Return the size of the first message, or of a response of HTTP, or None."""
        size = message_size(data) if is_frame(data) else response_size(data)
        return None if size == UNTIL_END else size

    def until_end(self, data: bytes) -> bool:
        """Return whether a response of HTTP has no size."""
        return not is_frame(data) and response_size(data) == UNTIL_END

    def decode(self, data: bytes) -> WebSocketMessage | HTTPRequest:
        """Return a message, or the request of the handshake."""
        return message_in(data) if is_frame(data) else request_in(data)

    def decode_reply(self, data: bytes) -> WebSocketMessage | HTTPResponse:
        """Return a message, or the response of the handshake."""
        return message_in(data) if is_frame(data) else response_in(data)


PROTOCOL = WebSocketProtocol()


def asked(data: bytes) -> WebSocketMessage | HTTPRequest | None:
    """Return what a client's message is, None of a malformed one: it may be answered, too."""
    try:
        return PROTOCOL.decode(data)
    except DecodeError:
        return None
