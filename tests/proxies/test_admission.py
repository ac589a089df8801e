"""Faults at a proxy's door: refused, late, stalled, too many."""

from __future__ import annotations

import errno
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from time import monotonic
from typing import Any

import pytest

from tests.servers.helpers import only_linux
from tests.support.carriers import connected, listening
from tests.support.waiting import DEADLINE, wait_until
from windsock.faults import Fault, first
from windsock.faults.kinds.accept_delay import AcceptDelay
from windsock.faults.kinds.accept_error import AcceptError
from windsock.faults.kinds.backlog_full import BacklogFull
from windsock.faults.kinds.max_connections import MaxConnections
from windsock.faults.kinds.refuse import Refuse
from windsock.proxies.proxy import FaultProxy

on_every_stream = pytest.mark.parametrize("transport", ["tcp", "tcp6", "unix_stream"])


@contextmanager
def proxied(transport: str) -> Iterator[tuple[FaultProxy, socket.socket]]:
    with listening(transport) as listener, FaultProxy(listener.getsockname()) as proxy:
        yield proxy, listener


def is_carried(proxy: FaultProxy, listener: socket.socket, client: socket.socket) -> bool:
    """Whether the server hears this client."""
    server, _ = listener.accept()
    with server:
        server.settimeout(DEADLINE)
        client.sendall(b"x")
        return server.recv(1) == b"x"


@only_linux
@on_every_stream
def test_clients_are_refused_until_the_fault_is_healed(transport: str) -> None:
    with proxied(transport) as (proxy, listener):
        with proxy.fault(Refuse()) as fault:
            for _ in range(3):
                with pytest.raises(ConnectionRefusedError):
                    connected(listener.family, proxy.address)
        with connected(listener.family, proxy.address) as client:
            assert is_carried(proxy, listener, client)
        assert fault.fired == 1


def settled(proxy: FaultProxy) -> None:
    """Wait until the proxy knows of what has changed."""
    assert proxy._relay_loop.event_loop.ask(lambda: None, DEADLINE)


def test_chosen_clients_are_reset_in_the_place_of_a_refusal() -> None:
    with proxied("tcp") as (proxy, listener):
        proxy.fault(Refuse(), connections=first(1))
        with pytest.raises(ConnectionResetError), connected(socket.AF_INET, proxy.address) as client:
            client.recv(1)
        with connected(socket.AF_INET, proxy.address) as client:
            assert is_carried(proxy, listener, client)
        assert proxy.connections[0].refused == "Refuse()"


@only_linux
@on_every_stream
def test_a_full_backlog_makes_clients_wait_until_there_is_room(transport: str) -> None:
    with proxied(transport) as (proxy, listener), ExitStack() as stack:
        with proxy.fault(BacklogFull()) as fault:
            client = stack.enter_context(socket.socket(listener.family))
            client.settimeout(0.1)
            with pytest.raises((TimeoutError, BlockingIOError)):
                client.connect(proxy.address)
            assert fault.fired == 1
        with connected(listener.family, proxy.address) as late:
            assert is_carried(proxy, listener, late)


def test_an_accept_that_fails_leaves_the_client_in_the_queue() -> None:
    with proxied("tcp") as (proxy, listener):
        proxy.fault(AcceptError("EMFILE"), times=2)
        with connected(socket.AF_INET, proxy.address) as client:
            assert is_carried(proxy, listener, client)
        assert len(proxy.connections) == 1
        proxy.errors.take()


def test_an_accept_that_is_aborted_loses_the_client() -> None:
    with proxied("tcp") as (proxy, listener):
        proxy.fault(AcceptError("ECONNABORTED"), times=1)
        with connected(socket.AF_INET, proxy.address) as client:
            assert client.recv(1) == b""
        with connected(socket.AF_INET, proxy.address) as client:
            assert is_carried(proxy, listener, client)


