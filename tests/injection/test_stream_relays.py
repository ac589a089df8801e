"""What a handler has of a relayed connection: a real socket, and the client at its other end."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.servers.helpers import descriptors, only_linux
from tests.support.carriers import connected, door
from tests.support.processes import ended_well, forked
from tests.support.servers import Signal, reset
from tests.support.waiting import DEADLINE
from windsock.faults.kinds.delay import Delay
from windsock.faults.kinds.hold import Hold
from windsock.faults.kinds.reset import Reset

on_every_stream = pytest.mark.parametrize("transport", ["tcp", "tcp6", "unix_stream"])


@on_every_stream
def test_addresses_are_those_of_the_clients_connection(transport: str) -> None:
    with door(transport) as made, made.connection() as (client, request):
        assert request.getpeername() == client.getsockname()
        assert request.getsockname() == client.getpeername()
        assert (request.family, request.type) == (client.family, socket.SOCK_STREAM)
        assert request.gettimeout() == DEADLINE


@contextlib.contextmanager
def watched_connection() -> Iterator[tuple[socket.socket, Any, socket.socket]]:
    """Give a client, what its handler gets, and another descriptor of the socket that the relay has taken over."""
    with door("tcp") as made, connected(socket.AF_INET, made.listener.getsockname()) as client:
        accepted, peer = made.listener.accept()
        accepted.settimeout(DEADLINE)
        with accepted.dup() as watched, made.relay_loop.relay(accepted, peer, index=0) as request:
            yield client, request, watched


def test_options_reach_the_clients_connection() -> None:
    with watched_connection() as (_, request, owned):
        request.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        request.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)

        assert owned.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert owned.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0
        assert owned.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == request.getsockopt(
            socket.SOL_SOCKET, socket.SO_RCVBUF
        )


def test_options_that_a_forked_child_sets_reach_the_clients_connection(signals: list[Signal]) -> None:
    with watched_connection() as (client, request, owned):
        pid = os.fork()
        if pid == 0:
            request.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            request.sendall(b"done")
            signals[1].wait()
            os._exit(0)
        assert client.recv(4) == b"done"
        client.sendall(b"x")  # behind the order: by now it was obeyed
        assert request.recv(1) == b"x"
        assert owned.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        signals[1].set()
        os.waitpid(pid, 0)


def test_a_reset_is_a_reset_although_a_forked_child_has_the_connection(signals: list[Signal]) -> None:
    with door("tcp") as made, made.connection() as (client, request):
        pid = os.fork()
        if pid == 0:
            client.close()
            signals[0].set()
            signals[1].wait()
            os._exit(0)
        request.close()  # as a forking server's parent does
        signals[0].wait()
        made.fault_set.install(Reset())
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        signals[1].set()
        os.waitpid(pid, 0)


def test_a_client_sees_the_end_when_the_child_that_answered_it_ends() -> None:
    with door("tcp") as made, made.connection() as (client, request):
        pid = forked(lambda: request.sendall(b"answer"))
        request.close()
        assert [client.recv(100), client.recv(100)] == [b"answer", b""]
        assert ended_well(pid)


@only_linux
def test_a_child_keeps_none_of_the_relays_descriptors() -> None:
    def sockets_here() -> set[str]:
        return {what for what in descriptors().values() if what.startswith("socket:")}

    def look(owned: set[str]) -> None:
        assert sockets_here().isdisjoint(owned)

    with door("tcp") as made:
        before = sockets_here()
        with made.connection() as (client, request):
            ends_of_the_test = {descriptors()[each.fileno()] for each in (client, request)}
            owned = sockets_here() - before - ends_of_the_test
            assert ended_well(forked(lambda: look(owned)))
            assert len(owned) >= 2  # of the client and of the handler


@on_every_stream
def test_faults_come_and_go_on_a_live_connection(transport: str) -> None:
    with door(transport) as made, made.connection() as (client, request):
        client.sendall(b"one")
        assert request.recv(100) == b"one"
        hold = made.fault_set.install(Hold(), direction="upstream")
        client.sendall(b"two")
        request.settimeout(0.1)
        with pytest.raises(TimeoutError):
            request.recv(100)
        request.settimeout(DEADLINE)
        hold.heal()
        assert request.recv(100) == b"two"


def test_an_error_in_a_fault_is_told_and_resets_that_connection_alone() -> None:
    def fail(item: Any, link: Any) -> None:
        raise LookupError(item.data)

    with door("tcp") as made, made.connection() as (good, good_request):
        made.fault_set.install(fail, connections=1)
        with made.connection() as (client, _):
            client.sendall(b"x")
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        good.sendall(b"x")
        assert good_request.recv(1) == b"x"
        assert [type(error) for error in made.errors] == [LookupError]
        made.errors.clear()


@only_linux
def test_without_descriptors_the_client_is_reset_and_the_caller_is_told() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with door("tcp") as made:
        with made.connection() as (client, request):  # what is made once
            client.sendall(b"x")
            assert request.recv(1) == b"x"
            with connected(socket.AF_INET, made.listener.getsockname()) as late:
                accepted, peer = made.listener.accept()
                lowest = os.dup(0)
                os.close(lowest)
                resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
                try:
                    with pytest.raises(OSError, match="Too many open files"):
                        made.relay_loop.relay(accepted, peer, index=next(made.indices))
                finally:
                    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                with pytest.raises(ConnectionResetError):
                    late.recv(1)
        with made.connection() as (client, request):
            client.sendall(b"x")
            assert request.recv(1) == b"x"


def test_a_connection_that_comes_once_the_relays_are_stopped_ends_at_once() -> None:
    with door("tcp") as made, connected(socket.AF_INET, made.listener.getsockname()) as client:
        accepted, peer = made.listener.accept()
        made.relay_loop.stop(DEADLINE)
        with made.relay_loop.relay(accepted, peer, index=next(made.indices)) as request:
            assert client.recv(1) == b""
            assert request.recv(1) == b""


def test_a_thousand_relayed_connections_leave_nothing_behind() -> None:
    with door("tcp") as made:
        made.fault_set.install(Reset(), direction="upstream", after_bytes=1)
        for _ in range(1000):
            with made.connection() as (client, _), contextlib.suppress(ConnectionResetError, BrokenPipeError):
                client.sendall(b"xy")
                client.recv(1)
        assert made.fault_set.handles[0].fired > 0


def test_a_client_that_resets_is_a_reset_for_its_handler() -> None:
    with door("tcp") as made, made.connection() as (client, request):
        reset(client)
        with pytest.raises(ConnectionResetError):
            request.recv(1)


@pytest.mark.parametrize("error", [LookupError, pytest.fail.Exception])
def test_a_function_that_raises_when_it_selects_costs_that_connection_alone(error: type[BaseException]) -> None:
    def choose(_: object) -> bool:
        raise error("on purpose")

    with door("tcp") as made:
        fault = made.fault_set.install(Delay(0.001), connections=choose)
        with connected(socket.AF_INET, made.listener.getsockname()) as client:
            accepted, peer = made.listener.accept()
            with pytest.raises(error, match="on purpose"):
                made.relay_loop.relay(accepted, peer, index=next(made.indices))
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        fault.heal()
        with made.connection() as (client, request):
            client.sendall(b"x")
            assert request.recv(1) == b"x"
