"""redis-server and the small store of `redis.store()`: the same commands get the same replies, in RESP2 and RESP3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.programs.conftest import program, running
from windsock import proxy, scripted_client, serving
from windsock.protocols import redis
from windsock.protocols.redis import Command, RedisReply

COMMANDS = """
PING|PING hello|ECHO hi|PING a b|GET|GET none|SET k v|GET k|SET k w NX|SET k w XX GET|GET k|SET n v XX
SET k v NX XX|SET k v FOO|GETSET k x|GETDEL k|GET k|SETNX k 1|SETNX k 2|INCR k|INCRBY k 10|DECR k|INCRBY k x
SET big 9223372036854775807|INCR big|APPEND text ab|APPEND text cd|STRLEN text|INCR text|MSET a 1 b 2|MSET a
MGET a b none|EXISTS a b none|TYPE a|TYPE none|HSET h x 1 y 2|HSET h x 2|HGET h x|HGET h none|HGET none x|HGETALL h
HGETALL none|HSET h x|TYPE h|GET h|HDEL h x y z|EXISTS h|RPUSH l 1 2 3|LPUSH l 0|LLEN l|LRANGE l 0 -1|LRANGE l 1 1
LRANGE l -100 100|LRANGE l 2 x|LPOP l|RPOP l|LPOP none|INCR l|TYPE l|SADD s a|SADD s a b|SISMEMBER s a
SISMEMBER s z|SREM s a z|SMEMBERS s|SMEMBERS none|TYPE s|DEL a b none|DEL|NOPE|nope x y|CLIENT SETNAME me
CLIENT GETNAME|CLIENT NOPE|SELECT 0|DBSIZE|MULTI|MULTI|SET t 1|GET t|HGETALL none|EXEC|EXEC|MULTI|NOPE|EXEC|MULTI
DISCARD|DISCARD|FLUSHALL|SET ab 1 EX 100|SET ab 2 PX 5000 NX|SET ab 2 EX|SET ab 1 EX x|SETEX b x v|SETEX b|KEYS a*
KEYS [^b]?|KEYS x|EXPIRE ab 10|EXPIRE none 10|EXPIRE ab x|TTL none|SCAN 0 MATCH a*|SCAN 0 MATCH x COUNT 9
SCAN 0 TYPE hash|SCAN 0 FOO|SCAN 0 NO 1|RENAME ab d|RENAME none y|WATCH|WATCH d|MULTI|WATCH d|EXEC|WATCH d|SET d 2
MULTI|GET d|EXEC|WATCH d|UNWATCH|SET d 3|MULTI|GET d|EXEC|HELLO 4|HELLO x|FLUSHALL|DBSIZE|RESET|GET none
"""
ALL = [line.split() for line in COMMANDS.replace("\n", "|").split("|") if line]

ASKED = ["HELLO 3", "COMMAND DOCS GET", "INFO", "CONFIG GET *", "DEBUG PROTOCOL bignum", "CLIENT LIST", "MEMORY STATS"]


@pytest.fixture
def real(tmp_path: Path) -> Iterator[tuple[str, int]]:
    command = [program("redis-server"), "--port", "{port}", "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    with running(command, tmp_path) as port:
        yield "127.0.0.1", port


def conversation(address: Any, *, resp: int) -> list[tuple[str, RedisReply]]:
    """Return each command with its reply, as a proxy has recorded them."""
    with proxy(address, framing="redis") as between:
        with scripted_client(between.address) as client:
            for words in ([] if resp == 2 else [["HELLO", "3"]]) + ALL:
                client.send(Command(*words)).expect(redis.reply())
        between.requests.wait(len(ALL))
        return [(str(each.message), without_ids(each.reply_message)) for each in between.requests]


def without_ids(reply: RedisReply) -> RedisReply:
    """Return a reply without what differs from server to server: in the reply to HELLO only its keys."""
    if reply.kind == "%" and b"modules" in reply.plain:
        return redis.array(*(key for key, _ in reply.value))
    return reply


@pytest.mark.parametrize("resp", [2, 3])
def test_the_store_replies_as_redis_does(real: tuple[str, int], resp: int) -> None:
    with serving(framing="redis") as server:
        redis.store(server)
        ours = conversation(server.address, resp=resp)

    theirs = conversation(real, resp=resp)
    assert [pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]] == []


def test_every_reply_of_redis_is_encoded_as_it_came(real: tuple[str, int]) -> None:
    with proxy(real, framing="redis") as between:
        with scripted_client(between.address) as client:
            for words in (
                "HELLO 3",
                "COMMAND DOCS GET",
                "INFO",
                "CONFIG GET *",
                "DEBUG PROTOCOL double",
                "CLIENT LIST",
            ):
                client.send(Command(*words.split())).expect(redis.reply())
        requests = between.requests.wait(6)
        assert [bytes(each.reply_message) == each.reply for each in requests] == [True] * 6
