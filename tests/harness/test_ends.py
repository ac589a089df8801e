"""What the record says has ended has ended: its client finds the end at once, without waiting for it.

Each test makes a few connections; `WINDSOCK_EXAMPLES=25000` makes 1,000 of each kind.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import windsock
from tests.support.waiting import DEADLINE
from windsock import Ending, RunningServer, Script
from windsock.harness import CONCURRENCIES
from windsock.net.system import monotonic

ROUNDS = max(3, int(os.environ.get("WINDSOCK_EXAMPLES", "1000" if os.environ.get("CI") else "100")) // 25)
"""How often each of the races is run, in which an end and its record are as close as can be."""
WAYS = ["direct", "relayed", "proxied"]
GO = b"go\n"

on_every_way = pytest.mark.parametrize("way", WAYS)
on_every_concurrency = pytest.mark.parametrize("concurrency", [*CONCURRENCIES, "async"])


def closes(request: Any, *_: Any) -> None:
    request.recv(len(GO))
    request.close()


def half_closes(request: Any, *_: Any) -> None:
    request.recv(len(GO))
    request.shutdown(socket.SHUT_WR)
    request.recv(1)


def resets(request: Any, *_: Any) -> None:
    request.recv(len(GO))
    request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.close()


def listens(request: Any, *_: Any) -> None:
    while request.recv(100):
        pass


def returns(request: Any, *_: Any) -> None:
    request.recv(len(GO))


def raises(request: Any, *_: Any) -> None:
    request.recv(len(GO))
    raise LookupError("no such word")


def times_out(request: Any, *_: Any) -> None:
    request.recv(len(GO))
    request.settimeout(0.001)
    with contextlib.suppress(TimeoutError):
        request.recv(1)


async def closes_async(stream: Any, *_: Any) -> None:
    await stream.receive_some(len(GO))
    await stream.aclose()


async def half_closes_async(stream: Any, *_: Any) -> None:
    await stream.receive_some(len(GO))
    await stream.send_eof()
    await stream.receive_some(1)


async def listens_async(stream: Any, *_: Any) -> None:
    while await stream.receive_some(100):
        pass


async def returns_async(stream: Any, *_: Any) -> None:
    await stream.receive_some(len(GO))


async def raises_async(stream: Any, *_: Any) -> None:
    await stream.receive_some(len(GO))
    raise LookupError("no such word")


HANDLERS = {
    "close": (closes, closes_async),
    "half_close": (half_closes, half_closes_async),
    "reset": (resets, None),
    "return": (returns, returns_async),
    "raise": (raises, raises_async),
    "time_out": (times_out, None),
}
LISTENING = (listens, listens_async)
SCRIPTS = {
    "script_end": Script().expect(GO).send(b"x"),
    "script_close": Script().expect(GO).send(b"x").close(),
    "script_half_close": Script().expect(GO).send(b"x").half_close().expect_eof(),
    "script_reset": Script().expect(GO).send(b"x").reset(),
}
RULES = ["close", "half_close", "reset"]


@contextlib.contextmanager
def running(way: str, concurrency: str, handler: Any = None, **options: Any) -> Iterator[tuple[RunningServer, Any]]:
    """Give a server, and what has the record of its clients: itself, or a proxy."""
    if concurrency != "async":
        options["concurrency"] = concurrency
    with windsock.serving(
        handler, relay=way == "relayed", timeout=DEADLINE, strict=False, allow_unused=True, **options
    ) as server:
        if way != "proxied":
            yield server, server
            return
        with windsock.proxy(server.address, timeout=DEADLINE) as proxy:
            yield server, proxy


@contextlib.contextmanager
def a_client(record: Any, context: ssl.SSLContext | None = None) -> Iterator[socket.socket]:
    with socket.create_connection(record.address, DEADLINE) as plain:
        client = plain if context is None else context.wrap_socket(plain, server_hostname="localhost")
        with client:
            yield client
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)  # forked children of a server behind a proxy have copies of it


def finds_the_end(client: socket.socket) -> bool:
    """Return whether what a client receives without waiting goes as far as its end."""
    client.settimeout(0.0)
    try:
        while client.recv(100):
            pass
    except ConnectionResetError:
        pass
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except ssl.SSLError:  # no close_notify
        pass
    return True


def by_connections(record: Any, index: int) -> None:
    record.connections.wait(index + 1)


def by_requests(record: Any, index: int) -> None:
    """Without framing a request is complete when its connection has ended."""
    record.requests.wait(index + 1)


def by_a_look(record: Any, index: int) -> None:
    look_until(lambda: len(record.connections) > index and record.connections[index].ending is not None)


def look_until(is_so: Callable[[], bool]) -> None:
    deadline = monotonic() + DEADLINE
    while not is_so():
        assert monotonic() < deadline
        time.sleep(0)  # or a server's thread waits for the interpreter


Wait = Callable[[Any, int], None]


def waits_for(how: str, way: str) -> list[Wait]:
    """Return the ways to be told of an end: a half-close, and a close behind a proxy, leave the connection open."""
    if how.endswith("half_close") or (way == "proxied" and not how.endswith("reset")):
        return [by_a_look]
    return [by_connections, by_requests, by_a_look]


def early(record: Any, waits: list[Wait], context: ssl.SSLContext | None = None) -> int:
    """Return how many of the clients did not find the end that the record told of."""
    found = 0
    for index in range(ROUNDS):
        with a_client(record, context) as client:
            client.sendall(GO)
            waits[index % len(waits)](record, index)
            found += not finds_the_end(client)
    return found


@on_every_way
@on_every_concurrency
@pytest.mark.parametrize("how", HANDLERS)
def test_a_client_finds_the_end_that_the_record_tells_of_by_a_handler(how: str, concurrency: str, way: str) -> None:
    handler = HANDLERS[how][concurrency == "async"]
    if handler is None:
        pytest.skip("an async handler has no such end")

    with running(way, concurrency, handler) as (_, record):
        assert early(record, waits_for(how, way)) == 0


@on_every_way
@pytest.mark.parametrize("concurrency", CONCURRENCIES)
@pytest.mark.parametrize("how", SCRIPTS)
def test_a_client_finds_the_end_that_the_record_tells_of_by_a_script(how: str, concurrency: str, way: str) -> None:
    with running(way, concurrency) as (server, record):
        server.play_all(SCRIPTS[how])

        assert early(record, waits_for(how, way)) == 0


@on_every_way
@pytest.mark.parametrize("concurrency", CONCURRENCIES)
@pytest.mark.parametrize("how", RULES)
def test_a_client_finds_the_end_that_the_record_tells_of_by_a_rule(how: Any, concurrency: str, way: str) -> None:
    with running(way, concurrency, framing="lines") as (server, record):
        server.on(GO).reply(b"x", end=how)

        waits = [wait for wait in waits_for(how, way) if wait is not by_requests]  # complete before it is answered

        assert early(record, waits) == 0


@on_every_way
@on_every_concurrency
@pytest.mark.parametrize("how", ["close", "return", "raise"])
def test_a_client_finds_the_end_of_tls_that_the_record_tells_of(how: str, concurrency: str, way: str) -> None:
    with running(way, concurrency, HANDLERS[how][concurrency == "async"], tls=True) as (server, record):
        assert early(record, waits_for("close", way), server.client_context()) == 0


@on_every_way
@pytest.mark.parametrize("concurrency", CONCURRENCIES)
def test_a_client_finds_the_end_without_close_notify_that_the_record_tells_of(concurrency: str, way: str) -> None:
    def abandons(request: Any, *_: Any) -> None:
        request.recv(len(GO))
        request.abandon()

    with running(way, concurrency, abandons, tls=True) as (server, record):
        assert early(record, waits_for("close", way), server.client_context()) == 0


@on_every_way
@on_every_concurrency
@pytest.mark.parametrize("how", ["stop", "outage"])
def test_a_client_finds_the_end_when_the_server_is_down(how: str, concurrency: str, way: str) -> None:
    missed = 0
    for _ in range(ROUNDS):
        with (
            running(way, concurrency, LISTENING[concurrency == "async"]) as (server, record),
            a_client(record) as client,
        ):
            client.sendall(GO)
            look_until(lambda: bool(server.requests))  # it is called here
            with contextlib.ExitStack() as stack:
                if how == "stop":
                    server.stop()
                else:
                    stack.enter_context(server.outage())
                by_a_look(record, 0)
                missed += not finds_the_end(client)
            assert record.connections[0].ending in (Ending.STOPPED, Ending.SERVER_CLOSE)

    assert missed == 0


@on_every_way
@on_every_concurrency
def test_the_record_tells_of_the_end_that_a_client_has_seen(concurrency: str, way: str) -> None:
    missed = 0
    with running(way, concurrency, HANDLERS["return"][concurrency == "async"]) as (_, record):
        for index in range(ROUNDS):
            with a_client(record) as client:
                client.sendall(GO)
                while client.recv(100):
                    pass
                missed += record.connections[index].ending != Ending.SERVER_CLOSE

    assert missed == 0
