"""Commands of the small redis store about keys: which there are, and their times of expiry, which have no effect."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from windsock.protocols.redis import builders
from windsock.protocols.redis.commands import SYNTAX, CommandFailed, Data, known, number_in, set_, type_
from windsock.protocols.redis.values import RedisReply, text_of

__all__: list[str] = []


@known("KEYS", 1)
def keys(data: Data, pattern: bytes) -> list[Any]:
    return [key for key in data if fnmatchcase(text_of(key), text_of(pattern).replace("[^", "[!"))]


@known("SCAN", 1, None)
def scan(data: Data, _: bytes, *options: bytes) -> list[Any]:
    asked = {name.upper(): value for name, value in zip(options[::2], options[1::2], strict=False)}
    if len(options) % 2 or not asked.keys() <= {b"MATCH", b"COUNT", b"TYPE"}:
        raise CommandFailed(SYNTAX)
    found = keys(data, asked.get(b"MATCH", b"*"))
    kind = asked.get(b"TYPE")
    return [b"0", [key for key in found if kind is None or type_(data, key).value == text_of(kind)]]


@known("SETEX", 3)
@known("PSETEX", 3)
def setex(data: Data, key: bytes, time: bytes, value: bytes) -> Any:
    number_in(time)
    return set_(data, key, value)


@known("EXPIRE", 2, 3)
@known("PEXPIRE", 2, 3)
@known("EXPIREAT", 2, 3)
@known("PEXPIREAT", 2, 3)
def expire(data: Data, key: bytes, time: bytes, *_: bytes) -> int:
    number_in(time)
    return int(key in data)


@known("TTL", 1)
@known("PTTL", 1)
def ttl(data: Data, key: bytes) -> int:
    return -1 if key in data else -2


@known("PERSIST", 1)
def persist(*_: object) -> int:
    return 0  # no key has a time of expiry


@known("RENAME", 2)
def rename(data: Data, key: bytes, other: bytes) -> RedisReply:
    if key not in data:
        raise CommandFailed("ERR no such key")
    data[other] = data.pop(key)
    return builders.ok()
