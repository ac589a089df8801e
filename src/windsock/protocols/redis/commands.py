"""Commands of the small redis store, about strings and keys: functions that raise the errors of redis."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from windsock.protocols.redis import builders
from windsock.protocols.redis.values import Command, RedisReply

__all__ = [
    "COMMANDS",
    "SYNTAX",
    "CommandFailed",
    "Data",
    "StoreCommand",
    "known",
    "number_in",
    "set_",
    "type_",
    "value_at",
    "value_for",
    "without_empty",
]

Data: TypeAlias = dict[bytes, Any]
"""Keys with their values: bytes, a dict (hash), a list, or a set."""
T = TypeVar("T")

WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value"
NO_INTEGER = "ERR value is not an integer or out of range"
SYNTAX = "ERR syntax error"
OK = builders.ok()


class CommandFailed(Exception):
    """A command that is answered by an error: `text`."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class StoreCommand:
    """A command: its function, and the least and the most arguments (None: any number)."""

    run: Callable[..., Any]
    least: int
    most: int | None

    def check(self, given: Command) -> None:
        """Raise CommandFailed for a wrong number of arguments."""
        count = len(given.args)
        if count < self.least or (self.most is not None and count > self.most):
            raise CommandFailed(f"ERR wrong number of arguments for '{given.name.lower()}' command")


COMMANDS: dict[str, StoreCommand] = {}
"""The commands, by their names in upper case."""
Run = TypeVar("Run", bound=Callable[..., Any])


def known(name: str, least: int, most: int | None = -1) -> Callable[[Run], Run]:
    """Make a function a command with `least` to `most` arguments; without `most`, with exactly `least`."""

    def add(run: Run) -> Run:
        COMMANDS[name] = StoreCommand(run, least, least if most == -1 else most)
        return run

    return add


# --- values


def value_at(data: Data, key: bytes, kind: type[T]) -> T | None:
    """Return the value of a key; None if there is none. Raises CommandFailed for one of another type."""
    found = data.get(key)
    if found is None or isinstance(found, kind):
        return found
    raise CommandFailed(WRONG_TYPE)


def value_for(data: Data, key: bytes, kind: type[T]) -> T:
    """Return the value of a key, which is made if there is none."""
    found = value_at(data, key, kind)
    if found is None:
        found = data[key] = kind()
    return found


def number_in(text: bytes) -> int:
    """Return an integer of 64 bits. Raises CommandFailed for what is none."""
    digits = text.removeprefix(b"-")
    if digits.isdigit() and len(digits) < 20 and str(int(text)).encode() == text and -(2**63) <= int(text) < 2**63:
        return int(text)
    raise CommandFailed(NO_INTEGER)


def without_empty(data: Data, key: bytes) -> None:
    """Remove a key whose last element is gone."""
    if not data.get(key, True):
        del data[key]


# --- strings and keys


@known("PING", 0, 1)
def ping(_: Data, *args: bytes) -> Any:
    return args[0] if args else builders.simple("PONG")


@known("ECHO", 1)
def echo(_: Data, text: bytes) -> bytes:
    return text


@known("GET", 1)
def get(data: Data, key: bytes) -> bytes | None:
    return value_at(data, key, bytes)


@known("SET", 2, None)
def set_(data: Data, key: bytes, value: bytes, *options: bytes) -> Any:
    """SET: return OK, None if it was not set, or with GET the value before."""
    asked = set(_without_times(options))
    if not asked <= {b"NX", b"XX", b"GET", b"KEEPTTL"} or asked >= {b"NX", b"XX"}:
        raise CommandFailed(SYNTAX)
    before = value_at(data, key, bytes) if b"GET" in asked else None
    is_set = not (b"NX" in asked and key in data) and not (b"XX" in asked and key not in data)
    if is_set:
        data[key] = value
    if b"GET" in asked:
        return before
    return OK if is_set else None


def _without_times(options: tuple[bytes, ...]) -> Iterator[bytes]:
    """Return the options without times of expiry, which have no effect: here is no clock."""
    rest = iter(options)
    for each in rest:
        if each.upper() in (b"EX", b"PX", b"EXAT", b"PXAT"):
            time = next(rest, None)
            if time is None:
                raise CommandFailed(SYNTAX)
            number_in(time)
        else:
            yield each.upper()


@known("SETNX", 2)
def setnx(data: Data, key: bytes, value: bytes) -> int:
    if key in data:
        return 0
    data[key] = value
    return 1


@known("GETSET", 2)
def getset(data: Data, key: bytes, value: bytes) -> bytes | None:
    before = value_at(data, key, bytes)
    data[key] = value
    return before


@known("GETDEL", 1)
def getdel(data: Data, key: bytes) -> bytes | None:
    before = value_at(data, key, bytes)
    data.pop(key, None)
    return before


@known("MGET", 1, None)
def mget(data: Data, *keys: bytes) -> list[Any]:
    return [found if isinstance(found := data.get(key), bytes) else None for key in keys]


@known("MSET", 2, None)
def mset(data: Data, *pairs: bytes) -> RedisReply:
    if len(pairs) % 2:
        raise CommandFailed("ERR wrong number of arguments for 'mset' command")
    data.update(zip(pairs[::2], pairs[1::2], strict=True))
    return OK


@known("APPEND", 2)
def append(data: Data, key: bytes, more: bytes) -> int:
    data[key] = (value_at(data, key, bytes) or b"") + more
    return len(data[key])


@known("STRLEN", 1)
def strlen(data: Data, key: bytes) -> int:
    return len(value_at(data, key, bytes) or b"")


@known("INCRBY", 2)
def incrby(data: Data, key: bytes, by: bytes) -> int:
    number = number_in(value_at(data, key, bytes) or b"0") + number_in(by)
    if not -(2**63) <= number < 2**63:
        raise CommandFailed("ERR increment or decrement would overflow")
    data[key] = b"%d" % number
    return number


@known("INCR", 1)
def incr(data: Data, key: bytes) -> int:
    return incrby(data, key, b"1")


@known("DECR", 1)
def decr(data: Data, key: bytes) -> int:
    return incrby(data, key, b"-1")


@known("DEL", 1, None)
def delete(data: Data, *keys: bytes) -> int:
    return sum(data.pop(key, None) is not None for key in keys)


@known("EXISTS", 1, None)
def exists(data: Data, *keys: bytes) -> int:
    return sum(key in data for key in keys)


@known("TYPE", 1)
def type_(data: Data, key: bytes) -> RedisReply:
    """TYPE: return the name of the type of a key."""
    found = data.get(key)
    names = {"bytes": "string", "dict": "hash"}
    return builders.simple("none" if found is None else names.get(type(found).__name__, type(found).__name__))


@known("DBSIZE", 0)
def dbsize(data: Data) -> int:
    return len(data)


@known("FLUSHDB", 0, 1)
@known("FLUSHALL", 0, 1)
def flush(data: Data, *_: bytes) -> RedisReply:
    data.clear()
    return OK
