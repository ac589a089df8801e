"""Bad weather on a client's own line: it and nobody else is late, cut or lost."""

from __future__ import annotations

import time
from typing import Any

import pytest

import windsock
from tests.support.servers import on_every_transport
from windsock.faults import Delay, Dribble, Drop, Reset, profiles

WAIT = 0.1


def framed(transport: str) -> Any:
    return "lines" if "stream" in transport or transport == "tcp" else None


@on_every_transport
def test_one_client_is_late_and_the_other_is_not(transport: str) -> None:
    with windsock.serving(transport=transport, framing=framed(transport)) as server:
        server.echo()
        with server.connect(faults=[(Delay(WAIT), {"direction": "upstream"})]) as late, server.connect() as quick:
            start = time.monotonic()
            quick.send(b"x\n").expect(b"x\n")
            soon = time.monotonic() - start
            late.send(b"x\n").expect(b"x\n")
            both = time.monotonic() - start

            assert soon < both - WAIT
            assert [each.fired for each in late.faults] == [1]
            assert quick.faults == ()


@on_every_transport
def test_a_client_of_any_address_has_weather_too(transport: str) -> None:
    with windsock.serving(transport=transport, framing=framed(transport)).echo() as server:
        where: dict[str, Any] = {"transport": "udp"} if transport == "udp" else {}
        with windsock.scripted_client(server.address, faults=[Delay(WAIT)], **where) as client:
            start = time.monotonic()
            client.send(b"x\n").expect(b"x\n")

            assert time.monotonic() - start >= 2 * WAIT


@pytest.mark.parametrize("wait", [WAIT, *[WAIT / 10] * 20])
def test_what_was_sent_before_a_close_arrives(wait: float) -> None:
    with windsock.serving() as server:
        with server.connect(faults=[(Delay(wait), {"allow_unfired": True})]) as client:
            client.send(b"last words")

        assert server.requests.only().data == b"last words"
        assert server.connections[0].ending == "client EOF"


def test_tls_is_between_the_client_and_the_server() -> None:
    with windsock.serving(tls=True, framing="lines").echo() as server:
        with server.connect(faults=[(Dribble(3, over=0.02), {"direction": "upstream"})]) as client:
            client.send(b"x\n").expect(b"x\n")

        assert server.connections[0].tls is not None


def test_a_line_is_reset_on_both_sides() -> None:
    with windsock.serving() as server:
        with server.connect(faults=[(Reset(after_bytes=3), {"direction": "upstream"})]) as client:
            client.send(b"hello").expect_reset()

        (connection,) = server.connections.wait(1)
        assert connection.ending == "client reset"


def test_profiles_and_functions_are_faults_here_too() -> None:
    with (
        windsock.serving(framing="lines").echo() as server,
        server.connect(
            faults=[profiles.slow_client, (lambda item, link: item.data, {"allow_unfired": True})]
        ) as client,
    ):
        client.send(b"x\n").expect(b"x\n")


def test_the_test_ends_those_that_nobody_has_closed() -> None:
    with windsock.serving(framing="lines").echo() as server:
        client = server.connect(faults=[Delay(0.001)])
        client.send(b"x\n").expect(b"x\n")

    assert client.end.is_closed


def test_one_that_never_fires_fails_the_test() -> None:
    server = windsock.serving().echo()
    with server.connect(faults=[Reset(after_bytes=100)]) as client:
        client.send(b"x").expect(b"x")

    with pytest.raises(ExceptionGroup) as caught:
        server.finish()
    (error,) = caught.value.exceptions
    assert str(error).startswith("Reset(100) never fired; the client's line had 1 connection, 1 B up, 1 B")


@pytest.mark.parametrize("options", [{"strict": False}, {}], ids=["lenient", "may not fire"])
def test_one_that_need_not_fire_does_not(options: dict[str, Any]) -> None:
    with windsock.serving(**options).echo() as server:
        fault = (Reset(after_bytes=100), {"allow_unfired": not options})
        with server.connect(faults=[fault]) as client:
            client.send(b"x").expect(b"x")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"faults": Delay(1)}, "put it into a list"),
        ({"faults": [Drop(1)]}, "acts on datagram, this is a stream"),
        ({"faults": [Delay(1)], "source": "127.0.0.1"}, "pass one of the two"),
    ],
)
def test_what_cannot_work_says_so(options: dict[str, Any], message: str) -> None:
    with windsock.serving() as server, pytest.raises(windsock.UsageError, match=message):
        server.connect(**options)
