"""Scripts with urgent data: `urgent()` and `expect_urgent()`, of clients and of fake servers."""

from __future__ import annotations

import threading

import pytest
import trio

import windsock
from tests.servers.helpers import only_linux
from tests.support.servers import on_every_concurrency
from windsock import Script
from windsock.errors import UsageError
from windsock.scripts import ScriptMismatch, ScriptTimeout

pytestmark = only_linux

on_every_stream = pytest.mark.parametrize("transport", ["tcp", "unix_stream"])
TALK = Script().send(b"abc").urgent(b"X").send(b"def").expect(b"ok").expect_urgent(b"Y").expect(b"!")
REPLY = Script().expect(b"abc").expect_urgent(b"X").expect(b"def").send(b"ok").urgent(b"Y").send(b"!")


@on_every_concurrency
@on_every_stream
@pytest.mark.parametrize("route", ["direct", "relayed", "proxied"])
def test_urgent_bytes_pass_both_ways_between_scripts(transport: str, concurrency: str, route: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, relay=route == "relayed") as server:
        server.play(REPLY)
        if route != "proxied":
            with server.connect() as client:
                client.play(TALK).close()
            server.connections.wait(1)
            return
        with windsock.proxy(server.address) as proxy, windsock.scripted_client(proxy.address) as client:
            client.play(TALK).close()


@on_every_stream
def test_a_client_takes_its_steps_one_by_one(transport: str) -> None:
    with windsock.serving(transport=transport) as server:
        server.play(REPLY)
        with server.connect() as client:
            client.send(b"abc").urgent(b"X").send(b"def").expect(b"ok").expect_urgent().expect(b"!")


def test_a_client_of_trio_sends_and_expects_urgent_data() -> None:
    async def talk() -> None:
        async with server.connect_trio() as client:
            await client.play(TALK)

    with windsock.serving(transport="tcp") as server:
        server.play(REPLY)
        trio.run(talk)


def test_each_client_of_a_crowd_sends_and_expects_urgent_data() -> None:
    with windsock.serving(transport="tcp", concurrency="threading") as server:
        server.play_all(REPLY)
        summary = server.crowd(5, TALK)
        assert summary.met == len(summary) == 5


@on_every_stream
def test_data_that_is_read_during_a_pause_keeps_its_mark(transport: str) -> None:
    with windsock.serving(transport=transport) as server:
        is_sent = threading.Event()
        server.play(Script().wait_for(is_sent).pause(0.05).expect(b"abc").expect_urgent(b"X").expect(b"def").send(b"."))
        with server.connect() as client:
            client.send(b"abc").urgent(b"X").send(b"def")
            is_sent.set()
            client.expect(b".")


@on_every_stream
def test_an_ordinary_expectation_may_include_an_urgent_byte(transport: str) -> None:
    with windsock.serving(transport=transport) as server:
        server.play(Script().expect(until=b"\n").send(b"ok").expect_urgent(b"Z").send(b"."))
        with server.connect() as client:
            client.send(b"ABOR\r").urgent(b"\n").expect(b"ok").urgent(b"Z").expect(b".")


def failure_of(script: Script) -> str:
    """Return why a client that expects the urgent byte X fails."""
    with windsock.serving(transport="tcp", strict=False) as server:
        server.play(script)
        with server.connect(timeout=0.3) as client, pytest.raises((ScriptMismatch, ScriptTimeout)) as caught:
            client.expect_urgent(b"X")
        return str(caught.value)


def test_a_byte_that_is_not_urgent_or_another_one_is_named() -> None:
    assert "the next byte, b'X', is not urgent" in failure_of(Script().send(b"X").expect_eof())
    assert "the urgent byte is b'Y', expected b'X'" in failure_of(Script().urgent(b"Y").expect_eof())
    assert "no urgent byte came within 0.3" in failure_of(Script().expect_eof())
    assert "the other end closed (EOF) before an urgent byte" in failure_of(Script().close())


def test_one_of_several_expectations_may_be_an_urgent_byte() -> None:
    interrupted = Script().one_of(Script().expect(b"go on\n").send(b"on"), Script().expect_urgent(b"\xf2").send(b"off"))
    with windsock.serving(transport="tcp") as server:
        server.play(interrupted)
        server.play(interrupted)
        with server.connect() as client:
            client.urgent(b"\xf2").expect(b"off")
        with server.connect() as client:
            client.send(b"go on\n").expect(b"on")


@pytest.mark.parametrize(("what", "words"), [(b"", "expected one byte"), (b"ab", "expected one byte")])
def test_an_urgent_byte_is_one_byte(what: bytes, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Script().expect_urgent(what)


def test_tls_and_datagrams_have_no_urgent_data() -> None:
    with windsock.serving(transport="tcp", tls=True, strict=False) as server:
        with pytest.raises(UsageError, match="TLS has no urgent data; use expect"):
            server.play(Script().expect_urgent(b"X"))
        server.echo()
        with server.connect() as client:
            with pytest.raises(UsageError, match="TLS has no urgent data; expect it in plaintext"):
                client.expect_urgent(b"X")
            client.send(b"x\n").expect(b"x\n")
    with windsock.serving(transport="udp") as server, pytest.raises(UsageError, match="that is for streams"):
        server.play(Script().expect_urgent())
