"""Telnet's interrupt and FTP's ABOR, sent as urgent data by clients of others, whatever is in between."""

from __future__ import annotations

import contextlib
import ftplib
import socket
from collections.abc import Iterator
from typing import Any

import pytest

import windsock
from tests.servers.helpers import only_linux
from tests.support.servers import on_every_stream
from tests.support.waiting import DEADLINE
from windsock.servers import BaseRequestHandler, StreamRequestHandler, UrgentMixIn

pytestmark = only_linux

on_every_route = pytest.mark.parametrize("route", ["direct", "relayed", "proxied"])
CONCURRENCIES = ["sync", "threading", "forking", "selecting", "trio"]
IAC, IP, DM = b"\xff", b"\xf4", b"\xf2"


@contextlib.contextmanager
def address_of(handler: type[Any], transport: str, concurrency: str, route: str) -> Iterator[Any]:
    with contextlib.ExitStack() as stack:
        server: Any = stack.enter_context(
            windsock.serving(handler, transport=transport, concurrency=concurrency, relay=route == "relayed")
        )
        yield stack.enter_context(windsock.proxy(server.address)).address if route == "proxied" else server.address


# --- telnet


class Terminal:
    """The input of a terminal: the bytes that were read, and the place of the latest interrupt (RFC 854, Synch)."""

    def __init__(self) -> None:
        self.size = 0
        self.unread = b""
        self.interrupt: tuple[bytes, int] | None = None

    def take(self, data: bytes) -> list[bytes]:
        """Return whole lines. What came before an interrupt is discarded, and so is the rest of its sequence."""
        self.size += len(data)
        self.unread += data
        if self.interrupt is not None:
            byte, position = self.interrupt
            end = position + (byte == IAC)  # inetutils: IAC is urgent, and DM follows; RFC 854: DM is urgent
            if self.size < end:
                return []
            self.unread = self.unread[len(self.unread) - (self.size - end) :]
            self.interrupt = None
        *lines, self.unread = self.unread.split(b"\n")
        return lines


class Shell(UrgentMixIn, BaseRequestHandler):
    """Runs a command that prints without end, until it is interrupted."""

    def setup(self) -> None:
        self.terminal = Terminal()
        self.is_interrupted = False
        super().setup()

    def handle(self) -> None:
        while data := self.request.recv(1000):
            for line in self.terminal.take(data):
                if line == b"yes":
                    while not self.is_interrupted:
                        self.request.sendall(b"y\n" * 1000)
                self.request.sendall(b"done: " + line + b"\n")

    def handle_urgent(self, byte: bytes, position: int) -> None:
        assert byte in (IAC, DM)
        self.terminal.interrupt = byte, position
        self.is_interrupted = True


class AsyncShell(Shell):
    async def handle(self) -> None:  # type: ignore[override]  # the same as a task
        while data := await self.stream.receive_some():
            for line in self.terminal.take(data):
                if line == b"yes":
                    while not self.is_interrupted:
                        await self.stream.send_all(b"y\n" * 1000)
                await self.stream.send_all(b"done: " + line + b"\n")


def until(client: socket.socket, end: bytes) -> None:
    rest = b""
    while not rest.endswith(end):
        data = client.recv(65536)
        assert data
        rest = rest[-len(end) :] + data


def as_in_rfc_854(client: socket.socket) -> None:
    client.send(IAC + IP + IAC + DM, socket.MSG_OOB)


def as_inetutils_does(client: socket.socket) -> None:
    client.sendall(IAC + IP)
    client.send(IAC, socket.MSG_OOB)
    client.sendall(DM)


SHELLS = [*((each, Shell) for each in CONCURRENCIES), ("trio", AsyncShell)]


