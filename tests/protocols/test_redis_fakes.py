"""Fakes of redis: rules and the small store, with the redis client, and what tests read of it."""

from __future__ import annotations

from typing import Any

import pytest
import redis as client_library

from tests.support.servers import STREAMS
from windsock import RunningServer, UsageError, scripted_client, serving
from windsock.harness import CONCURRENCIES
from windsock.protocols import redis

on_both_versions = pytest.mark.parametrize("resp", [2, 3])


def client_of(server: RunningServer, resp: int, **options: Any) -> Any:
    where = {"unix_socket_path": server.path} if server.is_unix else {"host": server.host, "port": server.port}
    return client_library.Redis(protocol=resp, socket_timeout=5, **where, **options)


@on_both_versions
@pytest.mark.parametrize("concurrency", [each for each in CONCURRENCIES if each != "forking"])
@pytest.mark.parametrize("transport", STREAMS)
def test_a_client_works_with_the_store(transport: str, concurrency: str, resp: int) -> None:
    with serving(transport=transport, concurrency=concurrency, framing="redis") as server:
        state = redis.store(server, {"visits": 41, "colours": {"red", "blue"}})
        with client_of(server, resp) as client:
            assert client.set("k", "v") is True
            assert (client.get("k"), client.get("none")) == (b"v", None)
            assert client.incr("visits") == 42
            assert client.smembers("colours") == {b"red", b"blue"}
            assert client.hset("h", mapping={"a": 1, "b": 2}) == 2
            assert client.hgetall("h") == {b"a": b"1", b"b": b"2"}
            assert client.rpush("l", 1, 2, 3) == 3
            assert client.lrange("l", -2, -1) == [b"2", b"3"]
            with client.pipeline() as pipeline:
                assert pipeline.set("p", 1).incr("p").get("p").execute() == [True, 2, b"2"]
            with pytest.raises(client_library.ResponseError, match="WRONGTYPE"):
                client.incr("l")
        assert state.data[b"k"] == b"v"


@on_both_versions
def test_a_transaction_begins_again_when_a_watched_key_has_changed(resp: int) -> None:
    with serving(framing="redis") as server:
        state = redis.store(server, {"visits": 41})
        with client_of(server, resp) as client:
            tries = []

            def add(pipeline: Any) -> None:
                tries.append(pipeline.get("visits"))
                if len(tries) == 1:
                    client.set("visits", 50)
                pipeline.multi()
                pipeline.incr("visits")

            assert client.transaction(add, "visits") == [51]
        assert tries == [b"41", b"50"]
        assert state.data == {b"visits": b"51"}


@on_both_versions
def test_times_of_expiry_are_taken(resp: int) -> None:
    with serving(framing="redis") as server:
        redis.store(server, {"old": 1})
        with client_of(server, resp) as client:
            assert client.set("k", "v", ex=60) is True
            assert client.execute_command("SETEX", "other", 60, "v")
            assert client.expire("old", 1)
            assert client.ttl("k") == -1
            assert sorted(client.keys("o*")) == sorted(client.scan_iter("o*")) == [b"old", b"other"]


@on_both_versions
def test_a_fake_of_rules_answers_a_client(resp: int) -> None:
    with serving(framing="redis") as server:
        server.on(redis.command("GET", "k")).reply(redis.bulk("v"))
        server.on(redis.command("GET")).reply(redis.error("LOADING the data set"))
        redis.store(server)
        with client_of(server, resp, retry=None) as client:
            assert client.get("k") == b"v"
            with pytest.raises(client_library.BusyLoadingError):
                client.get("other")
        server.drain()

        asked = next(each for each in server.requests if each.message.args == (b"other",))
        assert asked.message == redis.Command("GET", "other")
        assert asked.reply_message == redis.error("LOADING the data set")
        assert any(line.endswith("error LOADING the data set") for line in server.transcript())


def test_pushed_messages_are_replies_of_their_own() -> None:
    with serving(framing="redis") as server:
        pushed = bytes(redis.push("message", "news", "hello"))
        server.on(redis.command("SUBSCRIBE")).reply(bytes(redis.push("subscribe", "news", 1)) + pushed)
        with client_of(server, 3) as client, client.pubsub() as channel:
            redis.store(server)
            channel.subscribe("news")
            assert channel.get_message(timeout=5)["type"] == "subscribe"
            assert channel.get_message(timeout=5)["data"] == b"hello"
        server.drain()

        request = next(each for each in server.requests if each.message.name == "SUBSCRIBE")
        assert [each.kind for each in request.reply_messages] == [">", ">"]


def test_commands_sent_at_once_and_inline_are_answered_in_order() -> None:
    with serving(framing="redis") as server, server.connect() as client:
        redis.store(server)
        client.send(b"SET k v\r\n\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPING\r\n", pieces=7)
        client.expect(redis.ok()).expect(redis.reply(b"v")).expect(redis.reply(redis.simple("PONG")))


def test_a_transaction_with_an_error_is_discarded() -> None:
    with serving(framing="redis") as server, server.connect() as client:
        redis.store(server)
        client.send(redis.Command("MULTI")).expect(redis.ok())
        client.send(redis.Command("NONSENSE", "x")).expect(
            redis.error("ERR unknown command 'NONSENSE', with args beginning with: 'x' ")
        )
        client.send(redis.Command("EXEC"))
        client.expect(redis.error("EXECABORT Transaction discarded because of previous errors."))
        client.send(redis.Command("EXEC")).expect(redis.error("ERR EXEC without MULTI"))


def test_each_connection_has_a_version_of_its_own() -> None:
    with serving(framing="redis") as server, server.connect() as old, scripted_client(server.address) as new:
        redis.store(server)
        new.send(redis.Command("HELLO", 3)).expect(redis.reply())
        for client, nothing in ((old, redis.nil()), (new, redis.null()), (old, redis.nil())):
            client.send(redis.Command("GET", "k")).expect(nothing)


def test_the_store_needs_the_framing() -> None:
    with serving() as server, pytest.raises(UsageError, match="framing"):
        redis.store(server)


def test_the_store_is_not_for_forking_servers() -> None:
    with serving(concurrency="forking", framing="redis") as server, pytest.raises(UsageError, match="forking"):
        redis.store(server)
