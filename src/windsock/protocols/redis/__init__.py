"""Redis: RESP2 and RESP3. `redis.command("GET", "k")` matches commands, `redis.bulk(b"v")` answers them. No I/O."""

from windsock.protocols.redis.builders import (
    array,
    attributes,
    big_number,
    boolean,
    bulk,
    bulk_error,
    double,
    error,
    integer,
    map,
    nil,
    nil_array,
    null,
    ok,
    push,
    set,
    simple,
    verbatim,
)
from windsock.protocols.redis.patterns import PROTOCOL, RedisProtocol, command, reply
from windsock.protocols.redis.store import Store, store
from windsock.protocols.redis.values import Command, RedisReply

__all__ = [
    "PROTOCOL",
    "Command",
    "RedisProtocol",
    "RedisReply",
    "Store",
    "array",
    "attributes",
    "big_number",
    "boolean",
    "bulk",
    "bulk_error",
    "command",
    "double",
    "error",
    "integer",
    "map",
    "nil",
    "nil_array",
    "null",
    "ok",
    "push",
    "reply",
    "set",
    "simple",
    "store",
    "verbatim",
]
