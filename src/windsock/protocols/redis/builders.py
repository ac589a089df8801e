"""Functions that make replies of redis: `redis.ok()`, `redis.array("a", 1, None)`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from windsock.errors import UsageError
from windsock.protocols.redis.values import RedisReply, encoded

__all__ = [
    "array",
    "as_reply",
    "attributes",
    "big_number",
    "boolean",
    "bulk",
    "bulk_error",
    "double",
    "error",
    "integer",
    "map",
    "nil",
    "nil_array",
    "null",
    "ok",
    "push",
    "set",
    "simple",
    "verbatim",
]

LARGEST = 2**63


def ok() -> RedisReply:
    """Return the reply OK."""
    return RedisReply("+", "OK")


def simple(text: str) -> RedisReply:
    """Return a simple string: `redis.simple("PONG")`."""
    return RedisReply("+", _line("simple", text))


def error(text: str) -> RedisReply:
    """Return an error: `redis.error("ERR no such key")`. Its first word says which one."""
    return RedisReply("-", _line("error", text))


def integer(number: int) -> RedisReply:
    """Return an integer of 64 bits; see `big_number()` for others."""
    if type(number) is not int or not -LARGEST <= number < LARGEST:
        raise UsageError(f"redis.integer({number!r}): expected an int of 64 bits; others are redis.big_number()")
    return RedisReply(":", number)


def bulk(data: bytes | str) -> RedisReply:
    """Return a string; `redis.nil()` is none."""
    if not isinstance(data, bytes | bytearray | memoryview | str):
        raise UsageError(f"redis.bulk({data!r}): expected bytes or str; for other types there is redis.integer(), ...")
    return RedisReply("$", encoded(data))


def nil() -> RedisReply:
    """Return the string that is none in RESP2; in RESP3 that is `null()`."""
    return RedisReply("$")


def nil_array() -> RedisReply:
    """Return the array that is none in RESP2."""
    return RedisReply("*")


def null() -> RedisReply:
    """Return the null of RESP3."""
    return RedisReply("_")


def array(*items: Any) -> RedisReply:
    """Return an array of replies, or of values for them: bytes and str, int, float, bool, None, lists, dicts."""
    return RedisReply("*", tuple(as_reply(each) for each in items))


def set(*items: Any) -> RedisReply:
    """Return a set of RESP3; the rest is as with `array()`."""
    return RedisReply("~", tuple(as_reply(each) for each in items))


def push(*items: Any) -> RedisReply:
    """Return a message of RESP3 that is no reply: `redis.push("invalidate", ["k"])`."""
    return RedisReply(">", tuple(as_reply(each) for each in items))


def map(pairs: Mapping[Any, Any] | Iterable[tuple[Any, Any]]) -> RedisReply:
    """Return a map of RESP3, of a dict or of pairs."""
    return RedisReply("%", _pairs("map", pairs))


def attributes(pairs: Mapping[Any, Any] | Iterable[tuple[Any, Any]], reply: Any) -> RedisReply:
    """Return a reply of RESP3 with attributes before it."""
    return RedisReply("|", (_pairs("attributes", pairs), as_reply(reply)))


def boolean(value: bool) -> RedisReply:  # it is what the reply is
    """Return a boolean of RESP3."""
    return RedisReply("#", bool(value))


def double(value: float) -> RedisReply:
    """Return a double of RESP3."""
    if type(value) not in (int, float):
        raise UsageError(f"redis.double({value!r}): expected a number")
    return RedisReply(",", float(value))


def big_number(value: int) -> RedisReply:
    """Return an integer of any size, of RESP3."""
    if type(value) is not int:
        raise UsageError(f"redis.big_number({value!r}): expected an int")
    return RedisReply("(", value)


def bulk_error(text: bytes | str) -> RedisReply:
    """Return an error of RESP3 that may have line ends."""
    return RedisReply("!", encoded(text))


def verbatim(format: str, data: bytes | str) -> RedisReply:
    """Return a string of RESP3 with its format: `redis.verbatim("txt", "hello")`."""
    if len(format.encode()) != 3:
        raise UsageError(f"redis.verbatim({format!r}, ...): expected a format of 3 bytes, such as 'txt'")
    return RedisReply("=", (format, encoded(data)))


def as_reply(value: Any) -> RedisReply:
    """Return a reply for a value of Python. Raises UsageError if there is none."""
    if isinstance(value, RedisReply):
        return value
    if isinstance(value, bytes | bytearray | memoryview | str):
        return RedisReply("$", encoded(value))
    if isinstance(value, bool):
        return boolean(value)
    if isinstance(value, int):
        return integer(value) if -LARGEST <= value < LARGEST else big_number(value)
    if isinstance(value, float):
        return double(value)
    if isinstance(value, list | tuple):
        return array(*value)
    if isinstance(value, Mapping):
        return map(value)
    if value is None:
        return nil()
    raise UsageError(f"redis: {value!r} is no reply; expected bytes, str, numbers, None, lists or dicts")


def _pairs(method: str, pairs: Any) -> tuple[tuple[RedisReply, RedisReply], ...]:
    given = pairs.items() if isinstance(pairs, Mapping) else pairs
    try:
        return tuple((as_reply(key), as_reply(value)) for key, value in given)
    except (TypeError, ValueError):
        raise UsageError(f"redis.{method}({pairs!r}): expected a dict, or pairs of keys and values") from None


def _line(method: str, text: Any) -> str:
    if not isinstance(text, str) or "\r" in text or "\n" in text:
        raise UsageError(f"redis.{method}({text!r}): expected str without line ends")
    return text
