"""What every XDR type stands on: the encoder, the decoder, the base of types, and their errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from windsock.errors import UsageError
from windsock.protocols.errors import DecodeError

__all__ = ["MAXIMUM", "DecodeError", "Decoder", "EncodeError", "Encoder", "XDRType", "checked_limit", "shown"]

T = TypeVar("T")

MAXIMUM = 0xFFFFFFFF
"""The greatest length that XDR can express."""
SHOWN = 64
"""The most characters of a value that an error shows."""


class EncodeError(UsageError):
    """A value that a type can't encode. `type` is the type as the XDR language writes it; `value` the value."""

    def __init__(self, type: str, value: Any, expected: str) -> None:
        self.type = type
        self.value = value
        self.expected = expected
        super().__init__(f"{type} can't encode {shown(value)}: expected {expected}")


def shown(value: Any) -> str:
    """Return a value's repr, shortened."""
    text = repr(value[: SHOWN + 1] if isinstance(value, bytes) else value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def checked_limit(what: str, limit: Any) -> int:
    """Return a length that a type declares. Raises UsageError for one that XDR can't express."""
    if type(limit) is not int or not 0 <= limit <= MAXIMUM:
        raise UsageError(f"{what}: the length {shown(limit)} is not a number from 0 to {MAXIMUM}")
    return limit


class Encoder:
    """Encodes values one after the other: `Encoder().put(INT, 7).put(STRING, "seven").data`."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def put(self, kind: XDRType[T], value: T) -> Encoder:
        """Add a value. Raises EncodeError if the type can't encode it."""
        kind.write(self, value)
        return self

    def append(self, data: bytes) -> None:
        """Add bytes that are encoded already."""
        self._parts.append(data)

    def append_padded(self, data: bytes) -> None:
        """Add bytes, and zeros up to a multiple of 4."""
        self._parts.append(data)
        if rest := len(data) % 4:
            self._parts.append(bytes(4 - rest))

    @property
    def data(self) -> bytes:
        """All bytes so far."""
        if len(self._parts) != 1:
            self._parts = [b"".join(self._parts)]
        return self._parts[0]


class Decoder:
    """Decodes values one after the other, and knows where it is: `offset`, in bytes."""

    __slots__ = ("_data", "offset")

    def __init__(self, data: bytes | bytearray | memoryview, offset: int = 0) -> None:
        self._data = bytes(data)
        self.offset: int = offset

    @property
    def left(self) -> int:
        """The number of bytes that have not been decoded."""
        return len(self._data) - self.offset

    def get(self, kind: XDRType[T]) -> T:
        """Decode the next value. Raises DecodeError."""
        return kind.read(self)

    def take(self, size: int, name: str) -> bytes:
        """Return the next `size` bytes as they are. Raises DecodeError, about the type `name`, if there are fewer."""
        start = self.offset
        end = start + size
        if end > len(self._data):
            raise DecodeError(f"needs {size} bytes, and {self.left} are left", offset=start, type=name)
        self.offset = end
        return self._data[start:end]

    def take_padded(self, size: int, name: str) -> bytes:
        """Return the next `size` bytes, and skip the zeros after them up to a multiple of 4. Raises DecodeError."""
        found = self.take(size, name)
        if rest := size % 4:
            start = self.offset
            padding = self.take(4 - rest, name)
            if any(padding):
                raise DecodeError(f"the padding {padding!r} is not zero", offset=start, type=name, value=padding)
        return found

    def rest(self) -> bytes:
        """Return all bytes that are left."""
        return self.take(self.left, "rest")

    def done(self) -> None:
        """Raise DecodeError if bytes are left."""
        if self.left:
            found = self._data[self.offset :]
            raise DecodeError(
                f"expected the end, and found {len(found)} bytes more", offset=self.offset, type="end", value=found
            )


class XDRType(Generic[T]):
    """A type of XDR: encodes values and decodes bytes.

    `name` is the type as the XDR language writes it; `least` the size in bytes of its shortest encoding.
    """

    name: str
    least: int

    def encode(self, value: T) -> bytes:
        """Return the bytes of a value. Raises EncodeError. Do not override."""
        encoder = Encoder()
        self.write(encoder, value)
        return encoder.data

    def decode(self, data: bytes | bytearray | memoryview) -> T:
        """Return the value that the bytes stand for, all of them. Raises DecodeError. Do not override."""
        decoder = Decoder(data)
        value = self.read(decoder)
        decoder.done()
        return value

    def write(self, encoder: Encoder, value: T) -> None:
        """Add a value to an encoder. Must be overridden."""
        raise NotImplementedError

    def read(self, decoder: Decoder) -> T:
        """Take a value from a decoder. Must be overridden."""
        raise NotImplementedError

    def write_many(self, encoder: Encoder, values: Sequence[T]) -> None:
        """Add the elements of an array. May be overridden, to do it faster."""
        for value in values:
            self.write(encoder, value)

    def read_many(self, decoder: Decoder, count: int) -> list[T]:
        """Take the elements of an array, which fit into what is left. May be overridden, to do it faster."""
        return [self.read(decoder) for _ in range(count)]

    def __repr__(self) -> str:
        """Return the type as the XDR language writes it."""
        return f"<xdr {self.name}>"
