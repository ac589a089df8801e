"""greet(): a fake that speaks first."""

from __future__ import annotations

import re
import smtplib
import socket
from typing import Any

import pytest

import windsock
from tests.support.servers import on_every_concurrency, on_every_stream_kind
from tests.support.waiting import DEADLINE
from windsock import Script

WAYS = ["direct", "relayed", "proxied"]
every_way = pytest.mark.parametrize("way", WAYS)


@every_way
@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
@on_every_stream_kind
def test_the_greeting_comes_before_anything_else(transport: str, concurrency: str, tls: bool, way: str) -> None:
    options: dict[str, Any] = {"tls": True} if tls else {}
    with windsock.serving(
        transport=transport, concurrency=concurrency, relay=way == "relayed", framing="lines", **options
    ) as server:
        server.greet(b"220 ready\r\n").on(b"NOOP").reply(b"250 OK\r\n")
        with windsock.proxy(server.address) as proxy:
            security: dict[str, Any] = {}
            if tls:
                security = {"tls": server.client_context(), "server_hostname": "localhost"}
            address = proxy.address if way == "proxied" else server.address
            for _ in range(2):
                with windsock.scripted_client(address, **security) as client:
                    client.expect(b"220 ready\r\n").send(b"NOOP\r\n").expect(b"250 OK\r\n")

        assert [(each.data, each.reply) for each in server.requests.wait(2)] == [(b"NOOP\r\n", b"250 OK\r\n")] * 2


@pytest.mark.parametrize("tls", [None, True, "starttls"])
@on_every_concurrency
def test_smtplib_is_greeted(concurrency: str, tls: Any) -> None:
    with windsock.serving(concurrency=concurrency, framing="lines", tls=tls) as server:
        server.greet(b"220 mail\r\n")
        server.on(re.compile(rb"^ehlo ")).reply(b"250-hello\r\n250 STARTTLS\r\n")
        server.on(re.compile(rb"^(?i:quit)")).reply(b"221 bye\r\n", end="close")
        if tls == "starttls":
            script = Script().send(b"220 go on\r\n").start_tls()
            server.on(re.compile(rb"^(?i:starttls)")).play(script)
        if tls is True:
            context = server.client_context()
            client: smtplib.SMTP = smtplib.SMTP_SSL("localhost", server.port, timeout=DEADLINE, context=context)
        else:
            client = smtplib.SMTP("localhost", server.port, timeout=DEADLINE)
        with client:
            if tls == "starttls":
                assert client.starttls(context=server.client_context())[0] == 220
            assert client.ehlo()[0] == 250


@on_every_stream_kind
def test_a_connection_with_a_script_is_greeted_too(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.greet(b"hello ", pieces=3).play(Script().expect(b"a").send(b"b")).echo()
        with server.connect() as client:
            client.send(b"a").expect(b"hello b").expect_end()
        with server.connect() as client:
            client.send(b"c").expect(b"hello c")


@on_every_stream_kind
def test_what_comes_during_a_slow_greeting_is_answered_behind_it(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing="lines") as server:
        server.greet(b"hello\n", delay=0.05, pieces=2).echo()
        with server.connect() as client:
            client.send(b"early\n").expect(b"hello\nearly\n")


@on_every_stream_kind
def test_a_greeting_may_be_the_last_word(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.greet(b"421 too busy\r\n", end="close").echo()
        with server.connect() as client:
            client.expect(b"421 too busy\r\n").expect_end()


@on_every_stream_kind
def test_a_greeting_may_be_a_script(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.greet(Script().send(b"name?").expect(b"me\n").send(b"hello ")).echo()
        with server.connect() as client:
            client.expect(b"name?").send(b"me\n").expect(b"hello ").send(b"x").expect(b"x")


@on_every_stream_kind
def test_clients_that_do_not_wait_for_it_fail_no_test(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.greet(b"x" * 4_000_000)
        for _ in range(3):
            with server.connect() as client:
                client.reset()
            with server.connect():
                pass


@on_every_concurrency
def test_the_latest_greeting_counts(concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency) as server:
        server.greet(b"one")
        with server.connect() as client:
            client.expect(b"one")
        server.greet(b"two")
        with server.connect() as client:
            client.expect(b"two")


def test_it_greets_again_after_an_outage() -> None:
    with windsock.serving() as server:
        server.greet(b"hello")
        with server.outage():
            pass
        with server.connect() as client:
            client.expect(b"hello")


@pytest.mark.parametrize(
    ("greet", "message"),
    [
        (lambda server: server.greet("220"), "greet('220'): expected the bytes to send first, or a Script"),
        (lambda server: server.greet(b""), "greet(b''): expected the bytes to send first, or a Script"),
        (lambda server: server.greet(bytes.upper), "greet(<method 'upper' of 'bytes' objects>): expected the bytes to"),
        (lambda server: server.greet(Script()), "greet(Script()): it has no steps"),
        (
            lambda server: server.greet(b"x", truncate=1),
            "greet(truncate=1): the reply has 1 bytes; expected a smaller number",
        ),
    ],
)
def test_what_is_no_greeting_is_refused_at_once(greet: Any, message: str) -> None:
    with windsock.serving() as server, pytest.raises(windsock.UsageError) as caught:
        greet(server)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("transport", ["udp", "unix_datagram"])
def test_datagram_servers_can_t_speak_first(transport: str) -> None:
    with windsock.serving(transport=transport) as server, pytest.raises(windsock.UsageError) as caught:
        server.greet(b"hello")
    assert str(caught.value) == "greet(): that is for streams; a datagram server can't speak first"


def test_a_client_that_only_looks_in_is_a_client_nonetheless() -> None:
    with windsock.serving() as server:
        server.greet(b"hello")
        socket.create_connection(server.address).close()

        server.connections.wait(1)
        assert len(server.connections) == 1
