"""Faults of a whole world: `simulated(faults=...)`, and the search for the smallest weather in worlds."""

from __future__ import annotations

import socket
import time
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import pytest

import windsock
from windsock.faults import AcceptError, Delay, Drop, Reset, first, profiles
from windsock.simulation import World
from windsock.strategies import weather as weathers

hypothesis = pytest.importorskip("hypothesis")


def ask(address: Any, attempts: int) -> bytes:
    """Ask for a value, with a minute between two attempts; return what came of it, empty if nothing did."""
    for _ in range(attempts):
        try:
            with socket.create_connection(address, timeout=30) as client:
                client.sendall(b"GET k\n")
                if answer := client.makefile("rb").readline():
                    return answer
        except OSError:
            time.sleep(60)
    return b""


def answer_in(world: World, attempts: int) -> bytes:
    """Return the answer of a server of the world."""
    with windsock.serving(strict=False) as server:
        server.on(b"GET k\n").reply(b"v\n")
        return ask(server.address, attempts)


def test_faults_act_on_all_that_passes() -> None:
    with windsock.simulated(faults=[(Reset(), {"connections": first(2)}), Delay(10)]) as world:
        assert answer_in(world, 3) == b"v\n"
        assert world.now >= 120 + 20
        assert {type(each.fault).__name__ for each in world.fault_handles if each.fired} == {"Reset", "Delay"}


def test_faults_need_not_fire_and_datagrams_have_theirs() -> None:
    with (
        windsock.simulated(faults=[Drop(1), (Reset(), {"connections": 5})]),
        windsock.serving(transport="udp") as server,
    ):
        server.echo()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(100)
            client.sendto(b"lost", server.address)
            with pytest.raises(TimeoutError):
                client.recv(100)
        server.excuse(())


def test_each_link_has_its_faults() -> None:
    with windsock.simulated(faults=[(Reset(), {"connections": 0})]) as world:
        with world.host("db.internal"):
            server = windsock.serving(host=world.host("db.internal").addresses[0], allow_external=True, strict=False)
        server.on(b"GET k\n").reply(b"v\n")
        for name in ("app.internal", "web.internal"):
            with world.host(name):
                assert ask(server.address, 1) == b""
                assert ask(server.address, 1) == b"v\n"
        server.stop()


def test_a_profile_is_weather_too() -> None:
    with windsock.simulated(seed=1, faults=[profiles.flaky]) as world:
        assert answer_in(world, 50) == b"v\n"


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        ([AcceptError("EMFILE")], "a link has traffic"),
        (Reset(), "put it into a list"),
        ([(Reset(), {"connection": 1})], "connection"),
    ],
)
def test_what_cannot_act_on_a_link_is_refused(faults: Any, said: str) -> None:
    with pytest.raises(windsock.UsageError, match=said), windsock.simulated(faults=faults):
        pass
    with windsock.simulated() as world:  # nothing is left of it
        assert world.fault_handles == ()


def in_world(weather: Any) -> AbstractContextManager[World]:
    """Return a world under a weather."""
    return windsock.simulated(seed=3, faults=weather)


def test_a_search_in_worlds_finds_the_smallest_weather() -> None:
    def loses_an_answer(world: World) -> None:
        assert answer_in(world, 1) == b"v\n"

    with pytest.raises(windsock.ExplorationFailed) as failure:
        windsock.explore(loses_an_answer, on=in_world, examples=60)
    assert "weather = [(" in str(failure.value)
    assert str(failure.value).count('"connections": 0') == 2  # by itself, and in the regression test


def test_a_client_that_tries_often_enough_is_right() -> None:
    strategy = weathers(connections=3, most=2).filter(lambda weather: all(type(each[0]) is Reset for each in weather))

    assert windsock.explore(partial(answers, 8), on=in_world, weather=strategy, examples=20).examples > 1


def answers(attempts: int, world: World) -> None:
    """Fail without an answer."""
    assert answer_in(world, attempts) == b"v\n"
