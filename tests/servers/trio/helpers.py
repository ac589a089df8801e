"""What the tests of trio servers share: handlers, and trio with a deadline."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
import trio

from tests.support.waiting import DEADLINE
from windsock import servers

STREAM_SERVERS: list[Any] = [servers.TrioTCPServer, servers.TrioUnixStreamServer]
DATAGRAM_SERVERS: list[Any] = [servers.TrioUDPServer, servers.TrioUnixDatagramServer]


class EchoPacket(servers.BaseRequestHandler):
    """Sends one datagram back."""

    async def handle(self) -> None:
        await self.reply(self.packet)


class Quiet(servers.TrioTCPServer):
    """Keeps what its hooks are told."""

    def __init__(self, handler: Any) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.told: list[str] = []
        self.failures: list[BaseException | None] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        import sys

        self.told.append("error")
        self.failures.append(sys.exception())

    def handle_disconnect(self, request: Any, client_address: Any) -> None:
        self.told.append("disconnect")


@contextlib.contextmanager
def raises_a_lookup_error(match: str) -> Iterator[None]:
    """Expect one LookupError, in groups within groups as nurseries make them."""
    with pytest.raises(ExceptionGroup) as caught:
        yield
    error: BaseException = caught.value
    while isinstance(error, BaseExceptionGroup):
        (error,) = error.exceptions
    assert isinstance(error, LookupError)
    assert match in str(error)


def run(function: Callable[[], Awaitable[None]], **options: Any) -> None:
    """Run an async test, which must be over before the deadline."""

    async def bounded() -> None:
        with trio.fail_after(DEADLINE):
            await function()

    trio.run(bounded, **options)


async def open_stream(server: Any) -> trio.SocketStream:
    """Return a client of a stream server."""
    client = trio.socket.socket(server.address_family, socket.SOCK_STREAM)
    await client.connect(server.server_address)
    return trio.SocketStream(client)


async def rest_of(stream: trio.SocketStream) -> bytes:
    """Return all that comes until the end of the stream."""
    return b"".join([piece async for piece in stream])
