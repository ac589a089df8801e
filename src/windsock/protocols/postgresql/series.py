"""Where messages of clients of PostgreSQL end, and their bytes as values; the extended protocol in series. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from windsock.protocols.errors import DecodeError
from windsock.protocols.postgresql.requests import (
    AuthenticationData,
    Bind,
    CancelRequest,
    CloseStatement,
    CopyData,
    CopyDone,
    CopyFail,
    Describe,
    Execute,
    Flush,
    GSSENCRequest,
    OtherMessage,
    Parse,
    SimpleQuery,
    SSLRequest,
    StartupMessage,
    Sync,
    Terminate,
)
from windsock.protocols.postgresql.wire import WireReader

__all__ = ["ExtendedQuery", "every", "message_at", "request_in", "request_size", "typed_size"]

LARGEST = 1 << 30
"""The most bytes of a message; a length with more is none."""
SERIES = (Parse, Bind, Describe, Execute, CloseStatement)
ENDS = (Sync, Flush)


@dataclass(frozen=True, slots=True, repr=False)
class ExtendedQuery:
    """A series of messages of the extended protocol, up to Sync or Flush: for these a server replies."""

    messages: tuple[Any, ...]

    @property
    def query(self) -> str:
        """The statement that is prepared first; "" if none is."""
        return next((each.query for each in self.of(Parse)), "")

    @property
    def statement(self) -> str:
        """The name of the statement that parameters are bound to first; "" without a name."""
        return next((each.statement for each in self.of(Bind)), "")

    @property
    def parameters(self) -> tuple[Any, ...]:
        """The parameters that are bound first, as values of Python where their type is told, or else str or bytes."""
        from windsock.protocols.postgresql.types import value_in

        bind = next(iter(self.of(Bind)), None)
        if bind is None:
            return ()
        types = next((each.types for each in self.of(Parse)), ())
        formats = every(bind.formats, len(bind.parameters))
        return tuple(
            value_in(value, types[index] if index < len(types) else 0, formats[index])
            for index, value in enumerate(bind.parameters)
        )

    def of(self, kind: type[Any]) -> list[Any]:
        """Return the messages of one class."""
        return [each for each in self.messages if isinstance(each, kind)]

    def __bytes__(self) -> bytes:
        return b"".join(map(bytes, self.messages))

    def __str__(self) -> str:
        names = " ".join(type(each).__name__ for each in self.messages)
        what = self.query or self.statement
        return f"{names}: {what} {self.parameters or ''}".rstrip(" :")

    def __repr__(self) -> str:
        return f"postgresql.ExtendedQuery({self.messages!r})"


def every(formats: tuple[int, ...], count: int) -> tuple[int, ...]:
    """Return the format of each of several values: none is text, one is for all."""
    return (formats or (0,)) * count if len(formats) < 2 else formats + (0,) * (count - len(formats))


KINDS: dict[bytes, Any] = {
    each.type: each
    for each in (*SERIES, *ENDS, AuthenticationData, SimpleQuery, Terminate, CopyData, CopyDone, CopyFail)
}
BEGINNINGS: dict[bytes, Any] = {each.request_code: each for each in (SSLRequest, GSSENCRequest, CancelRequest)}
IN_SERIES = b"".join(each.type for each in SERIES)
AT_END = b"".join(each.type for each in ENDS)


def typed_size(data: bytes, start: int = 0) -> int | None:
    """Return the size of a message with a type, or None. Raises DecodeError."""
    if not (0x31 <= data[start] <= 0x7A):
        raise DecodeError(f"{data[start : start + 1]!r} is no type of a message", offset=start, type="type")
    if len(data) < start + 5:
        return None
    return 1 + checked_length(data, start + 1)


def checked_length(data: bytes, start: int) -> int:
    """Return the length at an offset. Raises DecodeError for an impossible one."""
    size = int.from_bytes(data[start : start + 4], "big")
    if not 4 <= size <= LARGEST:
        raise DecodeError(f"{size} is no length of a message", offset=start, type="length", value=size)
    return size


def request_size(data: bytes) -> int | None:
    """Return the size of the first message, which may be a series of the extended protocol, or None."""
    if data[0] == 0:
        return checked_length(data, 0) if len(data) >= 4 else None
    position = 0
    while position < len(data):
        size = typed_size(data, position)
        if data[position] not in IN_SERIES:
            at_end = position == 0 or data[position] in AT_END
            return position if not at_end else None if size is None else position + size
        if size is None:
            return None
        position += size
    return None


def request_in(data: bytes) -> Any:
    """Return a whole message, or a series of the extended protocol, as a value. Raises DecodeError."""
    if data[:1] == b"\0":
        return _beginning_in(data)
    if data[:1] and data[0] in IN_SERIES + AT_END:
        return ExtendedQuery(tuple(_each(data)))
    return message_at(data, 0, KINDS)


def _beginning_in(data: bytes) -> Any:
    if len(data) < 8 or checked_length(data, 0) != len(data):
        raise DecodeError(f"a message of {len(data)} bytes with another length", type="length")
    reader = WireReader(data, 8)
    found = BEGINNINGS.get(data[4:8])
    if found is not None:
        return found.read(reader)
    pairs = WireReader(data[8:] + data[4:8], 0)
    return StartupMessage.read(pairs)


def _each(data: bytes) -> Iterator[Any]:
    position = 0
    while position < len(data):
        size = typed_size(data, position)
        end = len(data) if size is None else position + size
        yield message_at(data[position:end], 0, KINDS)
        position = end


def message_at(data: bytes, start: int, kinds: dict[bytes, Any]) -> Any:
    """Return a whole message with a type as a value. Raises DecodeError."""
    size = typed_size(data, start) if data else None
    if size is None or start + size != len(data):
        raise DecodeError(f"a message of {len(data) - start} bytes with another length", offset=start, type="length")
    kind = data[start : start + 1]
    found = kinds.get(kind)
    if found is None:
        return OtherMessage(kind.decode("latin-1"), data[start + 5 :])
    return found.read(WireReader(data, start + 5))
