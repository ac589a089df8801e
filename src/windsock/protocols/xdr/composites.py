"""The XDR types made of others: arrays, lists, structs, unions, optional data (RFC 4506, sections 4.12 to 4.19)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, TypeVar, overload

from windsock.errors import UsageError
from windsock.protocols.xdr.coding import MAXIMUM, DecodeError, Decoder, EncodeError, Encoder, XDRType, checked_limit
from windsock.protocols.xdr.scalars import BOOL
from windsock.protocols.xdr.strings import bounds, read_length, write_length

__all__ = ["Array", "FixedArray", "LinkedList", "Optional", "Struct", "Union"]

T = TypeVar("T")


def _check_element(what: str, element: Any) -> None:
    """Raise UsageError for what is no type, and for a type of no bytes, of which any number would fit."""
    if not isinstance(element, XDRType) or element.least == 0:
        raise UsageError(f"{what}({element!r}): expected an XDR type whose values have at least one byte")


def _checked_values(name: str, values: Any) -> Sequence[Any]:
    if isinstance(values, str | bytes) or not isinstance(values, Sequence):
        raise EncodeError(name, values, "a list or a tuple")
    return values


class FixedArray(XDRType[Sequence[T]]):
    """Exactly `size` elements. Decodes to a list."""

    def __init__(self, element: XDRType[T], size: int) -> None:
        _check_element("xdr.FixedArray", element)
        self._element = element
        self._size = checked_limit("xdr.FixedArray", size)
        self.name = f"{element.name}[{size}]"
        self.least = size * element.least

    def write(self, encoder: Encoder, value: Sequence[T]) -> None:
        """Add the elements to an encoder."""
        if len(_checked_values(self.name, value)) != self._size:
            raise EncodeError(self.name, value, f"{self._size} elements")
        self._element.write_many(encoder, value)

    def read(self, decoder: Decoder) -> list[T]:
        """Take the elements from a decoder."""
        if self.least > decoder.left:
            reason = f"needs {self.least} bytes, and {decoder.left} are left"
            raise DecodeError(reason, offset=decoder.offset, type=self.name)
        return self._element.read_many(decoder, self._size)


class Array(XDRType[Sequence[T]]):
    """Elements with their number before them, at most `limit`. Decodes to a list."""

    least = 4

    def __init__(self, element: XDRType[T], limit: int = MAXIMUM) -> None:
        _check_element("xdr.Array", element)
        self._element = element
        self._limit = checked_limit("xdr.Array", limit)
        self.name = f"{element.name}{bounds(limit)}"

    def write(self, encoder: Encoder, value: Sequence[T]) -> None:
        """Add the number of elements to an encoder, and the elements."""
        write_length(encoder, self, len(_checked_values(self.name, value)), self._limit)
        self._element.write_many(encoder, value)

    def read(self, decoder: Decoder) -> list[T]:
        """Take the elements from a decoder."""
        count = read_length(decoder, self.name, self._limit, self._element.least)
        return self._element.read_many(decoder, count)


class LinkedList(XDRType[Sequence[T]]):
    """A list as the XDR language makes one of optional data: before each element a 1, at the end a 0."""

    least = 4

    def __init__(self, element: XDRType[T], limit: int = MAXIMUM) -> None:
        self._element = element
        self._limit = checked_limit("xdr.LinkedList", limit)
        self.name = f"{element.name} *"

    def write(self, encoder: Encoder, value: Sequence[T]) -> None:
        """Add the elements to an encoder, and the end."""
        if len(_checked_values(self.name, value)) > self._limit:
            raise EncodeError(self.name, value, f"at most {self._limit} elements")
        for each in value:
            BOOL.write(encoder, True)
            self._element.write(encoder, each)
        BOOL.write(encoder, False)

    def read(self, decoder: Decoder) -> list[T]:
        """Take the elements from a decoder, and the end."""
        found: list[T] = []
        start = decoder.offset
        while BOOL.read(decoder):
            if len(found) == self._limit:
                raise DecodeError(
                    f"more than {self._limit} elements", offset=start, type=self.name, value=len(found) + 1
                )
            found.append(self._element.read(decoder))
            start = decoder.offset
        return found


class Optional(XDRType[T | None]):
    """A value or None. Its element is a type whose values are not None themselves."""

    least = 4

    def __init__(self, element: XDRType[T]) -> None:
        self._element = element
        self.name = f"{element.name} *"

    def write(self, encoder: Encoder, value: T | None) -> None:
        """Add to an encoder whether there is a value, and the value."""
        BOOL.write(encoder, value is not None)
        if value is not None:
            self._element.write(encoder, value)

    def read(self, decoder: Decoder) -> T | None:
        """Take a value from a decoder, or None."""
        return self._element.read(decoder) if BOOL.read(decoder) else None


class Struct(XDRType[T]):
    """Fields in order: `Struct(x=INT, y=INT)`, or `Struct(Point, x=INT, y=INT)`, which decodes to `Point(x=1, y=2)`.

    Encodes an object with these attributes, or a mapping. Without a class it decodes to a `types.SimpleNamespace`.
    """

    @overload
    def __init__(self: Struct[Any], /, **fields: XDRType[Any]) -> None: ...
    @overload
    def __init__(self, make: Callable[..., T], /, **fields: XDRType[Any]) -> None: ...
    def __init__(self, make: Callable[..., Any] = SimpleNamespace, /, **fields: XDRType[Any]) -> None:
        self._make = make
        self._fields = fields
        self.name = "struct" if make is SimpleNamespace else f"struct {getattr(make, '__name__', make)}"
        self.least = sum(kind.least for kind in fields.values())

    def write(self, encoder: Encoder, value: T) -> None:
        """Add the fields to an encoder."""
        for name, kind in self._fields.items():
            kind.write(encoder, self._field(value, name))

    def _field(self, value: Any, name: str) -> Any:
        try:
            return value[name] if isinstance(value, Mapping) else getattr(value, name)
        except (KeyError, AttributeError):
            raise EncodeError(self.name, value, f"a value with the field {name}") from None

    def read(self, decoder: Decoder) -> T:
        """Take the fields from a decoder."""
        made: T = self._make(**{name: kind.read(decoder) for name, kind in self._fields.items()})
        return made


class Union(XDRType[tuple[Any, Any]]):
    """A discriminant, and the value of its arm: `Union(BOOL, {True: INT, False: VOID})` for `(True, 7)`.

    `default` is the type for all other discriminants; without it they are errors.
    """

    def __init__(self, switch: XDRType[Any], arms: Mapping[Any, XDRType[Any]], default: XDRType[Any] | None = None):
        self._switch = switch
        self._arms = dict(arms)
        self._default = default
        self.name = f"union switch ({switch.name})"
        kinds = [*self._arms.values(), *([] if default is None else [default])]
        if not kinds:
            raise UsageError("xdr.Union: expected an arm at least")
        self.least = switch.least + min(kind.least for kind in kinds)

    def write(self, encoder: Encoder, value: Any) -> None:
        """Add a discriminant to an encoder, and the value of its arm."""
        if not isinstance(value, tuple) or len(value) != 2:
            raise EncodeError(self.name, value, "a tuple of a discriminant and a value")
        discriminant, content = value
        kind = self._arms.get(discriminant, self._default)
        if kind is None:
            raise EncodeError(self.name, value, f"a discriminant out of {list(self._arms)}")
        self._switch.write(encoder, discriminant)
        kind.write(encoder, content)

    def read(self, decoder: Decoder) -> tuple[Any, Any]:
        """Take a discriminant from a decoder, and the value of its arm."""
        start = decoder.offset
        discriminant = self._switch.read(decoder)
        kind = self._arms.get(discriminant, self._default)
        if kind is None:
            raise DecodeError(f"no arm for {discriminant!r}", offset=start, type=self.name, value=discriminant)
        return discriminant, kind.read(decoder)
