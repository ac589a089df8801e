"""Values of Python and of PostgreSQL: the numbers of their types, as text and in binary form. No I/O."""

from __future__ import annotations

import datetime
import decimal
import json
import struct
import uuid
from collections.abc import Callable
from typing import Any

from windsock.errors import UsageError

__all__ = ["has_binary_form", "type_of", "value_in", "value_out"]

TEXT = 25
NUMBERS: dict[type, int] = {
    bool: 16, bytes: 17, int: 20, str: TEXT, float: 701, decimal.Decimal: 1700, datetime.date: 1082,
    datetime.datetime: 1114, uuid.UUID: 2950, dict: 3802, list: 3802,
}  # fmt: skip
"""The number of the type of a column by the type of its values; timestamps with a zone are 1184."""
PACKED = {21: ">h", 23: ">i", 20: ">q", 26: ">I", 700: ">f", 701: ">d", 16: ">?"}
TEXTS = (25, 1043, 1042, 19, 705)
READ: dict[int, Callable[[str], Any]] = {
    **dict.fromkeys((21, 23, 20, 26), int),
    **dict.fromkeys((700, 701), float),
    16: lambda text: text in ("t", "true", "1", "on"),
    1700: decimal.Decimal,
}


def type_of(values: list[Any]) -> int:
    """Return the number of the type of a column: that of its first value that is not None; text without one."""
    first = next((each for each in values if each is not None), None)
    if isinstance(first, datetime.datetime) and first.tzinfo is not None:
        return 1184
    if first is None:
        return TEXT
    if type(first) not in NUMBERS:
        raise UsageError(f"postgresql.rows(): {first!r} has no type of PostgreSQL here; pass str and postgresql.Column")
    return NUMBERS[type(first)]


def has_binary_form(type: int) -> bool:
    """Return whether values of a type can be sent in binary form."""
    return type in PACKED or type in TEXTS or type in BINARY or type == 17


def value_out(value: Any, type: int, format: int) -> bytes | None:
    """Return a value as a row has it. Raises UsageError if it has no such form."""
    if value is None:
        return None
    if format == 1 and type in PACKED:
        try:
            return struct.pack(PACKED[type], value)
        except struct.error as error:
            raise UsageError(f"postgresql.rows(): {value!r} is no value of type {type}: {error}") from None
    if format == 1 and type in BINARY and not isinstance(value, str):
        return BINARY[type](value)
    if format == 1 and isinstance(value, bytes):
        return value
    return _as_text(value).encode("utf-8", "surrogateescape")


def _days(value: Any) -> bytes:
    return struct.pack(">i", (value - datetime.date(2000, 1, 1)).days)


def _microseconds(value: datetime.datetime) -> bytes:
    start = datetime.datetime(2000, 1, 1, tzinfo=None if value.tzinfo is None else datetime.UTC)
    return struct.pack(">q", (value - start) // datetime.timedelta(microseconds=1))


def _numeric(number: Any) -> bytes:
    """Return a number as PostgreSQL has it: groups of four digits, and where the point is."""
    value = decimal.Decimal(number)
    if not value.is_finite():
        return struct.pack(">HhHh", 0, 0, 0xC000, 0)
    whole, _, part = format(abs(value), "f").partition(".")
    whole, digits = whole.rjust(-(-len(whole) // 4) * 4, "0"), part.ljust(-(-len(part) // 4) * 4, "0")
    groups = [int((whole + digits)[start : start + 4]) for start in range(0, len(whole + digits), 4)]
    head = struct.pack(">HhHh", len(groups), len(whole) // 4 - 1, 0x4000 * (value < 0), len(part))
    return head + struct.pack(f">{len(groups)}H", *groups)


BINARY: dict[int, Callable[[Any], bytes]] = {
    1082: _days,
    1114: _microseconds,
    1184: _microseconds,
    1700: _numeric,
    2950: lambda value: value.bytes,
    3802: lambda value: b"\1" + json.dumps(value).encode(),
}


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, bytes):
        return f"\\x{value.hex()}"
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


def value_in(value: bytes | None, type: int, format: int) -> Any:
    """Return a parameter as a value of Python; bytes or str, as it was sent, if its type is none of those known."""
    if value is None:
        return None
    try:
        if format == 0:
            text = value.decode("utf-8", "surrogateescape")
            return READ.get(type, str)(text)
        if type in PACKED:
            return struct.unpack(PACKED[type], value)[0]
        return value.decode() if type in TEXTS else value
    except (ValueError, ArithmeticError, struct.error):  # no value of that type
        return value
