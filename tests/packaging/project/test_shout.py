"""Tests as users write them, with type hints: run and type-checked with nothing but the wheel."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import assert_type

import pytest
from shout import Shout, ShoutServer, ask

import pytest_windsock
import windsock
from windsock import Connection, RecordedRequest, RunningServer, Script, UsageError, WindsockError
from windsock.faults import Delay, Reset, first
from windsock.protocols import http, redis
from windsock.servers import BaseRequestHandler, TCPServer


def test_a_fake_answers_by_its_rules(tcp_server: RunningServer) -> None:
    tcp_server.on(b"hi\n").reply(b"HI\n")

    assert ask((tcp_server.host, tcp_server.port), b"hi\n") == b"HI\n"

    request = tcp_server.requests.only()
    assert_type(request, RecordedRequest)
    assert_type(request.data, bytes)
    assert request.data == b"hi\n"


@pytest.mark.windsock(handler=Shout, transports=["tcp"], tls=False, framing="lines")
def test_a_handler_under_every_concurrency(any_server: RunningServer) -> None:
    assert ask((any_server.host, any_server.port), b"hi\n") == b"HI\n"

    connection = any_server.connections.wait()[0]
    assert_type(connection, Connection)
    assert_type(connection.ending, windsock.Ending | None)
    assert connection.peer == any_server.requests.only().peer


def test_a_server_class_of_ones_own(serve: pytest_windsock.Serve) -> None:
    server = serve(ShoutServer, Shout)
    assert_type(server, RunningServer)

    with server.connect() as client:
        assert_type(client.send(b"hi\n").expect(b"HI\n"), windsock.ScriptedClient)


def test_a_client_survives_a_reset(serve: pytest_windsock.Serve, fault_proxy: pytest_windsock.Proxies) -> None:
    proxy = fault_proxy(serve(Shout), faults=[Delay(0.001)])
    assert_type(proxy, windsock.FaultProxy)

    with proxy.fault(Reset(after_bytes=2), connections=first(1), direction="downstream") as fault:
        assert ask((proxy.host, proxy.port), b"hi\n") == b"HI\n"

    assert_type(fault.fired, int)
    assert fault.fired == 1


def test_a_fixture_of_ones_own(cache: RunningServer) -> None:
    with cache.connect() as client:
        client.play(Script().send(b"PING\r\n").expect(b"+PONG\r\n").close())


def test_protocols_are_values() -> None:
    with windsock.serving(framing="http") as server:
        server.on(http.get("/wind")).reply(http.response(200, json={"from": "NW"}))
        with server.connect() as client:
            client.send(http.get("/wind")).expect(http.response(200))
        assert server.requests[0].message.path == "/wind"

    with windsock.serving(framing="redis") as store:
        store.on(redis.command("GET")).reply(redis.nil())
        with store.connect() as client:
            client.send(redis.Command("GET", "wind")).expect(redis.reply(None))


def test_a_conversation_is_kept_and_replayed(tmp_path: Path, tcp_server: RunningServer) -> None:
    tcp_server.on(b"hi\n").reply(b"HI\n")
    with windsock.record(tcp_server.address, tmp_path / "kept.txt") as recorder:
        assert ask((recorder.host, recorder.port), b"hi\n") == b"HI\n"

    with windsock.replay(tmp_path / "kept.txt") as replayed:
        assert ask((replayed.host, replayed.port), b"hi\n") == b"HI\n"


@pytest.mark.windsock(framing="lines")
def test_waits_are_awaited_in_a_loop(tcp_server: RunningServer) -> None:
    async def talk() -> RecordedRequest:
        async with tcp_server.connect_asyncio() as client:
            await client.send(b"hi\n")
            return await tcp_server.requests.only_async()

    assert asyncio.run(talk()).data == b"hi\n"


def test_errors_have_one_tree(serve: pytest_windsock.Serve) -> None:
    with pytest.raises(UsageError, match="framing"):
        serve(framing="sentences")

    assert issubclass(UsageError, WindsockError)


def handler_class() -> type[BaseRequestHandler]:
    """Return what the classes accept."""
    return Shout


def test_the_classes_work_without_fixtures() -> None:
    with TCPServer(("127.0.0.1", 0), handler_class()) as server:
        assert_type(server.socket.fileno(), int)
