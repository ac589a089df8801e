"""WebSocket: `websocket.session(server)` shakes hands, `websocket.text("hi")` matches and sends messages. No I/O."""

from windsock.protocols.websocket.handshake import HandshakePattern, accept, accept_key, handshake, session
from windsock.protocols.websocket.messages import WebSocketMessage
from windsock.protocols.websocket.patterns import WebSocketPattern, binary, close, message, ping, pong, text
from windsock.protocols.websocket.protocol import PROTOCOL, WebSocketProtocol

__all__ = [
    "PROTOCOL",
    "HandshakePattern",
    "WebSocketMessage",
    "WebSocketPattern",
    "WebSocketProtocol",
    "accept",
    "accept_key",
    "binary",
    "close",
    "handshake",
    "message",
    "ping",
    "pong",
    "session",
    "text",
]
