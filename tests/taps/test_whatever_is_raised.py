"""What a handler, a hook or a function of the test raises is recorded, Exception or not, and the server goes on."""

from __future__ import annotations

import contextlib
import socket
import socketserver
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import pytest
import trio
from greenlet import GreenletExit

import windsock
from tests.servers.selecting.helpers import hub_here
from tests.support.servers import (
    STREAMS,
    TRANSPORTS,
    connect,
    on_every_concurrency,
    on_every_stream_kind,
    wait_for_error,
)
from windsock import RunningServer, Script, ScriptedClient, ScriptMismatch, servers
from windsock.faults import Delay
from windsock.harness import CONCURRENCIES
from windsock.servers.selecting.green_socket import green


class Odd(BaseException):
    """No Exception, as pytest.fail() and pytest.skip() are none."""


ERRORS: list[Callable[[], BaseException]] = [
    lambda: Odd("on purpose"),
    lambda: SystemExit("on purpose"),
    lambda: KeyboardInterrupt("on purpose"),
    lambda: GeneratorExit("on purpose"),
    lambda: BaseExceptionGroup("on purpose", [Odd("on purpose"), LookupError("on purpose")]),
]
NAMES = ["odd", "exit", "interrupt", "generator", "group"]
WAYS = [*product(TRANSPORTS, CONCURRENCIES, ("direct", "relayed")), *product(STREAMS, CONCURRENCIES, ("tls",))]


def raises(data: bytes, error: Callable[[], BaseException] = ERRORS[0]) -> None:
    if data.startswith(b"bad"):
        raise error()


@contextmanager
def failing(*args: Any, **options: Any) -> Iterator[RunningServer]:
    """Serve; after the block make sure that the next client is served, and that what was raised in it is recorded."""
    with windsock.serving(*args, **options) as server:
        yield server
        with server.connect() as client:
            client.send(b"good\n").expect(b"good\n")
        wait_for_error(server)
        assert {str(error).partition(" (")[0] for error in server.errors.take()} == {"on purpose"}


def provoke(server: RunningServer) -> None:
    with server.connect() as client:
        client.send(b"bad\n")
        if not server.options.is_datagram:
            see_the_end(client)


def see_the_end(client: ScriptedClient) -> None:
    """Wait until the connection is over, whichever way."""
    with contextlib.suppress(ScriptMismatch):
        client.expect_eof(discard=True)


@pytest.mark.parametrize("error", ERRORS, ids=NAMES)
@pytest.mark.parametrize(("transport", "concurrency", "way"), WAYS)
def test_whatever_a_handler_raises_is_recorded_and_the_next_client_is_served(
    transport: str, concurrency: str, way: str, error: Callable[[], BaseException]
) -> None:
    class Handler(servers.BaseRequestHandler):
        def handle(self) -> None:
            if isinstance(self.request, tuple):
                data, sock = self.request
                raises(data, error)
                sock.sendto(data, self.client_address)
            else:
                data = self.request.recv(100)
                raises(data, error)
                self.request.sendall(data)

    options = {"transport": transport, "concurrency": concurrency, "relay": way == "relayed", "tls": way == "tls"}
    with failing(Handler, **options) as server:
        provoke(server)


@pytest.mark.parametrize("error", ERRORS, ids=NAMES)
@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("relay", [False, True])
def test_whatever_an_async_handler_raises_is_recorded(
    transport: str, relay: bool, error: Callable[[], BaseException]
) -> None:
    class Handler(servers.BaseRequestHandler):
        async def handle(self) -> None:
            is_datagram = isinstance(self.request, tuple)
            data = self.packet if is_datagram else bytes(await self.stream.receive_some(100))
            raises(data, error)
            await (self.reply(data) if is_datagram else self.stream.send_all(data))

    with failing(Handler, transport=transport, relay=relay) as server:
        provoke(server)


def test_what_a_cancelled_task_raises_is_recorded_and_it_is_cancelled_all_the_same() -> None:
    async def handler(stream: Any, client_address: object, server: object) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            await stream.send_all(b"ready")
            try:
                await trio.sleep_forever()
            finally:
                raise Odd("on purpose")

    with windsock.serving(handler) as server, server.connect() as client:
        client.expect(b"ready")
        server.stop()

        (found,) = server.errors.take()
        assert isinstance(found, BaseExceptionGroup)
        assert [repr(each) for each in found.exceptions] == ["Odd('on purpose')"]


