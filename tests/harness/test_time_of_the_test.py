"""The time of the test: no wait is longer than what is left of it, and each error says the wait that was asked for."""

from __future__ import annotations

import inspect
import math
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import product
from typing import Any, TypeAlias

import pytest

import windsock
from tests.support.async_loops import run_in
from tests.support.waiting import DEADLINE, HOUR, wait_until
from windsock import Script, StillRunning, WaitTimeout
from windsock.harness import CONCURRENCIES
from windsock.net import deadlines
from windsock.net.system import monotonic

Shorten: TypeAlias = Callable[[], None]

LEFT = {"little time": 0.1, "no time": -1.0}
CUT = "3600 s (cut short: the time of the test is over)"


@pytest.fixture(params=LEFT)
def shorten(request: pytest.FixtureRequest) -> Iterator[Shorten]:
    """Return what leaves the test as good as no time; undone at its end."""
    before = deadlines.latest()
    yield lambda: deadlines.limit_until(monotonic() + LEFT[request.param])
    deadlines.limit_until(before)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give what can end in order all the time that it needs on a busy machine."""
    monkeypatch.setattr(deadlines, "MOMENT", DEADLINE)


@contextmanager
def silent_server(**options: Any) -> Iterator[windsock.RunningServer]:
    """Serve clients that get no answer, and whose bytes are not read."""
    released = threading.Event()
    with windsock.serving(lambda *_: released.wait(DEADLINE * 3), strict=False, **options) as server:
        try:
            yield server
        finally:
            released.set()


def of_client(step: Callable[[windsock.ScriptedClient], object]) -> Callable[[Shorten], None]:
    """Return a wait: a step of a client of a server that says nothing."""

    def wait(shorten: Shorten) -> None:
        with silent_server() as server, server.connect(timeout=HOUR) as client:
            shorten()
            step(client)

    return wait


def of_async_client(library: str, step: Callable[[Any], Any]) -> Callable[[Shorten], None]:
    """Return the same for a client of asyncio or trio."""

    def wait(shorten: Shorten) -> None:
        async def main() -> None:
            async with getattr(server, f"connect_{library}")(timeout=HOUR) as client:
                shorten()
                await step(client)

        with silent_server() as server:
            run_in(library, main)

    return wait


of_trio_client = partial(of_async_client, "trio")
of_asyncio_client = partial(of_async_client, "asyncio")


def of_recording(wait: Callable[[windsock.RunningServer], object]) -> Callable[[Shorten], None]:
    """Return a wait for what is recorded."""

    def begin(shorten: Shorten) -> None:
        with silent_server(timeout=HOUR) as server:
            shorten()
            wait(server)

    return begin


def in_a_task(wait: Callable[[windsock.RunningServer], Awaitable[object]]) -> Callable[[Shorten], None]:
    """Return a wait for what is recorded, in a task."""
    return of_recording(lambda server: run_in("asyncio", lambda: wait(server)))


def send_in_hand(shorten: Shorten) -> None:
    with silent_server(timeout=HOUR) as server, server.connect():
        wait_until(lambda: len(server.connections) == 1, "the connection")
        shorten()
        server.connections[0].send(bytes(1 << 26))


def of_fake(wait: Callable[[windsock.RunningServer], object]) -> Callable[[Shorten], None]:
    """Return a wait for a client of a fake, which does not come."""

    def begin(shorten: Shorten) -> None:
        with windsock.serving(timeout=HOUR) as server:
            shorten()
            wait(server)

    return begin


def connect(shorten: Shorten) -> None:
    with silent_server() as server, server.fault(windsock.faults.BacklogFull(), allow_unfired=True):
        shorten()
        server.connect(timeout=HOUR)


def connect_in_a_task(library: str, shorten: Shorten) -> None:
    async def main() -> None:
        shorten()
        async with getattr(server, f"connect_{library}")(timeout=HOUR):
            raise AssertionError("it is connected")

    with silent_server() as server, server.fault(windsock.faults.BacklogFull(), allow_unfired=True):
        run_in(library, main)


def handshake(shorten: Shorten) -> None:
    with silent_server() as server:
        shorten()
        windsock.scripted_client(server.address, tls=True, timeout=HOUR)


def handshake_in_a_task(library: str, shorten: Shorten) -> None:
    async def main() -> None:
        async with CLIENTS[library](server.address, tls=True, timeout=HOUR):
            raise AssertionError("there is TLS")

    with silent_server() as server:
        shorten()
        run_in(library, main)


def rpc_call(shorten: Shorten) -> None:
    with silent_server() as server, server.connect_rpc(7, 1, timeout=HOUR) as client:
        shorten()
        client.call(0, b"")


def crowd(shorten: Shorten) -> None:
    with silent_server() as server:
        shorten()
        try:
            server.crowd(2, Script().expect(b"x"), timeout=HOUR)
        except windsock.CrowdFailed as failures:
            raise failures.exceptions[0] from None


CLIENTS: dict[str, Any] = {"asyncio": windsock.AsyncioClient, "trio": windsock.TrioClient}
EVENT = threading.Event()
STEPS: dict[str, Callable[[Any], Any]] = {
    "expect": lambda client: client.expect(b"x"),
    "expect ": lambda client: client.expect(b"x", timeout=HOUR),
    "expect_urgent": lambda client: client.expect_urgent(b"x"),
    "expect_eof": lambda client: client.expect_eof(),
    "expect_reset": lambda client: client.expect_reset(),
    "expect_end": lambda client: client.expect_end(),
    "one_of": lambda client: client.one_of(Script().expect(b"x"), Script().expect_eof()),
    "wait_for": lambda client: client.wait_for(EVENT),
    "start_tls": lambda client: client.start_tls(),
    "send": lambda client: client.send(bytes(1 << 24)),
    "play": lambda client: client.play(Script().expect(b"x")),
}
WAITS: dict[str, Callable[[Shorten], None]] = {
    **{f"ScriptedClient.{name}": of_client(step) for name, step in STEPS.items()},
    **{f"TrioClient.{name}": of_trio_client(step) for name, step in STEPS.items()},
    **{f"AsyncioClient.{name}": of_asyncio_client(step) for name, step in STEPS.items()},
    "Background.join_async": of_client(
        lambda client: run_in("asyncio", partial(client.play_in_background(Script().expect(b"x")).join_async, HOUR))
    ),
    "Background.join": of_client(lambda client: client.play_in_background(Script().expect(b"x")).join(timeout=HOUR)),
    "Connections.wait_async": in_a_task(lambda server: server.connections.wait_async()),
    "Requests.none_async": in_a_task(lambda server: server.requests.none_async(settle=HOUR)),
    "Requests.only_async": in_a_task(lambda server: server.requests.only_async()),
    "Requests.wait_async": in_a_task(lambda server: server.requests.wait_async(timeout=HOUR)),
    "Connection.send": send_in_hand,
    "Connections.wait": of_recording(lambda server: server.connections.wait()),
    "Requests.none": of_recording(lambda server: server.requests.none(settle=HOUR)),
    "Requests.only": of_recording(lambda server: server.requests.only()),
    "Requests.wait": of_recording(lambda server: server.requests.wait(timeout=HOUR)),
    "RunningServer.accept": of_fake(lambda server: server.accept().__enter__()),
    "RunningServer.accept_asyncio": of_fake(lambda server: run_in("asyncio", server.accept_asyncio().__aenter__)),
    "RunningServer.accept_trio": of_fake(lambda server: run_in("trio", server.accept_trio().__aenter__)),
    "RunningServer.connect": connect,
    "TrioClient.connect": partial(connect_in_a_task, "trio"),
    "AsyncioClient.connect": partial(connect_in_a_task, "asyncio"),
    "RPCClient.call": rpc_call,
    "scripted_client": handshake,
    "TrioClient.__aenter__": partial(handshake_in_a_task, "trio"),
    "AsyncioClient.__aenter__": partial(handshake_in_a_task, "asyncio"),
    "RunningServer.crowd": crowd,
}


@pytest.mark.parametrize("wait", WAITS)
def test_a_wait_that_is_cut_short_says_how_long_it_was_to_be(wait: str, shorten: Shorten) -> None:
    with pytest.raises((WaitTimeout, windsock.ConnectFailed)) as caught:
        WAITS[wait](shorten)

    assert CUT in str(caught.value)


IN_WORDS = {
    "expect_silence": lambda client: client.expect_silence(HOUR),
    "pause": lambda client: client.pause(HOUR),
    "send": lambda client: client.send(b"xyz", pieces=3, every=HOUR),
}


@pytest.mark.parametrize(("of", "step"), list(product(["ScriptedClient", "TrioClient", "AsyncioClient"], IN_WORDS)))
def test_a_step_that_takes_its_time_says_that_the_time_of_the_test_is_over(
    of: str, step: str, shorten: Shorten
) -> None:
    of_client_of: dict[str, Callable[..., Callable[[Shorten], None]]] = {
        "ScriptedClient": of_client,
        "TrioClient": of_trio_client,
        "AsyncioClient": of_asyncio_client,
    }
    wait = of_client_of[of](IN_WORDS[step])

    with pytest.raises(windsock.ScriptTimeout, match=r"3600.*of the test") as caught:
        wait(shorten)

    assert caught.value.is_cut


ENDS: dict[str, Callable[[windsock.RunningServer], object]] = {
    "stop": lambda server: server.stop(),
    "finish": lambda server: server.finish(),
    "outage": lambda server: server.outage().__enter__(),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("concurrency", CONCURRENCIES)
def test_a_stop_ends_with_the_time_of_the_test(concurrency: str, end: str, shorten: Shorten) -> None:
    released = threading.Event()

    def stuck(request: socket.socket, *_: object) -> None:
        request.sendall(b"!")
        released.wait(DEADLINE * 3)

    server = windsock.serving(stuck, concurrency=concurrency, timeout=HOUR, strict=False)
    with windsock.scripted_client(server.address) as client:
        client.expect(b"!")
        shorten()

        with pytest.raises(StillRunning) as caught:
            ENDS[end](server)

        assert f"did not end within {CUT}, still running: " in str(caught.value)
    released.set()
    deadlines.limit_until(math.inf)
    server.stop()
    server.server.wait_for_requests(DEADLINE)
    wait_until(lambda: not any(server.shown_address in each.name for each in threading.enumerate()), "its threads")


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("concurrency", CONCURRENCIES)
def test_a_stop_in_order_needs_no_time_of_the_test(concurrency: str, shorten: Shorten) -> None:
    server = windsock.serving(lambda request, *_: request.recv(1), concurrency=concurrency, timeout=HOUR)
    client = server.connect()
    shorten()

    server.stop()

    assert client.end.is_closed


QUIET: dict[str, Callable[[windsock.FaultProxy], object]] = {
    "drain": lambda proxy: proxy.drain(),
    "settle": lambda proxy: proxy.settle(HOUR),
    "settle_async": lambda proxy: run_in("asyncio", lambda: proxy.settle_async(HOUR)),
    "disconnect": lambda proxy: proxy.disconnect(),
    "finish": lambda proxy: proxy.finish(),
    "stop": lambda proxy: proxy.stop(),
}


@pytest.mark.parametrize("call", QUIET)
def test_a_proxy_waits_no_longer_than_the_test(call: str, shorten: Shorten) -> None:
    with silent_server() as server, windsock.proxy(server.address, timeout=HOUR, strict=False) as proxy:
        proxy.fault(windsock.faults.Delay(DEADLINE * 3))
        with windsock.scripted_client(proxy.address) as client:
            client.send(b"x")
            shorten()

            QUIET[call](proxy)


def test_a_script_in_the_background_is_not_blamed_for_the_end_of_the_test(shorten: Shorten) -> None:
    server = windsock.serving(timeout=HOUR)
    client = server.connect()
    client.play_in_background(Script().expect(b"never"))
    shorten()

    server.finish()


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("concurrency", CONCURRENCIES)
def test_a_script_of_a_fake_is_not_blamed_for_the_end_of_the_test(concurrency: str, shorten: Shorten) -> None:
    server = windsock.serving(
        timeout=HOUR,
        concurrency=concurrency,
    )
    server.play(Script().expect(b"hello").send(b"!").expect(b"never"))
    shorten()
    with windsock.scripted_client(server.address) as client:
        client.end.sock.send(b"hello")

        with pytest.raises(ExceptionGroup) as caught:
            server.finish()

    (unmet,) = caught.value.exceptions
    assert isinstance(unmet, windsock.Unmet)
    assert " within " not in str(unmet)


PAUSES: dict[str, Callable[[windsock.RunningServer], object]] = {
    "greet(delay=)": lambda server: server.greet(b"hello", delay=HOUR),
    "reply(delay=)": lambda server: server.on(b"ask").reply(b"answer", delay=HOUR),
    "play(pause)": lambda server: server.play(Script().pause(HOUR)),
    "play(expect_silence)": lambda server: server.play(Script().expect_silence(HOUR)),
}


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("pause", PAUSES)
@pytest.mark.parametrize("concurrency", CONCURRENCIES)
def test_a_pause_of_a_fake_lasts_until_its_server_stops(concurrency: str, pause: str, shorten: Shorten) -> None:
    server = windsock.serving(concurrency=concurrency, timeout=HOUR, strict=False)
    PAUSES[pause](server)
    shorten()
    with socket.create_connection(server.address) as client:
        client.settimeout(LEFT["little time"] * 3)
        if "reply" in pause:
            client.sendall(b"ask")

        with pytest.raises(TimeoutError):
            client.recv(1)

        server.stop()
        client.settimeout(DEADLINE)
        assert client.recv(1) == b""
    words = "stopped" if "play" in pause else "the server was stopped before all of the reply was sent"
    assert words in str(server.transcript())


BASES = (windsock.RunningServer, windsock.FaultProxy)


def public_waits() -> Iterator[str]:
    """Give the public functions that take a time."""
    for name in set(windsock.__all__) - {"Script", "serving"}:  # a script is a value, and a server takes an option
        thing = getattr(windsock, name)
        if name.endswith("Peer"):  # a client, but for the address that it connects to
            continue
        if inspect.isclass(thing):
            inherited = {each for base in BASES if base is not thing and issubclass(thing, base) for each in dir(base)}
            found = [each for each, method in inspect.getmembers(thing, inspect.isfunction) if takes(method)]
            yield from (f"{name}.{each}" for each in found if not each.startswith("_") and each not in inherited)
        elif inspect.isfunction(thing) and takes(thing):
            yield name


def takes(function: Callable[..., object]) -> bool:
    return not {"timeout", "seconds", "settle", "for_"}.isdisjoint(inspect.signature(function).parameters)


def test_every_public_wait_is_among_these() -> None:
    clients = ["ScriptedClient", "TrioClient", "AsyncioClient"]
    steps = {f"{of}.{step}" for of, step in product(clients, [*IN_WORDS, "stop_tls", "reset", "forward"])}

    not_waits = {"RunningServer.idle", "RunningServer.outage_for", "RunningPair.outage_for", "World.advance"}

    assert set(public_waits()) - not_waits - steps - {f"FaultProxy.{each}" for each in QUIET} <= set(WAITS)
