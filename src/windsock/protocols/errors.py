"""Errors about messages: bytes that are no message, and streams that a framing can't cut into messages."""

from __future__ import annotations

from typing import Any

from windsock.errors import PeerError
from windsock.redaction import masked

__all__ = ["DecodeError", "FramingError"]


class DecodeError(PeerError):
    """Bytes that are not what a message, or a part of it, has to be. `reason` says what is wrong with them.

    `offset` is where in the data, in bytes; `type` what was expected there, "" if that is not known; `value` what was
    found, or None where the data end.
    """

    def __init__(self, reason: str, *, offset: int = 0, type: str = "", value: Any = None) -> None:
        self.reason = reason
        self.offset = offset
        self.type = type
        self.value = value
        super().__init__(f"offset {offset}, {type}: {reason}" if type else reason)


class FramingError(PeerError):
    """A client's bytes are no message of the framing: an impossible length, or rejected by a framing function.

    `data` is their beginning, `value` the length given there (None if unknown), `why` the reason. `connection` is its
    index, and `offset` the number of bytes that the client had sent before; both are None if the connection is unknown.
    """

    def __init__(
        self,
        framing: object,
        data: bytes,
        why: str,
        *,
        value: int | None = None,
        connection: int | None = None,
        offset: int | None = None,
    ) -> None:
        self.framing = framing
        self.data = data
        self.why = why
        self.value = value
        self.connection = connection
        self.offset = offset
        super().__init__(f"{_place(connection, offset)}{self._words()}")

    def _words(self) -> str:
        return f"{masked(self.data)!r} does not start a message of framing {self.framing!r}: {self.why}"

    def at(self, connection: int | None, offset: int) -> FramingError:
        """Return the same error with the position of the message."""
        return FramingError(self.framing, self.data, self.why, value=self.value, connection=connection, offset=offset)


def _place(connection: int | None, offset: int | None) -> str:
    places = [] if connection is None else [f"connection #{connection}"]
    places += [] if offset is None else [f"byte {offset}"]
    return f"{', '.join(places)}: " if places else ""
