"""Ready rules, such as `redis.store(server)`, of servers that they can't be for; functions that get values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.servers import on_every_concurrency
from windsock import Script, UsageError, proxy, scripted_client, serving
from windsock.faults import Delay
from windsock.protocols import dns, http, mqtt, postgresql, redis, smtp, websocket
from windsock.security import RunAuthority

READY: dict[str, Callable[..., Any]] = {
    "dns": lambda server: dns.zone(server, {}),
    "mqtt": mqtt.broker,
    "postgresql": postgresql.session,
    "redis": redis.store,
    "smtp": smtp.session,
    "websocket": websocket.session,
}

each = pytest.mark.parametrize("name", READY)


@each
@pytest.mark.parametrize(("framing", "has"), [(None, "no framing"), ("http", r"framing=HTTPProtocol\(\)")])
def test_the_framing_to_pass_is_named(name: str, framing: str | None, has: str) -> None:
    with serving(framing=framing, name="it") as server, pytest.raises(UsageError) as raised:
        READY[name](server)

    assert raised.match(rf'^{name}\.\w+\(\): the it has {has}; pass framing="{name}" to it$')


@each
def test_something_else_is_no_server(name: str) -> None:
    with pytest.raises(UsageError, match="'redis' is no server; expected a fake"):
        READY[name]("redis")


@pytest.mark.parametrize("name", [each for each in READY if each != "dns"])
def test_streams_only(name: str) -> None:
    with serving(transport="udp", framing=name) as server, pytest.raises(UsageError, match="is for datagrams"):
        READY[name](server)


@pytest.mark.parametrize("name", ["mqtt", "postgresql", "redis", "smtp"])
def test_a_state_is_not_shared_with_forked_children(name: str) -> None:
    with serving(framing=name, concurrency="forking") as server, pytest.raises(UsageError, match="memory of its own"):
        READY[name](server)


@pytest.mark.parametrize(
    ("framing", "ready", "data", "words"),
    [
        ("redis", redis.store, 5, r"redis.store\(\): 5 is no mapping"),
        ("mqtt", mqtt.broker, ["a"], r"retained=...\): \['a'\] is no mapping"),
        ("mqtt", mqtt.broker, {"a": 5}, "the payload 5; expected bytes or str"),
        ("mqtt", mqtt.broker, {"a/#": b""}, "'a/#' is no topic of a message"),
        ("postgresql", postgresql.session, ["a"], r"\['a'\] is no mapping"),
        ("smtp", smtp.session, ["me"], r"users=...\): \['me'\] is no mapping"),
        ("dns", dns.zone, {"a": {"A": 5}}, "5 is no record; expected text"),
    ],
)
def test_data_of_another_type(framing: str, ready: Callable[..., Any], data: Any, words: str) -> None:
    with serving(framing=framing) as server, pytest.raises(UsageError, match=words):
        ready(server, data)


@on_every_concurrency
@pytest.mark.parametrize("tls", [None, True])
def test_a_function_gets_the_value_of_its_message(concurrency: str, tls: bool | None) -> None:
    with serving(framing="http", concurrency=concurrency, tls=tls) as server:
        server.on(http.post("/rule")).reply_with(lambda value: http.response(200, json=value.json()))
        server.on(http.get("/script")).play(Script().send(lambda value: http.response(200, text=value.path)))
        server.on(lambda data: b"/any" in data).reply_with(
            lambda conversation: http.response(200, text=conversation.value.path)
        )
        with server.connect() as client:
            client.send(http.post("/rule", json=[1])).expect(http.response(json=[1]))
            client.send(http.get("/script")).expect(http.response(text="/script"))
            client.send(http.get("/any")).expect(http.response(text="/any"))


def test_a_function_gets_the_value_of_a_datagram() -> None:
    with serving(framing="dns", transport="udp") as server:
        server.on(dns.query()).reply_with(lambda value: dns.answer(f"10.0.0.{len(value.question.name)}"))
        with server.connect() as client:
            client.send(dns.ask("a.example")).expect(dns.response())

        assert server.requests[0].reply_message.answers == ("a.example. 60 IN A 10.0.0.9",)


def test_a_function_of_a_client_gets_the_value_of_a_reply_through_a_proxy() -> None:
    with serving(framing="redis") as server, proxy(server.address) as line:
        redis.store(server, {"visits": 41})
        with scripted_client(line.address) as client:
            client.send(redis.Command("GET", "visits")).expect(redis.reply())
            client.send(lambda value: redis.Command("SET", "copy", value.plain)).expect(redis.ok())
            client.send(redis.Command("GET", "copy")).expect(redis.bulk("41"))


def test_a_message_of_no_protocol_has_no_value() -> None:
    with serving(framing="lines") as server:
        server.on(b"a").reply_with(lambda value: value)
        with server.connect() as client:
            client.send(b"a\n").expect_end()

        (error,) = server.errors.take()
        assert isinstance(error, UsageError)
        assert "the message is of no protocol" in str(error)


@pytest.mark.parametrize(
    "given",
    [
        lambda rule, pattern: rule.reply(pattern),
        lambda rule, pattern: rule.reply([pattern]),
        lambda rule, pattern: rule.reply_with(pattern),
        lambda rule, pattern: rule.reply(b"").then(pattern),
        lambda rule, pattern: Script().send(pattern),
    ],
)
def test_a_pattern_is_no_message(given: Callable[[Any, Any], object]) -> None:
    words = "that is a pattern, which matches messages; expected a message, or bytes"
    with serving(framing="redis", allow_unused=True) as server, pytest.raises(UsageError, match=words):
        given(server.on(redis.command("GET")), redis.command("GET"))


@pytest.mark.parametrize("tls", [True, "mutual"])
@pytest.mark.parametrize("relay", [False, True])
def test_a_fault_that_wants_messages_can_not_see_those_in_tls(tls: Any, relay: bool) -> None:
    words = r"faults see the encrypted bytes of the .*; expected a fault of a proxy"
    with serving(framing="redis", tls=tls, relay=relay) as server, pytest.raises(UsageError, match=words):
        server.fault(Delay(0.1), match=redis.reply())


def test_a_fault_of_a_proxy_sees_the_messages_in_tls() -> None:
    with serving(framing="redis", tls=True) as server:
        redis.store(server, {"wind": "NW"})
        ends: dict[str, Any] = {"tls": RunAuthority().server_context("valid"), "upstream_tls": server.client_context()}
        with proxy(server.address, framing="redis", **ends) as line:
            fault = line.fault(Delay(0.01), direction="downstream", match=redis.reply(b"NW"))
            with scripted_client(line.address, tls=server.client_context()) as client:
                client.send(redis.Command("GET", "wind")).expect(redis.bulk("NW"))

            assert fault.fired == 1
