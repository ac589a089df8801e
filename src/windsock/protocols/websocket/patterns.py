"""What tests write: `websocket.text("hello")`, as a pattern, as a message to send, and as an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from windsock.errors import UsageError
from windsock.protocols.message_pattern import MessagePattern
from windsock.protocols.values import MessageAnswer
from windsock.protocols.websocket.messages import KEY, WebSocketMessage
from windsock.protocols.websocket.protocol import PROTOCOL, asked

__all__ = ["WebSocketPattern", "binary", "close", "message", "ping", "pong", "text"]


@dataclass(frozen=True, slots=True, repr=False)
class WebSocketPattern(MessagePattern):
    """Matches messages in either direction, is sent as one, and answers messages; see `text()` and the others."""

    protocol = PROTOCOL
    kind: str | None
    data: bytes | None = None
    fragments: tuple[int, ...] | None = None

    def matches(self, message: Any) -> bool:
        """Return whether a message is of this kind, with this data."""
        return (
            isinstance(message, WebSocketMessage)
            and self.kind in (None, message.kind)
            and self.data in (None, message.data)
            and self.fragments in (None, message.fragments)
        )

    @property
    def message(self) -> WebSocketMessage:
        """The message to send, as servers do: without a mask. Raises UsageError without data for it."""
        if self.kind is None or (self.data is None and self.kind in ("text", "binary")):
            raise UsageError(f"{self!r} can't be sent: pass its data")
        return WebSocketMessage(self.kind, self.data or b"", fragments=self.fragments)

    def masked(self, key: bytes = KEY) -> WebSocketMessage:
        """Return the message to send, as clients do: masked with a key of 4 bytes."""
        return self.message.masked(key)

    def as_answer(self) -> MessageAnswer:
        """Return what answers messages with it."""
        return WebSocketAnswer(self)

    def __bytes__(self) -> bytes:
        return bytes(self.message)

    def __repr__(self) -> str:
        if self.kind is None or self.data is None:
            return f"websocket.{self.kind or 'message'}()"
        sent = WebSocketMessage(self.kind, self.data)
        words = [repr(sent.text) if self.kind == "text" else repr(self.data)]
        if self.kind == "close":
            words = [repr(sent.code), repr(sent.text)] if sent.text else [repr(sent.code)]
        more = [] if self.fragments is None else [f"fragments={list(self.fragments)!r}"]
        return f"websocket.{self.kind}({', '.join([*words, *more])})"


@dataclass(frozen=True, slots=True, repr=False)
class WebSocketAnswer(MessageAnswer):
    """Answers with a message; one without data has that of the message which it answers."""

    form: WebSocketPattern

    def __call__(self, message: bytes) -> WebSocketMessage:
        """Return the message in reply to one."""
        form = self.form
        if form.data is not None or form.kind is None:
            return form.message
        found = asked(message)
        return WebSocketMessage(form.kind, found.data if isinstance(found, WebSocketMessage) else b"")

    def ends(self, message: bytes) -> bool:
        """Return whether both have sent a close."""
        found = asked(message)
        return self.form.kind == "close" and isinstance(found, WebSocketMessage) and found.kind == "close"

    def __repr__(self) -> str:
        return repr(self.form)


def message() -> WebSocketPattern:
    """Return a pattern for all messages."""
    return WebSocketPattern(None)


def text(data: str | None = None, *, fragments: list[int] | None = None) -> WebSocketPattern:
    """Return a text message; as a pattern without data, all of them. `fragments` are the sizes of its frames in bytes.

    An answer without data has that of the message which it answers. Raises UsageError for other types.
    """
    if not (data is None or isinstance(data, str)):
        raise UsageError(f"websocket.text({data!r}): expected str; bytes are websocket.binary()")
    return _checked("text", None if data is None else data.encode(), fragments)


def binary(data: bytes | None = None, *, fragments: list[int] | None = None) -> WebSocketPattern:
    """Return a message of bytes; the rest is as with `text()`."""
    return _checked("binary", _bytes("binary", data), fragments)


def ping(data: bytes | None = None) -> WebSocketPattern:
    """Return a ping; as a pattern without data, all of them."""
    return _checked("ping", _bytes("ping", data))


def pong(data: bytes | None = None) -> WebSocketPattern:
    """Return a pong; as a pattern without data, all of them; as an answer without data, that of the ping."""
    return _checked("pong", _bytes("pong", data))


def close(code: int | None = None, reason: str = "") -> WebSocketPattern:
    """Return a close; as a pattern without a code, all of them; as an answer without one, that of the client's close.

    In reply to a close it ends the connection.
    """
    if code is None:
        if reason:
            raise UsageError(f"websocket.close(reason={reason!r}): a reason has a code before it, such as 1000")
        return WebSocketPattern("close")
    if type(code) is not int or not 0 <= code < 1 << 16:
        raise UsageError(f"websocket.close({code!r}): expected a number of 16 bits, such as 1000")
    given: object = reason
    if not isinstance(given, str):
        raise UsageError(f"websocket.close({code}, {reason!r}): expected a reason as str")
    return _checked("close", code.to_bytes(2, "big") + reason.encode())


def _bytes(name: str, data: Any) -> bytes | None:
    if not (data is None or isinstance(data, bytes | bytearray | memoryview)):
        raise UsageError(f"websocket.{name}({data!r}): expected bytes")
    return None if data is None else bytes(data)


def _checked(kind: str, data: bytes | None, fragments: list[int] | None = None) -> WebSocketPattern:
    """Return a pattern whose message can be sent. Raises UsageError."""
    given: object = fragments
    if not (given is None or isinstance(given, list | tuple)):
        raise UsageError(f"websocket.{kind}(fragments={fragments!r}): expected the sizes of the frames in a list")
    sizes = None if fragments is None else tuple(fragments)
    if data is not None:
        WebSocketMessage(kind, data, fragments=sizes)
    return WebSocketPattern(kind, data, sizes)
