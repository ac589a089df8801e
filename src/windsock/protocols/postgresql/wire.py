"""The parts that messages of PostgreSQL consist of, and the base class of messages. No I/O.

https://www.postgresql.org/docs/current/protocol-message-formats.html is the standard, of version 3.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

from windsock.errors import UsageError
from windsock.protocols.errors import DecodeError

__all__ = ["Column", "PostgreSQLMessage", "WireReader", "framed", "int32"]


@dataclass(frozen=True, slots=True)
class WirePart:
    """How a part of a message is read and written."""

    read: Callable[[WireReader], Any]
    write: Callable[[Any], bytes]


def int32(value: int) -> bytes:
    """Return a number in four bytes."""
    return (value & 0xFFFFFFFF).to_bytes(4, "big")


def framed(kind: bytes, body: bytes) -> bytes:
    """Return a message: its type, if it has one, its length and its body."""
    return kind + int32(len(body) + 4) + body


class WireReader:
    """Reads the parts of one message. Raises DecodeError where it ends too early."""

    def __init__(self, data: bytes, offset: int) -> None:
        self.data = data
        self.offset: int = offset

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        end = self.offset + size
        if size < 0 or end > len(self.data):
            raise DecodeError(f"{size} bytes at {self.offset} of {len(self.data)}", offset=self.offset, type="bytes")
        found, self.offset = self.data[self.offset : end], end
        return found

    def number(self, size: int) -> int:
        """Return a signed number of `size` bytes."""
        return int.from_bytes(self.take(size), "big", signed=True)

    def text(self) -> str:
        """Return text up to a zero byte."""
        end = self.data.find(b"\0", self.offset)
        if end < 0:
            raise DecodeError("text without a zero byte behind it", offset=self.offset, type="text")
        return self.take(end + 1 - self.offset)[:-1].decode("utf-8", "surrogateescape")

    def rest(self) -> bytes:
        """Return all that is left."""
        return self.take(len(self.data) - self.offset)

    def list_of(self, read: Callable[[WireReader], Any]) -> tuple[Any, ...]:
        """Return a list with its count before it."""
        return tuple(read(self) for _ in range(self.number(2) & 0xFFFF))

    def end(self) -> None:
        """Raise DecodeError if anything is left."""
        if self.offset != len(self.data):
            raise DecodeError(f"{len(self.data) - self.offset} bytes behind the message", offset=self.offset)


# --- parts: how they are read and written


def _written_text(value: Any) -> bytes:
    if not isinstance(value, str) or "\0" in value:
        raise UsageError(f"postgresql: {value!r} is no text of a message; expected str without zero characters")
    return value.encode("utf-8", "surrogateescape") + b"\0"


def _read_value(reader: WireReader) -> bytes | None:
    size = reader.number(4)
    return None if size == -1 else reader.take(size)


def _written_value(value: bytes | None) -> bytes:
    return int32(-1) if value is None else int32(len(value)) + value


def _read_pairs(reader: WireReader) -> tuple[tuple[str, str], ...]:
    """Return names with values, which a zero byte ends."""
    pairs = []
    while name := reader.text():
        pairs.append((name, reader.text()))
    return tuple(pairs)


def _written_pairs(pairs: Any) -> bytes:
    return b"".join(_written_text(name) + _written_text(value) for name, value in pairs) + b"\0"


def _read_fields(reader: WireReader) -> tuple[tuple[str, str], ...]:
    """Return fields of an error: a letter and text, which a zero byte ends."""
    found = []
    while (letter := reader.take(1)) != b"\0":
        found.append((letter.decode("latin-1"), reader.text()))
    return tuple(found)


def _written_fields(pairs: Any) -> bytes:
    return b"".join(letter.encode("latin-1") + _written_text(value) for letter, value in pairs) + b"\0"


def _written_number(size: int) -> Callable[[int], bytes]:
    return lambda value: (value & ((1 << 8 * size) - 1)).to_bytes(size, "big")


def _listed(write: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    return lambda values: len(values).to_bytes(2, "big") + b"".join(map(write, values))


def _number(size: int) -> WirePart:
    return WirePart(lambda reader: reader.number(size), _written_number(size))


def _list(part: WirePart) -> WirePart:
    return WirePart(lambda reader: reader.list_of(part.read), _listed(part.write))


@dataclass(frozen=True, slots=True)
class Column:
    """A column of rows: its name, the number of its type, and what else a server tells of it."""

    name: str
    type: int = 25
    table: int = 0
    attribute: int = 0
    size: int = -1
    modifier: int = -1
    format: int = 0
    """0: its values are text; 1: they are binary."""

    def __repr__(self) -> str:
        more = (f"{each.name}={getattr(self, each.name)!r}" for each in fields(self)[1:])
        usual = {f"{each.name}={each.default!r}" for each in fields(self)}
        return f"postgresql.Column({', '.join([repr(self.name), *(each for each in more if each not in usual)])})"


def _read_column(reader: WireReader) -> Column:
    name = reader.text()
    table, attribute, type, size, modifier, format = map(reader.number, (4, 2, 4, 2, 4, 2))
    return Column(name, type, table, attribute, size, modifier, format)


def _written_column(column: Column) -> bytes:
    numbers = (column.table, column.attribute, column.type, column.size, column.modifier, column.format)
    written = (_written_number(size)(each) for size, each in zip((4, 2, 4, 2, 4, 2), numbers, strict=True))
    return _written_text(column.name) + b"".join(written)


VALUE = WirePart(_read_value, _written_value)
NUMBER = _number(4)
PARTS = {
    "text": WirePart(WireReader.text, _written_text),
    "rest": WirePart(WireReader.rest, bytes),
    "letter": WirePart(lambda reader: reader.take(1).decode("latin-1"), lambda value: value.encode("latin-1")),
    "byte": _number(1),
    "number": NUMBER,
    "numbers": _list(NUMBER),
    "formats": _list(_number(2)),
    "values": _list(VALUE),
    "columns": _list(WirePart(_read_column, _written_column)),
    "pairs": WirePart(_read_pairs, _written_pairs),
    "fields": WirePart(_read_fields, _written_fields),
}
"""The parts by the names that messages have for them."""


class PostgreSQLMessage:
    """A message that consists of parts: its fields, each with the name of its part in `parts`."""

    __slots__ = ()
    type: ClassVar[bytes] = b""
    """The byte that it begins with; nothing of the messages with which a client begins."""
    request_code: ClassVar[bytes] = b""
    """The number behind the length of those."""
    parts: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def read(cls, reader: WireReader) -> Self:
        """Return the message that a reader stands before, behind its length."""
        made = cls(*(PARTS[part].read(reader) for part in cls.parts))
        reader.end()
        return made

    def __bytes__(self) -> bytes:
        values = (getattr(self, each.name) for each in fields(self))  # type: ignore[arg-type]  # each is a dataclass
        body = b"".join(PARTS[part].write(value) for part, value in zip(self.parts, values, strict=True))
        return framed(self.type, self.request_code + body)

    def __str__(self) -> str:
        return self.words()

    def words(self) -> str:
        """Return the message in one line: its name and its values. May be overridden."""
        values = [str(getattr(self, each.name)) for each in fields(self)]  # type: ignore[arg-type]  # the same
        return " ".join([type(self).__name__, *values])

    def __repr__(self) -> str:
        values = (repr(getattr(self, each.name)) for each in fields(self))  # type: ignore[arg-type]  # the same
        return f"postgresql.{type(self).__name__}({', '.join(values)})"
