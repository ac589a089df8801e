"""What the tests of encryption share: TLS clients with deadlines, and handlers."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest

from tests.support.handlers import EchoBytes, echo_stream
from tests.support.servers import connect, wait_for_end
from tests.support.waiting import DEADLINE
from windsock import RunningServer, proxy, serving
from windsock.harness import CONCURRENCIES
from windsock.servers import BaseRequestHandler

ECHOES = [*product([EchoBytes], CONCURRENCIES), (echo_stream, "trio")]
on_every_echo = pytest.mark.parametrize(("handler", "concurrency"), ECHOES)
"""A blocking echo under every concurrency, and an async one."""


@contextlib.contextmanager
def secured(
    server: RunningServer, context: ssl.SSLContext | None = None, name: str = "localhost"
) -> Iterator[ssl.SSLSocket]:
    """Give a client whose handshake with the server is done."""
    with connect(server) as raw:
        context = context or server.client_context()
        with context.wrap_socket(raw, server_hostname=name) as client:
            yield client


def fails_with(server: RunningServer, context: ssl.SSLContext | None = None, name: str = "localhost") -> str:
    """Return what a client that should not get through says."""
    try:
        with secured(server, context, name) as client:
            client.recv(1)  # in TLS 1.3 a server's refusal comes behind the handshake
    except OSError as error:
        return str(getattr(error, "verify_message", "")) or str(error)
    return "nothing"


def answers(server: Any, name: str, context: ssl.SSLContext | None = None) -> bool:
    """Return whether a client that expects this name gets an answer; raises its error if it refuses."""
    with secured(server, context, name) as client:
        client.sendall(b"hello")
        return client.recv(5) == b"hello"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a program, if it is there."""
    try:
        return subprocess.run(command, input="", capture_output=True, text=True, timeout=DEADLINE * 3, check=False)
    except FileNotFoundError:
        pytest.skip(f"there is no {command[0]}")


def handshake_of(server: RunningServer, index: int = 0) -> Any:
    """Return what a connection's handshake came to, as soon as its end is known."""
    wait_for_end(server, index)
    return server.connections[index].tls


WAYS = ["direct", "relayed", "proxied"]

on_every_handler = pytest.mark.parametrize("concurrency", [*CONCURRENCIES, "async"])
"""Every concurrency with a blocking handler, and async ones."""
on_every_way = pytest.mark.parametrize("way", WAYS)


@contextlib.contextmanager
def served(way: str, concurrency: str, blocking: Any, in_task: Any, **options: Any) -> Iterator[tuple[Any, Any]]:
    """Give a server with one of two handlers, and a client that is connected to it, directly or not."""
    is_async = concurrency == "async"
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(
            serving(
                in_task if is_async else blocking,
                concurrency="trio" if is_async else concurrency,
                relay=way == "relayed",
                **options,
            )
        )
        address = server.address
        if way == "proxied":
            address = stack.enter_context(proxy(address)).address
        client = stack.enter_context(socket.create_connection(address, DEADLINE))
        yield server, client


def leave(sock: socket.socket) -> None:
    """Close, so that the other end sees it even if a forked child of this process has a copy of the socket."""
    sock.shutdown(socket.SHUT_RDWR)
    sock.close()


class ByHand:
    """A TLS client whose bytes the test sends itself, so that it decides what is in one segment."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        self.sock = sock
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")

    @classmethod
    def shaken(cls, sock: socket.socket, context: ssl.SSLContext) -> ByHand:
        """Return a client whose handshake is done."""
        client = cls(sock, context)
        client.finish_handshake()
        return client

    def hello(self) -> bytes:
        """Return the first bytes of the handshake."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.do_handshake()
        return self._outgoing.read()

    def encrypted(self, data: bytes) -> bytes:
        self._tls.write(data)
        return self._outgoing.read()

    def goodbye(self) -> bytes:
        """Return close_notify."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self._tls.unwrap()
        return self._outgoing.read()

    def finish_handshake(self) -> None:
        self._until_done(self._tls.do_handshake)

    def receive(self) -> bytes:
        found: bytes = self._until_done(lambda: self._tls.read(65536))
        return found

    def finish_goodbye(self) -> None:
        self._until_done(self._tls.unwrap)

    def is_given(self, data: bytes) -> None:
        """Receive this, and send what comes of it, such as an alert."""
        self._incoming.write(data)
        self.receive()

    def take_over(self, other: ByHand) -> None:
        """Take what another one has received and not used."""
        self._incoming.write(other._incoming.read())

    def receive_in_the_clear(self, size: int) -> bytes:
        data = self._incoming.read()
        while len(data) < size and (more := self.sock.recv(size - len(data))):
            data += more
        return data

    def _until_done(self, step: Any) -> Any:
        while True:
            try:
                return step()
            except ssl.SSLWantReadError:
                pass
            finally:
                if said := self._outgoing.read():
                    self.sock.sendall(said)
            data = self.sock.recv(65536)
            self._incoming.write(data) if data else self._incoming.write_eof()


class Lines(BaseRequestHandler):
    """The part of an async handler that reads lines, as far as they have come."""

    unread = b""

    async def line(self) -> bytes:
        while b"\n" not in self.unread:
            more = await self.stream.receive_some()
            if not more:
                return b""
            self.unread += more
        line, _, self.unread = self.unread.partition(b"\n")
        return line + b"\n"

    def take_unread(self) -> bytes:
        unread, self.unread = self.unread, b""
        return unread
