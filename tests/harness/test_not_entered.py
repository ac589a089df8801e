"""Calls that act in the block of a `with`, without the `with`."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

import windsock

CALLS: dict[str, Callable[[Any], object]] = {
    "outage()": lambda server: server.outage(),
    "outage_for(300)": lambda server: server.outage_for(300),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("serving", [windsock.serving, windsock.serving_pair])
def test_a_call_without_with_says_that_it_did_nothing(serving: Callable[[], Any], call: str) -> None:
    with serving() as server:
        with pytest.warns(RuntimeWarning) as warned:
            CALLS[call](server)

        (one,) = warned
        assert str(one.message) == f"{call} did nothing: expected it in a `with`, whose block it is in force for"
        assert one.filename == __file__
        with socket.create_connection(getattr(server, "tcp", server).address):
            pass  # it is up


def test_each_call_of_a_function_that_it_decorates_is_a_block() -> None:
    with windsock.serving() as server:

        @server.outage()
        def connect() -> None:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(server.address)

        connect()
        connect()
        with socket.create_connection(server.address):
            pass  # it is up


def test_so_does_a_world() -> None:
    with windsock.simulated(seed=1) as world, pytest.warns(RuntimeWarning, match=r"outside\(\) did nothing"):
        world.outside()
