"""freezegun and time-machine in a simulated world, and around one: dates are theirs, waits are the world's."""

from __future__ import annotations

import datetime
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import windsock
from tests.neighbours.test_clocks import TOOLS

each_tool = pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)


def converse(world: windsock.World) -> None:
    """Wait in all ways: 5 seconds for a reply, 10 seconds of sleep, 7 seconds for an event that does not come."""
    with windsock.serving() as server:
        server.on(b"ping\n").reply(b"pong\n", delay=5)
        with socket.create_connection(server.address, timeout=50) as client:
            client.sendall(b"ping\n")
            assert client.recv(100) == b"pong\n"
    time.sleep(10)
    assert not threading.Event().wait(7)
    assert world.now == 22


@each_tool
def test_a_tool_in_a_world(tool: Callable[[], Any]) -> None:
    with windsock.simulated(seed=1) as world:
        with tool():
            assert datetime.date.today().year == 2019
            converse(world)
            assert datetime.date.today().year == 2019
        assert datetime.date.today().year == 2026

    assert_clocks_are_real()


@each_tool
def test_a_world_in_a_tool(tool: Callable[[], Any]) -> None:
    with tool():
        with windsock.simulated(seed=1) as world:
            converse(world)
        assert datetime.date.today().year == 2019

    assert_clocks_are_real()


def assert_clocks_are_real() -> None:
    assert datetime.date.today().year != 2019
    before = time.monotonic()
    time.sleep(0.001)
    assert 0.001 <= time.monotonic() - before < 60
