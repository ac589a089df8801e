"""The XDR types of fixed size with one value: numbers, bool, enum and void (RFC 4506, sections 4.1 to 4.7, 4.16)."""

from __future__ import annotations

import enum
import struct
from collections.abc import Sequence
from typing import Any, TypeVar

from windsock.errors import UsageError
from windsock.protocols.xdr.coding import DecodeError, Decoder, EncodeError, Encoder, XDRType

__all__ = ["BOOL", "DOUBLE", "FLOAT", "HYPER", "INT", "UHYPER", "UINT", "VOID", "Enum", "Number"]

N = TypeVar("N", int, float)
E = TypeVar("E", bound=enum.IntEnum)


class Number(XDRType[N]):
    """A number that `struct` has a format for. Arrays of numbers are one call of `struct`."""

    def __init__(self, name: str, code: str, expected: str) -> None:
        self.name = name
        self._code = code
        self._expected = expected
        self._struct = struct.Struct(f">{code}")
        self.least = self._struct.size

    def write(self, encoder: Encoder, value: N) -> None:
        """Add a number to an encoder."""
        try:
            encoder.append(self._struct.pack(value))
        except (struct.error, OverflowError, TypeError):
            raise EncodeError(self.name, value, self._expected) from None

    def read(self, decoder: Decoder) -> N:
        """Take a number from a decoder."""
        found: N = self._struct.unpack(decoder.take(self.least, self.name))[0]
        return found

    def write_many(self, encoder: Encoder, values: Sequence[N]) -> None:
        """Add the elements of an array in one call."""
        try:
            encoder.append(struct.pack(f">{len(values)}{self._code}", *values))
        except (struct.error, OverflowError, TypeError):
            for each in values:  # one of them raises, and is named
                self.write(encoder, each)

    def read_many(self, decoder: Decoder, count: int) -> list[N]:
        """Take the elements of an array in one call."""
        data = decoder.take(count * self.least, f"{self.name}[{count}]")
        return list(struct.unpack(f">{count}{self._code}", data))


def _integer(name: str, code: str, bits: int, *, signed: bool) -> Number[int]:
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    return Number(name, code, f"an int from {low} to {high}")


INT = _integer("int", "i", 32, signed=True)
UINT = _integer("unsigned int", "I", 32, signed=False)
HYPER = _integer("hyper", "q", 64, signed=True)
UHYPER = _integer("unsigned hyper", "Q", 64, signed=False)
FLOAT: Number[float] = Number("float", "f", "a number that fits into 32 bits")
DOUBLE: Number[float] = Number("double", "d", "a number that fits into 64 bits")


class _Bool(XDRType[bool]):
    name = "bool"
    least = 4

    def write(self, encoder: Encoder, value: bool) -> None:
        if value is not True and value is not False:
            raise EncodeError(self.name, value, "True or False")
        encoder.append(b"\0\0\0\1" if value else b"\0\0\0\0")

    def read(self, decoder: Decoder) -> bool:
        start = decoder.offset
        found = int.from_bytes(decoder.take(4, self.name), "big")
        if found > 1:
            raise DecodeError(f"{found} is neither 0 nor 1", offset=start, type=self.name, value=found)
        return found == 1


BOOL = _Bool()


class Enum(XDRType[E]):
    """An enum: the members of an `enum.IntEnum`, and no other number."""

    least = 4

    def __init__(self, members: type[E]) -> None:
        kind: Any = members
        if not (isinstance(kind, type) and issubclass(kind, enum.IntEnum)):
            raise UsageError(f"xdr.Enum({members!r}): expected a class derived from enum.IntEnum")
        self._members = members
        self.name = f"enum {members.__name__}"

    def write(self, encoder: Encoder, value: E) -> None:
        """Add a member to an encoder; its number will do."""
        try:
            number = int(self._members(value))
        except ValueError:
            raise EncodeError(self.name, value, f"a member of {self._members.__name__}") from None
        INT.write(encoder, number)

    def read(self, decoder: Decoder) -> E:
        """Take a member from a decoder."""
        start = decoder.offset
        found = int.from_bytes(decoder.take(4, self.name), "big", signed=True)
        try:
            return self._members(found)
        except ValueError:
            raise DecodeError(f"{found} is no member", offset=start, type=self.name, value=found) from None


class _Void(XDRType[None]):
    name = "void"
    least = 0

    def write(self, encoder: Encoder, value: Any) -> None:  # noqa: ARG002  # nothing is written
        if value is not None:
            raise EncodeError(self.name, value, "None")

    def read(self, decoder: Decoder) -> None:
        pass


VOID = _Void()
