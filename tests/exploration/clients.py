"""Twelve small clients, each once as it should be and once with a defect that only bad weather shows."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

import windsock

TIMEOUT = 0.03
"""Seconds; shorter than the longest delays that are drawn with PATIENCE."""
PATIENCE = 0.3
VALUES = {b"a": b"11", b"b": b"22"}


class Unavailable(Exception):
    """What a client may raise in any weather."""


class Client:
    """Gets values by lines, over one connection that is made anew when it is lost. Right as it is."""

    timeout: float | None = TIMEOUT

    def __init__(self, address: Any) -> None:
        self.address = address
        self.socket: socket.socket | None = None
        self.received = b""

    def connect(self) -> socket.socket:
        if self.socket is None:
            self.received = b""
            self.socket = socket.create_connection(self.address, timeout=self.timeout)
        return self.socket

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
            self.socket = None

    def ask(self, line: bytes) -> bytes:
        """Return the line that answers a line."""
        try:
            self.connect().sendall(line + b"\n")
            return self.read_line()
        except OSError as error:
            self.close()
            raise Unavailable from error

    def read_line(self) -> bytes:
        while b"\n" not in self.received:
            self.received += self.read_some()
        line, _, self.received = self.received.partition(b"\n")
        return line

    def read_some(self) -> bytes:
        data = self.connect().recv(100)
        if not data:
            raise ConnectionError("the server has closed the connection")
        return data

    def get(self, key: bytes) -> bytes | None:
        """Return a value; None if there is none. Tries twice."""
        try:
            return self.value_in(self.ask(b"GET " + key))
        except Unavailable:
            return self.value_in(self.ask(b"GET " + key))

    def value_in(self, line: bytes) -> bytes | None:
        return line or None

    def add(self) -> int:
        """Count one; not tried again, since it may have been counted."""
        return int(self.ask(b"ADD"))

    def put(self, value: bytes) -> None:
        """Store a value; it is stored when this returns."""
        self.ask(b"PUT " + value)

    def keys(self) -> list[bytes]:
        """Return all keys, which come one a line, up to a line that says END."""
        found = [self.ask(b"KEYS")]
        while found[-1] != b"END":
            try:
                found.append(self.read_line())
            except OSError as error:
                self.close()
                raise Unavailable from error
        return found[:-1]


class LosesTheRetry(Client):
    def get(self, key: bytes) -> bytes | None:
        try:
            return self.value_in(self.ask(b"GET " + key))
        except Unavailable:
            return None  # as if there were no value


class TakesAnotherReply(Client):
    def ask(self, line: bytes) -> bytes:
        try:
            self.connect().sendall(line + b"\n")
            return self.read_line()
        except TimeoutError as error:
            raise Unavailable from error  # the reply may still come, over the same connection
        except OSError as error:
            self.close()
            raise Unavailable from error


class ReadsOnce(Client):
    def read_line(self) -> bytes:
        return self.read_some().rstrip(b"\n")


class SendsTwice(Client):
    def add(self) -> int:
        try:
            return int(self.ask(b"ADD"))
        except Unavailable:
            return int(self.ask(b"ADD"))


class HasNoTimeout(Client):
    timeout = None


class LeaksOnFailure(Client):
    """Has room for one connection, which a failure does not give back."""

    room = 1

    def connect(self) -> socket.socket:
        if self.socket is None:
            assert self.room, "no connection is left in the pool"
            self.room -= 1
        return super().connect()

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()
            self.socket = None


class GivesBack(LeaksOnFailure):
    def connect(self) -> socket.socket:
        try:
            return super().connect()
        except OSError:
            self.room = 1
            raise

    def close(self) -> None:
        super().close()
        self.room = 1


class TakesTheEndForAll(Client):
    def keys(self) -> list[bytes]:
        found = [self.ask(b"KEYS")]
        while found[-1] != b"END":
            try:
                found.append(self.read_line())
            except OSError:
                return found
        return found[:-1]


class FailsInItsParser(Client):
    def read_line(self) -> bytes:
        while b"\n" not in self.received:
            data = self.connect().recv(100)
            if not data:
                break
            self.received += data
        line, _, self.received = self.received.partition(b"\n")
        return line


class RemembersAFailure(Client):
    missing = False

    def get(self, key: bytes) -> bytes | None:
        if self.missing:
            return None
        try:
            return super().get(key)
        except Unavailable:
            self.missing = True
            raise


class StaysBroken(Client):
    def ask(self, line: bytes) -> bytes:
        try:
            self.connect().sendall(line + b"\n")
            return self.read_line()
        except OSError as error:
            raise Unavailable from error  # the socket stays as it is

    def get(self, key: bytes) -> bytes | None:
        return self.value_in(self.ask(b"GET " + key))


class KeepsOldBytes(Client):
    def connect(self) -> socket.socket:
        if self.socket is None:
            self.socket = socket.create_connection(self.address, timeout=self.timeout)
        return self.socket


class DoesNotWaitForTheReply(Client):
    def put(self, value: bytes) -> None:
        try:
            self.connect().sendall(b"PUT " + value + b"\n")
        except OSError as error:
            self.close()
            raise Unavailable from error


# Right ones that go another way than Client.


class ConnectsEachTime(Client):
    def ask(self, line: bytes) -> bytes:
        self.close()
        return super().ask(line)


class ReadsAFile(Client):
    def read_line(self) -> bytes:
        with self.connect().makefile("rb") as file:
            line = file.readline()
        if not line.endswith(b"\n"):
            raise ConnectionError("the server has closed the connection")
        return line.rstrip(b"\n")


class HasADeadline(Client):
    """Bounds the whole reply, not each read."""

    def read_line(self) -> bytes:
        until = monotonic() + TIMEOUT
        while b"\n" not in self.received:
            self.connect().settimeout(max(0.001, until - monotonic()))
            self.received += self.read_some()
        self.connect().settimeout(TIMEOUT)
        return super().read_line()


class CachesValues(Client):
    cache: dict[bytes, bytes | None]

    def get(self, key: bytes) -> bytes | None:
        self.cache = getattr(self, "cache", {})
        if key not in self.cache:
            self.cache[key] = super().get(key)
        return self.cache[key]


class BacksOff(Client):
    def get(self, key: bytes) -> bytes | None:
        for pause in (0.001, 0.002, 0.004):
            try:
                return self.value_in(self.ask(b"GET " + key))
            except Unavailable:
                sleep(pause)
        raise Unavailable


# What is asked of a client, in any weather.


def _serve(server: windsock.RunningServer) -> None:
    for key, value in VALUES.items():
        server.on(b"GET " + key).reply(value + b"\n")
    server.on(b"ADD").reply(b"1\n")
    server.on(b"PUT x").reply(b"OK\n")
    server.on(b"KEYS").reply(b"a\nb\nEND\n")


def gets_values(server: windsock.RunningServer, client: Client) -> None:
    for key, value in VALUES.items():
        try:
            assert client.get(key) == value
        except Unavailable:
            pass


def adds_once(server: windsock.RunningServer, client: Client) -> None:
    try:
        client.add()
    except Unavailable:
        pass
    client.close()
    server.drain()
    assert [each.data for each in server.requests].count(b"ADD\n") <= 1


def stores(server: windsock.RunningServer, client: Client) -> None:
    try:
        client.put(b"x")
    except Unavailable:
        return
    client.close()
    server.drain()
    assert b"PUT x\n" in [each.data for each in server.requests]


def lists_all(server: windsock.RunningServer, client: Client) -> None:
    try:
        assert client.keys() == [b"a", b"b"]
    except Unavailable:
        pass


def counts(server: windsock.RunningServer, client: Client) -> None:
    try:
        assert client.add() == 1
    except Unavailable:
        pass


def recovers(server: windsock.RunningServer, client: Client) -> None:
    try:
        client.get(b"a")
    except Unavailable:
        before = len(server.connections)
        try:
            client.get(b"b")
        except Unavailable:
            pass
        server.drain()
        assert len(server.connections) > before


Call = Callable[[], None]
Asks = Callable[[windsock.RunningServer, Client], None]


@dataclass(frozen=True, slots=True)
class Pair:
    """A client with a defect, one without, and what is asked of both."""

    wrong: type[Client]
    right: type[Client]
    asks: Asks


PAIRS = [
    Pair(LosesTheRetry, Client, gets_values),
    Pair(TakesAnotherReply, ConnectsEachTime, gets_values),
    Pair(ReadsOnce, ReadsAFile, gets_values),
    Pair(SendsTwice, Client, adds_once),
    Pair(HasNoTimeout, HasADeadline, gets_values),
    Pair(LeaksOnFailure, GivesBack, gets_values),
    Pair(TakesTheEndForAll, Client, lists_all),
    Pair(FailsInItsParser, Client, counts),
    Pair(RemembersAFailure, CachesValues, gets_values),
    Pair(StaysBroken, Client, recovers),
    Pair(KeepsOldBytes, BacksOff, gets_values),
    Pair(DoesNotWaitForTheReply, Client, stores),
]


def asked(client_class: type[Client], asks: Asks) -> Callable[[windsock.RunningServer], None]:
    """Return the function to explore."""

    def test(server: windsock.RunningServer) -> None:
        _serve(server)
        client = client_class(server.address)
        try:
            asks(server, client)
        finally:
            client.close()

    test.__name__ = client_class.__name__
    return test


def explore(
    client: type[Client], asks: Asks, *, examples: int, within: float = 10.0, patience: float = PATIENCE
) -> windsock.Exploration:
    return windsock.explore(asked(client, asks), examples=examples, within=within, patience=patience, framing="lines")
