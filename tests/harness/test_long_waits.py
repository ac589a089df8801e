"""Timeouts and delays beyond what the kernel can be told to wait, and values that are no durations."""

from __future__ import annotations

import math
from typing import Any

import pytest

import windsock
from tests.support.servers import on_every_kind, on_every_stream_kind
from tests.support.waiting import DEADLINE
from windsock import Script
from windsock.faults import AcceptDelay, Delay, Rate
from windsock.net import deadlines

pytestmark = pytest.mark.usefixtures("without_an_end")

DAYS = 24 * 3600.0
NO_DURATIONS = [0, -1, math.nan, math.inf, 10**400, "5", True]
each_value = pytest.mark.parametrize("value", NO_DURATIONS, ids=lambda value: repr(value)[:10])


@pytest.fixture
def without_an_end() -> None:
    """Let waits take as long as they are told: the time that is left of the test would bound them."""
    deadlines.limit_until(math.inf)


@pytest.mark.parametrize("timeout", [30 * DAYS, 1e12, 1e300])
@on_every_kind
def test_a_server_may_have_as_long_as_it_likes(transport: str, concurrency: str, timeout: float) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, timeout=timeout).echo() as server:
        with server.connect() as client:
            client.send(b"1").expect(b"1")
            client.play_in_background(Script().send(b"2").expect(b"2")).join(timeout=timeout)
        server.connections.wait(1, timeout=timeout)
        server.requests.wait(1)
        with server.outage():
            pass
        server.crowd(2, Script().send(b"3").expect(b"3"))


@pytest.mark.parametrize("relay", [False, True], ids=["direct", "relayed"])
@on_every_stream_kind
def test_so_it_may_in_tls(transport: str, concurrency: str, relay: bool) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, tls=True, relay=relay, timeout=1e300) as server:
        server.echo()
        with server.connect() as client:
            client.send(b"1").expect(b"1")


@pytest.mark.parametrize("transport", ["tcp", "udp", "unix_stream", "unix_datagram"])
def test_a_proxy_may_too(transport: str) -> None:
    with windsock.serving(transport=transport).echo() as server:
        kind = "udp" if transport == "udp" else None
        with windsock.proxy(server.address, transport=kind, timeout=1e300) as proxy:
            with windsock.scripted_client(proxy.address, transport=transport, timeout=1e300) as client:
                client.send(b"1").expect(b"1")
            proxy.disconnect()
            proxy.reconnect()


@pytest.mark.parametrize("fault", [Delay(30 * DAYS), Delay(1e300), Rate(1e-9)], ids=["month", "ages", "trickle"])
@pytest.mark.parametrize("way", ["relayed", "proxied"])
def test_a_delay_of_a_month_delays_only_its_own_connection(way: str, fault: Any) -> None:
    with windsock.serving(relay=way == "relayed") as server, windsock.proxy(server.address) as proxy:
        server.echo()
        middle: Any = server if way == "relayed" else proxy
        address = middle.address
        with (
            windsock.scripted_client(address, timeout=DEADLINE) as late,
            windsock.scripted_client(address, timeout=DEADLINE) as other,
        ):
            late.send(b"1").expect(b"1")
            other.send(b"1").expect(b"1")
            middle.fault(fault, connections=0, allow_unfired=True)
            late.send(b"late" * 100)

            other.send(b"2").expect(b"2").send(b"3").expect(b"3")


@pytest.mark.parametrize("concurrency", ["sync", "threading", "forking", "selecting", "trio"])
def test_a_server_that_accepts_in_a_month_can_be_stopped(concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency, strict=False) as server:
        server.fault(AcceptDelay(30 * DAYS))
        with server.connect() as client:
            client.send(b"anybody?")


@each_value
def test_serving_refuses_a_timeout_that_is_none(value: object) -> None:
    with pytest.raises(windsock.UsageError, match=r"^timeout=.*: expected seconds, more than 0"):
        windsock.serving(timeout=value)  # type: ignore[arg-type]  # the mistake


@each_value
def test_a_proxy_refuses_it(value: object) -> None:
    with windsock.serving() as server, pytest.raises(windsock.UsageError, match=r"^timeout=.*: expected seconds"):
        windsock.proxy(server.address, timeout=value)


@each_value
def test_clients_refuse_it(value: object) -> None:
    with windsock.serving() as server:
        makers: list[Any] = [
            server.connect,
            server.connect_trio,
            lambda **options: server.crowd(1, Script(), **options),
            lambda **options: windsock.scripted_client(server.address, **options),
        ]
        for make in makers:
            with pytest.raises(windsock.UsageError, match=r"^timeout=.*: expected seconds"):
                make(timeout=value)


@pytest.mark.parametrize("value", [value for value in NO_DURATIONS if value != 0], ids=lambda value: repr(value)[:10])
def test_waits_refuse_it(value: Any) -> None:
    with windsock.serving() as server, server.connect() as client:
        background = client.play_in_background(Script().pause(0))
        for wait in (server.requests.wait, server.connections.wait, server.requests.only, background.join):
            with pytest.raises(windsock.UsageError, match=r"timeout=.*: expected seconds, 0 or more"):
                wait(timeout=value)
        with pytest.raises(windsock.UsageError, match=r"^settle=.*: expected seconds"):
            server.requests.none(settle=value)
        background.join()


@each_value
def test_steps_refuse_it(value: Any) -> None:
    makers: list[Any] = [
        lambda: Script().expect(b"x", timeout=value),
        lambda: Script().send(b"x", timeout=value),
        lambda: Script().expect_end(timeout=value),
        lambda: Script().expect_silence(value),
        lambda: Script().read_rate(value),
    ]
    for make in makers:
        with pytest.raises(windsock.UsageError, match="expected"):
            make()


@pytest.mark.parametrize("value", [value for value in NO_DURATIONS if value != 0], ids=lambda value: repr(value)[:10])
def test_faults_and_replies_refuse_it(value: Any) -> None:
    with windsock.serving() as server:
        for make in (
            lambda: Delay(value),
            lambda: AcceptDelay(value),
            lambda: Rate(value),
            lambda: Script().pause(value),
            lambda: server.reply(b"x", delay=value),
            lambda: server.greet(b"x", delay=value),
        ):
            with pytest.raises(windsock.UsageError, match="expected"):
                make()