def test_what_ends_a_request_of_a_selecting_server_is_no_error() -> None:
    ends: list[str] = []

    def handler(request: Any, client_address: object, server: Any) -> None:
        elsewhere, other = socket.socketpair()
        with other, green(elsewhere, hub_here()) as waited_for:
            request.sendall(b"ready")
            try:
                waited_for.recv(1)
            except GreenletExit:
                ends.append("exit")
                raise

    with windsock.serving(handler, concurrency="selecting") as server, server.connect() as client:
        client.expect(b"ready")
        server.stop()

        assert ends == ["exit"]
        assert list(server.errors) == []


# --- the other places in which code of a test runs


def bad(data: object, *_: object) -> Any:
    raise Odd("on purpose")


def bad_bytes(data: bytes) -> Any:
    return data if data.startswith(b"good") else bad(data)


def told(server: RunningServer, how: str) -> None:
    """Have a fake call a function of the test that raises for what is bad."""
    if how == "reply_with":
        server.on(b"bad").reply_with(bad)
    elif how == "a predicate":
        server.on(lambda data: bool(bad_bytes(data)) and False).reply(b"never")
    elif how == "which connections":
        server.on(b"bad", connections=lambda index: index == 0 and bad(index)).reply(b"never")
    elif how == "a script":
        server.play(Script().expect(bad))
    server.echo()


@on_every_stream_kind
@pytest.mark.parametrize("how", ["reply_with", "a predicate", "which connections", "a script"])
def test_whatever_a_function_of_a_fake_raises_is_recorded(transport: str, concurrency: str, how: str) -> None:
    options = {"transport": transport, "concurrency": concurrency, "framing": "lines", "allow_unused": True}
    with failing(**options) as server:
        told(server, how)
        provoke(server)


@on_every_concurrency
@pytest.mark.parametrize("how", ["reply_with", "a predicate", "a script"])
def test_whatever_a_function_of_a_datagram_fake_raises_is_recorded(concurrency: str, how: str) -> None:
    with failing(transport="udp", concurrency=concurrency, framing="lines", allow_unused=True) as server:
        told(server, how)
        provoke(server)
        wait_for_error(server)


@on_every_stream_kind
def test_whatever_a_fault_that_is_a_function_raises_is_recorded(transport: str, concurrency: str) -> None:
    with failing(transport=transport, concurrency=concurrency, relay=True) as server:
        server.echo()
        with server.fault(bad, allow_unfired=True):
            provoke(server)


@on_every_stream_kind
@pytest.mark.parametrize("fault", [Delay(0.001), bad])
def test_whatever_a_function_that_selects_raises_is_recorded(transport: str, concurrency: str, fault: Any) -> None:
    with failing(transport=transport, concurrency=concurrency) as server:
        server.echo()
        with (
            server.fault(fault, connections=bad, allow_unfired=True),
            contextlib.suppress(ConnectionError),
            connect(server) as client,
        ):
            client.recv(1)


def test_whatever_a_fault_of_a_proxy_raises_is_recorded() -> None:
    with windsock.serving() as server, windsock.proxy(server.address) as proxy:
        server.echo()
        with proxy.fault(bad, allow_unfired=True), windsock.scripted_client(proxy.address) as client:
            see_the_end(client.send(b"bad"))
        with windsock.scripted_client(proxy.address) as client:
            client.send(b"good").expect(b"good")

        assert [repr(error) for error in proxy.errors.take()] == ["Odd('on purpose')"]


HOOKS = ["verify_request", "process_request", "finish_request", "shutdown_request", "close_request", "handle_error"]
ENDED_BY = ["verify_request", "handle_error"]
"""Hooks whose exceptions end the loop of the standard library's servers, or a thread that closes no request."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # of the standard library's threads
@pytest.mark.parametrize("error", [Odd, LookupError])
@pytest.mark.parametrize("concurrency", ["", "Threading", "Forking"])
@pytest.mark.parametrize(
    ("family", "hook"),
    [*product([servers], HOOKS), *((socketserver, hook) for hook in HOOKS if hook not in ENDED_BY)],
)
def test_whatever_a_hook_of_a_server_class_raises_is_recorded(
    family: Any, hook: str, concurrency: str, error: type[BaseException]
) -> None:
    base = getattr(family, f"{concurrency}TCPServer")
    has_failed: list[bool] = []

    def fail_once(self: Any, request: Any, *args: Any) -> Any:
        result = None if hook == "process_request" and not has_failed else getattr(base, hook)(self, request, *args)
        if not has_failed:
            has_failed.append(True)
            raise error("on purpose")
        return result

    def handler(request: Any, client_address: object, server: object) -> None:
        data = request.recv(100)
        if hook == "handle_error":
            raises(data)
        request.sendall(data)

    with failing(type("Mine", (base,), {hook: fail_once}), handler) as server:
        provoke(server)
        wait_for_error(server)
        has_failed.append(True)  # in this process too, where a child has failed
