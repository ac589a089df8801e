"""Commands of the small redis store, about hashes, lists and sets. Importing the module makes them known."""

from __future__ import annotations

from typing import Any

from windsock.protocols.redis import builders
from windsock.protocols.redis.commands import CommandFailed, Data, known, number_in, value_at, value_for, without_empty
from windsock.protocols.redis.values import RedisReply

__all__: list[str] = []

# --- hashes


@known("HSET", 3, None)
def hset(data: Data, key: bytes, *pairs: bytes) -> int:
    if len(pairs) % 2:
        raise CommandFailed("ERR wrong number of arguments for 'hset' command")
    found = value_for(data, key, dict)
    before = len(found)
    found.update(zip(pairs[::2], pairs[1::2], strict=True))
    return len(found) - before


@known("HGET", 2)
def hget(data: Data, key: bytes, name: bytes) -> Any:
    return (value_at(data, key, dict) or {}).get(name)


@known("HGETALL", 1)
def hgetall(data: Data, key: bytes) -> Any:
    return value_at(data, key, dict) or {}


@known("HDEL", 2, None)
def hdel(data: Data, key: bytes, *names: bytes) -> int:
    found = value_at(data, key, dict) or {}
    count = sum(found.pop(name, None) is not None for name in names)
    without_empty(data, key)
    return count


# --- lists


@known("RPUSH", 2, None)
def rpush(data: Data, key: bytes, *items: bytes) -> int:
    found = value_for(data, key, list)
    found.extend(items)
    return len(found)


@known("LPUSH", 2, None)
def lpush(data: Data, key: bytes, *items: bytes) -> int:
    found = value_for(data, key, list)
    found[:0] = items[::-1]
    return len(found)


@known("LPOP", 1)
def lpop(data: Data, key: bytes) -> Any:
    return _pop(data, key, 0)


@known("RPOP", 1)
def rpop(data: Data, key: bytes) -> Any:
    return _pop(data, key, -1)


def _pop(data: Data, key: bytes, where: int) -> Any:
    found = value_at(data, key, list)
    taken = found.pop(where) if found else None
    without_empty(data, key)
    return taken


@known("LLEN", 1)
def llen(data: Data, key: bytes) -> int:
    return len(value_at(data, key, list) or ())


@known("LRANGE", 3)
def lrange(data: Data, key: bytes, first: bytes, last: bytes) -> list[Any]:
    start, end = number_in(first), number_in(last)
    found = value_at(data, key, list) or []
    size = len(found)
    return found[max(0, start + size if start < 0 else start) : max(0, (end + size if end < 0 else end) + 1)]


# --- sets


@known("SADD", 2, None)
def sadd(data: Data, key: bytes, *members: bytes) -> int:
    found = value_for(data, key, set)
    before = len(found)
    found.update(members)
    return len(found) - before


@known("SREM", 2, None)
def srem(data: Data, key: bytes, *members: bytes) -> int:
    found = value_at(data, key, set) or set()
    count = len(found)
    found.difference_update(members)
    removed = count - len(found)
    without_empty(data, key)
    return removed


@known("SMEMBERS", 1)
def smembers(data: Data, key: bytes) -> RedisReply:
    return builders.set(*sorted(value_at(data, key, set) or ()))


@known("SISMEMBER", 2)
def sismember(data: Data, key: bytes, member: bytes) -> int:
    return int(member in (value_at(data, key, set) or ()))
