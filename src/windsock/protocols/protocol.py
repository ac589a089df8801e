"""Protocol: where the messages of a stream end, what they mean, and what a line says of them. Subclass it. No I/O."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, ClassVar, Self

from windsock.errors import UsageError, visible
from windsock.protocols.errors import DecodeError, FramingError

__all__ = ["LIMIT", "SHOWN", "Protocol", "checked_limit"]

LIMIT = 16 * 1024 * 1024
"""The most bytes of a message, unless its framing has a `limit` of its own."""
SHOWN = 32
"""The bytes of a message that an error shows."""
REMEMBERED = 64 * 1024
"""The most bytes of a message that is remembered, with its value."""


def checked_limit(protocol: str, limit: int) -> int:
    """Return the most bytes of a message. Raises UsageError for what is none."""
    if type(limit) is not int or limit < 1:
        raise UsageError(f"{protocol}(limit={limit!r}): expected the most bytes of a message, 1 or more")
    return limit


class Protocol:
    """A protocol: `framing=MyProtocol()`, or by its name if an entry point of the group windsock.protocols has it.

    The hooks, in the order in which a message meets them: `begin`, `size` and `reply_size`, `interim_reply`, `passed`,
    `until_end`; then `body`, `decode` and `decode_reply`, `describe`, `is_interim`, `request_key` and `reply_key`. A
    message of a stream is given to them with all of its frame; a datagram is one message.
    """

    name: ClassVar[str] = ""
    """The name in `framing="name"`."""
    title: ClassVar[str] = ""
    """The name in sentences, if it is written in another way: "no RPC message"."""
    limit: int = LIMIT
    """The most bytes of a message on a stream."""

    _latest: tuple[bytes, bool, Any] | None = None
    """The message that was decoded last: each rule of a fake asks for it."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    # --- where messages end

    def of_server(self, server: Any) -> Protocol:  # noqa: ARG002  # an override may need it
        """Return the protocol with what the server's class knows about messages. May be overridden."""
        return self

    def begin(self) -> Self:
        """Return the protocol of one connection.

        May be overridden, if the size of a message depends on those before it: return an object of its own for each
        connection, which learns from `passed()`.
        """
        return self

    def size(self, data: bytes) -> int | None:
        """Return the size in bytes of the first message of a client's stream, or None if more bytes must come first.

        Must be overridden. Called again with the same bytes and more. A size may be returned before all of the message
        has come. Raises DecodeError for bytes that can't begin a message.
        """
        raise NotImplementedError("size(data) must be overridden")

    def reply_size(self, data: bytes) -> int | None:
        """Return the same for the stream of a server. May be overridden."""
        return self.size(data)

    def passed(self, data: bytes, *, is_reply: bool) -> None:
        """Learn that a whole message has passed. May be overridden, together with `begin()`.

        Where only one direction is seen, as by a fault, only its messages are passed.
        """

    def until_end(self, data: bytes) -> bool:  # noqa: ARG002  # an override may need it
        """Return whether a server's message that has no size ends with its stream. May be overridden."""
        return False

    def interim_reply(self, data: bytes) -> bytes:  # noqa: ARG002  # an override may need it
        """Return what a fake sends while a client's message is not whole, since the client waits for it; b"": nothing.

        May be overridden. `data` is the start of the message; asked until it returns something, once a message.
        """
        return b""

    def is_interim(self, data: bytes) -> bool:  # noqa: ARG002  # an override may need it
        """Return whether a server's message comes before the reply itself. May be overridden."""
        return False

    # --- what messages mean

    def body(self, data: bytes) -> bytes:
        """Return a message without its frame, which bytes in `server.on()` may leave out too. May be overridden."""
        return data

    def decode(self, data: bytes) -> Any:
        """Return a whole message of a client as a value. May be overridden; the default is the bytes themselves.

        Raises DecodeError with the reason for bytes that are none. A frozen dataclass is best, with `__bytes__` that
        encodes it, `__str__` for lines of transcripts, and a `repr()` that is the code that makes it.
        """
        return data

    def decode_reply(self, data: bytes) -> Any:
        """Return the same for a whole message of a server. May be overridden."""
        return self.decode(data)

    def describe(self, message: Any) -> str:
        """Return a message in one line. May be overridden."""
        return str(message)

    def request_key(self, data: bytes) -> Hashable:  # noqa: ARG002  # an override may need it
        """Return what a client's message and its reply have in common, such as an id; None: only the order.

        May be overridden.
        """
        return None

    def reply_key(self, data: bytes) -> Hashable:
        """Return the same for a server's message. May be overridden."""
        return self.request_key(data)

    # --- for windsock; do not override

    def size_of(self, data: bytes, *, is_reply: bool = False) -> int | None:
        """Return the size of the first message. Raises FramingError for bytes that are none, and for a wrong size."""
        try:
            size = self.reply_size(data) if is_reply else self.size(data)
        except DecodeError as error:
            value = getattr(error, "value", None)
            raise FramingError(self, data[:SHOWN], error.reason, value=value) from error
        if size is None or (type(size) is int and size >= 1):
            return size
        method = "reply_size" if is_reply else "size"
        raise FramingError(self, data[:SHOWN], f"{method}() returned {size!r}; expected None, or a size of 1 or more")

    def decoded(self, data: bytes, *, is_reply: bool = False) -> Any:
        """Return a message as a value. Raises DecodeError for what is none, FramingError if decoding fails itself."""
        latest = self._latest
        if latest is not None and latest[0] is data and latest[1] is is_reply:
            return latest[2]
        try:
            message = self.decode_reply(data) if is_reply else self.decode(data)
            if len(data) <= REMEMBERED:
                vars(self)["_latest"] = (data, is_reply, message)
            return message
        except (DecodeError, FramingError):
            raise
        except Exception as error:
            method = "decode_reply" if is_reply else "decode"
            raise FramingError(self, data[:SHOWN], f"{method}() raised {type(error).__name__}: {error}") from error

    def in_words(self, data: bytes, *, is_reply: bool = False) -> tuple[str, bool]:
        """Return in one line what a message is, or why it is none; and whether it is one."""
        try:
            return visible(self.describe(self.decoded(data, is_reply=is_reply))), True
        except Exception as error:
            return visible(f"no {self.title or self.name or type(self).__name__} message ({error})"), False