@on_every_route
@on_every_stream
@pytest.mark.parametrize("interrupt", [as_in_rfc_854, as_inetutils_does])
@pytest.mark.parametrize(("concurrency", "handler"), SHELLS)
def test_a_telnet_client_interrupts_a_command(
    handler: Any, concurrency: str, interrupt: Any, transport: str, route: str
) -> None:
    family = socket.AF_INET if transport == "tcp" else socket.AF_UNIX
    with address_of(handler, transport, concurrency, route) as address, socket.socket(family) as client:
        client.settimeout(DEADLINE)
        client.connect(address)
        client.sendall(b"date\n")
        until(client, b"done: date\n")
        client.sendall(b"yes\n")
        until(client, b"y\n")
        client.sendall(b"typed ahead\n")
        interrupt(client)
        until(client, b"done: yes\n")
        client.sendall(b"date\n")
        until(client, b"done: date\n")


# --- FTP


class FTP(UrgentMixIn, StreamRequestHandler):
    """Answers logins, sends a file without end, and aborts that (RFC 959, ABOR)."""

    def setup(self) -> None:
        self.data: socket.socket | None = None
        super().setup()

    def handle(self) -> None:
        self.say("220 ready")
        with socket.create_server(("127.0.0.1", 0)) as self.listener:
            while line := self.command():
                word = line.split()[0].upper()
                getattr(self, f"on_{word.lower()}", self.on_anything)()

    def command(self) -> str:
        """Return the next command. Out of line, the end of ABOR is the urgent byte, which is not in the stream."""
        line = b""
        while not line.endswith(b"\n") and line != b"ABOR\r":
            data = self.request.recv(1)
            if not data:
                return ""
            line += data
        return line.decode().strip()

    def say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")

    def on_anything(self) -> None:
        self.say("200 fine")

    def on_user(self) -> None:
        self.say("230 logged in")

    def on_epsv(self) -> None:
        self.say(f"229 passive (|||{self.listener.getsockname()[1]}|)")

    on_pasv = on_anything

    def on_retr(self) -> None:
        self.say("150 here it comes")
        self.data, _ = self.listener.accept()
        with self.data, contextlib.suppress(ConnectionError):
            while True:
                self.data.sendall(bytes(10_000))
        self.data = None
        self.say("426 aborted")

    def on_abor(self) -> None:
        self.say("226 nothing is being sent")

    def handle_urgent(self, byte: bytes, position: int) -> None:  # the interface of handlers
        assert byte == b"\n"
        if self.data is not None:
            self.data.shutdown(socket.SHUT_RDWR)


class InlineFTP(FTP):
    urgent_inline = True

    def command(self) -> str:
        return str(self.rfile.readline().decode().strip())


@contextlib.contextmanager
def ftp_client(handler: type[Any], concurrency: str, route: str) -> Iterator[ftplib.FTP]:
    with address_of(handler, "tcp", concurrency, route) as address, ftplib.FTP(timeout=DEADLINE) as client:
        client.connect(*address)
        client.af = socket.AF_INET6  # so that it uses EPSV, which names no address
        client.login()
        yield client


@on_every_route
@pytest.mark.parametrize("concurrency", CONCURRENCIES)
@pytest.mark.parametrize("handler", [FTP, InlineFTP])
def test_ftplib_aborts_while_nothing_is_sent(handler: Any, concurrency: str, route: str) -> None:
    with ftp_client(handler, concurrency, route) as client:
        assert client.abort() == "226 nothing is being sent"
        assert client.sendcmd("NOOP") == "200 fine"
        assert client.abort() == "226 nothing is being sent"


@on_every_route
@pytest.mark.parametrize("concurrency", [each for each in CONCURRENCIES if each != "selecting"])
def test_ftplib_aborts_a_transfer(concurrency: str, route: str) -> None:
    """Not for greenlets: a blocking socket of the handler's own would block them all."""
    with ftp_client(FTP, concurrency, route) as client:
        with client.transfercmd("RETR endless") as data:
            data.settimeout(DEADLINE)
            assert data.recv(1000)
            assert client.abort() == "426 aborted"
        assert client.voidresp() == "226 nothing is being sent"
        assert client.sendcmd("NOOP") == "200 fine"
