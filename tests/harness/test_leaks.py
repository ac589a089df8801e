"""A thousand servers in a row leave nothing: no thread, descriptor, child or socket file."""

from __future__ import annotations

from contextlib import suppress
from itertools import cycle, islice, product

import pytest

import windsock
from tests.support.leaks import nothing_left
from tests.support.servers import ask, connect, wait_for_error
from windsock.harness import CONCURRENCIES, TRANSPORTS

KINDS = list(product(TRANSPORTS, CONCURRENCIES))


@pytest.mark.timeout(240)
def test_a_thousand_servers_of_every_kind_leave_nothing() -> None:
    for transport, concurrency in KINDS:  # what is made once, is made here
        serve_once(transport, concurrency)
    with nothing_left():
        for transport, concurrency in islice(cycle(KINDS), 1000):
            serve_once(transport, concurrency)


def serve_once(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency).echo() as server:
        assert ask(server, b"hello") == [b"hello"]


def test_a_hundred_servers_whose_handlers_fail_leave_nothing() -> None:
    with nothing_left():
        for transport, concurrency in islice(cycle(KINDS), 96):
            fail_once(transport, concurrency)


def fail_once(transport: str, concurrency: str) -> None:
    def handler(request: object, client_address: object, server: object) -> None:
        raise LookupError("always")

    server = windsock.serving(handler, transport=transport, concurrency=concurrency, strict=False)
    with server, connect(server) as client:
        with suppress(BrokenPipeError):  # it has failed already
            client.send(b"hello")
        wait_for_error(server)
    assert [type(error) for error in server.errors] == [LookupError]


def test_a_server_that_could_not_start_is_no_burden_to_later_forks() -> None:
    with nothing_left(), windsock.serving() as server:
        for _ in range(3):
            with pytest.raises(windsock.StartError):
                windsock.serving(port=server.port)
        serve_once("tcp", "forking")