def test_a_client_is_served_late() -> None:
    with proxied("tcp") as (proxy, listener):
        proxy.fault(AcceptDelay(0.05))
        start = monotonic()
        with connected(socket.AF_INET, proxy.address) as client:
            assert is_carried(proxy, listener, client)
        assert monotonic() - start >= 0.05


@pytest.mark.parametrize(("then", "outcome"), [("refuse", b""), ("reset", ConnectionResetError)])
def test_one_more_than_the_most_connections_is_turned_away(then: str, outcome: Any) -> None:
    with proxied("tcp") as (proxy, listener), connected(socket.AF_INET, proxy.address) as one, listener.accept()[0]:
        proxy.fault(MaxConnections(1, then=then))
        if outcome == b"":
            with connected(socket.AF_INET, proxy.address) as other:
                assert other.recv(1) == outcome
        else:
            with pytest.raises(outcome), connected(socket.AF_INET, proxy.address) as other:
                other.recv(1)
        one.sendall(b"still here")


def test_one_more_than_the_most_connections_waits_until_there_is_room() -> None:
    with proxied("tcp") as (proxy, listener), connected(socket.AF_INET, proxy.address) as one:
        first_server, _ = listener.accept()
        proxy.fault(MaxConnections(1, then="stall"))
        with connected(socket.AF_INET, proxy.address) as other:
            other.settimeout(0.1)
            with pytest.raises(TimeoutError):
                other.recv(1)
            other.settimeout(DEADLINE)
            one.close()
            first_server.close()

            assert is_carried(proxy, listener, other)


def test_a_proxy_that_is_stopped_leaves_nobody_waiting() -> None:
    with proxied("tcp") as (proxy, _), ExitStack() as stack:
        proxy.fault(AcceptDelay(60), connections=0)
        proxy.fault(BacklogFull(), connections=1)
        clients = [stack.enter_context(connected(socket.AF_INET, proxy.address)) for _ in range(2)]
        settled(proxy)
        settled(proxy)
        proxy.stop()
        for client in clients:
            assert client.recv(1) == b""


@pytest.mark.parametrize("fault", [BacklogFull(), AcceptError("ECONNABORTED"), Refuse(), AcceptDelay(60)])
def test_what_happens_to_the_first_client_does_not_happen_to_the_second(fault: Fault) -> None:
    with proxied("tcp") as (proxy, listener):
        installed = proxy.fault(fault, connections=first(1))
        with connected_or_not(proxy), connected(socket.AF_INET, proxy.address) as client:
            assert is_carried(proxy, listener, client)
        assert installed.fired == 1
        assert [firing.connection for firing in installed.log] == [0]
        assert [bool(each.upstream) for each in proxy.connections] == [False, True]


@contextmanager
def connected_or_not(proxy: FaultProxy) -> Iterator[None]:
    with socket.socket() as client:
        client.settimeout(DEADLINE)
        with suppress(ConnectionError):  # it may be reset at once
            client.connect(proxy.address)
        yield


def connected_once_open(family: int, proxy: FaultProxy) -> socket.socket:
    """Return a client as soon as it is not refused any more."""
    clients: list[socket.socket] = []

    def is_open() -> bool:
        with suppress(ConnectionRefusedError):
            clients.append(connected(family, proxy.address))
        return bool(clients)

    wait_until(is_open, "an open door")
    return clients[0]


@only_linux
@on_every_stream
def test_a_door_that_cannot_be_opened_for_lack_of_descriptors_is_opened_later(transport: str) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with proxied(transport) as (proxy, listener), ExitStack() as stack:
        with connected(listener.family, proxy.address) as client:
            assert is_carried(proxy, listener, client)
        fault = proxy.fault(Refuse())
        free = os.dup(0)
        os.close(free)
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
        fault.heal()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

        assert [getattr(error, "errno", None) for error in proxy.errors.take()] == [errno.EMFILE]
        with connected_once_open(listener.family, proxy) as client:
            assert is_carried(proxy, listener, client)
