"""Patterns for messages of a protocol: for rules, for `expect()` of scripts, and for `match=` of faults. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from windsock.errors import UsageError
from windsock.protocols.errors import DecodeError
from windsock.protocols.protocol import Protocol
from windsock.redaction import text

__all__ = ["FieldPattern", "MessagePattern", "message", "reply"]

NOTHING: Any = object()


class MessagePattern:
    """Matches messages of a protocol, by what they mean. Subclass it; a frozen dataclass is best.

    On a stream a script's `expect()` takes one message, and a fault's `match=` looks at whole messages.
    """

    __slots__ = ()
    protocol: Protocol
    """The protocol. Must be overridden."""
    is_reply: bool | None = None
    """Whether it is for messages of servers (True) or of clients (False); None: for both."""

    def matches(self, message: Any) -> bool:
        """Return whether a decoded message matches. Must be overridden."""
        raise NotImplementedError

    def why_differs(self, message: Any) -> str:  # noqa: ARG002  # an override may need it
        """Return what differs in a message that does not match; "" if that is clear. May be overridden."""
        return ""

    def size(self, data: bytes) -> int | None:
        """Return the size of the first message of a stream. May be overridden."""
        return self.protocol.begin().size_of(data, is_reply=bool(self.is_reply))

    def __call__(self, data: bytes) -> bool:
        """Return whether the bytes of a message match. Raises FramingError if the protocol's decode() fails."""
        try:
            return bool(self.matches(self.protocol.decoded(data, is_reply=bool(self.is_reply))))
        except DecodeError:
            return False

    def why_not(self, data: bytes) -> str:
        """Return what a message is instead, in words, with secrets masked."""
        words, differs = self.compared(data)
        return text(f"it is {words}{'; ' if differs else ''}{differs}")

    def compared(self, data: bytes) -> tuple[str, str]:
        """Return in words what a message is, and what differs if that is not clear."""
        words, is_message = self.protocol.in_words(data, is_reply=bool(self.is_reply))
        differs = self.why_differs(self.protocol.decoded(data, is_reply=bool(self.is_reply))) if is_message else ""
        return words, differs


@dataclass(frozen=True, slots=True, repr=False)
class FieldPattern(MessagePattern):
    """Matches messages by the values of their attributes; see `message()` and `reply()`."""

    protocol: Protocol
    values: tuple[tuple[str, Any], ...]
    is_reply: bool = False

    def matches(self, message: Any) -> bool:
        """Return whether each attribute has its value."""
        return all(getattr(message, name, NOTHING) == value for name, value in self.values)

    def why_differs(self, message: Any) -> str:
        """Return the first attribute that has another value."""
        for name, value in self.values:
            found = getattr(message, name, NOTHING)
            if found is NOTHING:
                return f"{type(message).__name__} has no {name}"
            if found != value:
                return f"{name} is {found!r}, expected {value!r}"
        return ""

    def __repr__(self) -> str:
        values = "".join(f", {name}={value!r}" for name, value in self.values)
        return f"protocols.{'reply' if self.is_reply else 'message'}({self.protocol!r}{values})"


def message(protocol: Protocol | type[Protocol], **values: Any) -> FieldPattern:
    """Return a pattern for messages of clients whose attributes have these values: `message(MODBUS, function=3)`."""
    return FieldPattern(_checked("message", protocol), tuple(values.items()))


def reply(protocol: Protocol | type[Protocol], **values: Any) -> FieldPattern:
    """Return a pattern for messages of servers; the rest is as with `message()`."""
    return FieldPattern(_checked("reply", protocol), tuple(values.items()), is_reply=True)


def _checked(method: str, protocol: Any) -> Protocol:
    if isinstance(protocol, type) and issubclass(protocol, Protocol):
        return protocol()
    if not isinstance(protocol, Protocol):
        raise UsageError(f"{method}({protocol!r}): expected a protocol, such as MyProtocol()")
    return protocol
