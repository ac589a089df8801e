"""What clients sent before they left counts: it is recorded, and an error on it fails the test."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

import windsock
from tests.support.servers import DATAGRAMS, STREAMS
from windsock import RunningServer
from windsock.faults import Delay
from windsock.harness import CONCURRENCIES
from windsock.servers import BaseRequestHandler

ROUNDS = int(os.environ.get("WINDSOCK_DRAIN_ROUNDS", "3"))
"""Servers of each kind that a client leaves."""
MESSAGE = b"log\n"
WAYS = ("direct", "relayed", "delayed", "proxied")


class Takes(BaseRequestHandler):
    """Takes one message."""

    def handle(self) -> None:
        self.take()

    def take(self) -> bytes:
        data: bytes = self.request[0] if isinstance(self.request, tuple) else self.request.recv(100)
        return data


class Fails(Takes):
    """Takes one message, and fails because of it."""

    def handle(self) -> None:
        raise ValueError(f"bad message: {self.take()!r}")


class TakesAsync(BaseRequestHandler):
    """The same in a task."""

    packet: bytes
    stream: Any

    async def handle(self) -> None:
        await self.take()

    async def take(self) -> bytes:
        return bytes(self.packet if isinstance(self.request, tuple) else await self.stream.receive_some(100))


class FailsAsync(TakesAsync):
    """The same in a task."""

    async def handle(self) -> None:
        raise ValueError(f"bad message: {await self.take()!r}")


KINDS = [
    *product(STREAMS, [*CONCURRENCIES, "async"], WAYS, [False, True]),
    *product(DATAGRAMS, [*CONCURRENCIES, "async"], WAYS, [False]),
]


def name_of(kind: tuple[str, str, str, bool]) -> str:
    *words, tls = kind
    return "-".join([*words, *(["tls"] if tls else [])])


@pytest.fixture(params=KINDS, ids=name_of)
def kind(request: pytest.FixtureRequest) -> tuple[str, str, str, bool]:
    """Transport, concurrency, the way between client and server, and whether there is TLS."""
    found: tuple[str, str, str, bool] = request.param
    return found


@contextlib.contextmanager
def serving(kind: tuple[str, str, str, bool], handler: Any, handler_async: Any) -> Iterator[tuple[RunningServer, Any]]:
    """Give a server and the address that clients go to."""
    transport, concurrency, way, tls = kind
    if concurrency == "async":
        handler, concurrency = handler_async, "trio"
    options: dict[str, Any] = {"relay": True} if way == "relayed" else {}
    with windsock.serving(handler, transport=transport, concurrency=concurrency, tls=tls, **options) as server:
        if way == "delayed":
            server.fault(Delay(0.02), direction="upstream")
        if way == "proxied":
            with windsock.proxy(server.address, transport=transport) as proxy:
                yield server, proxy.address
        else:
            yield server, server.address


def send_and_leave(server: RunningServer, address: Any) -> None:
    """Be a client that sends one message and leaves, without a look at what the server says."""
    with socket.socket(server.server.address_family, server.server.socket_type) as client:
        client.connect(address)
        if server.options.encryption is None:
            client.sendall(MESSAGE)
            return
        context: ssl.SSLContext = server.client_context()
        with context.wrap_socket(client, server_hostname="localhost") as secured:
            secured.sendall(MESSAGE)


def test_a_message_of_a_client_that_has_left_is_recorded(kind: tuple[str, str, str, bool]) -> None:
    for _ in range(ROUNDS):
        with serving(kind, Takes, TakesAsync) as (server, address):
            send_and_leave(server, address)

        assert [each.data for each in server.requests] == [MESSAGE]


def test_an_error_on_a_message_of_a_client_that_has_left_fails_the_test(kind: tuple[str, str, str, bool]) -> None:
    for _ in range(ROUNDS):
        with pytest.raises(ExceptionGroup) as found, serving(kind, Fails, FailsAsync) as (server, address):
            send_and_leave(server, address)

        assert [str(each) for each in found.value.exceptions] == [f"bad message: {MESSAGE!r}"]


def test_a_rule_counts_what_a_client_that_has_left_sent(kind: tuple[str, str, str, bool]) -> None:
    for _ in range(ROUNDS):
        with serving(kind, None, None) as (server, address):
            server.on(MESSAGE).reply(b"")
            send_and_leave(server, address)
