"""Faults of the process: no process, no thread, a handler that fails, a child that stands still or dies."""

from __future__ import annotations

import errno
import os
import socketserver
from typing import Any

import pytest

import windsock
from tests.support.handlers import EchoDatagram, EchoLines, echo_stream
from tests.support.servers import connect, is_answered, on_every_concurrency, on_every_kind
from tests.support.waiting import HOUR, ends_in_time, wait_until
from windsock.faults import ForkError, HandlerError, Kill, Pause, Resume, ThreadError, first


async def echo_datagram(datagram: Any, client_address: object, server: object) -> None:
    await datagram.reply(datagram.packet)


def handler_for(transport: str) -> type:
    return EchoLines if "stream" in transport or transport == "tcp" else EchoDatagram


@on_every_kind
def test_the_handler_fails_in_place_of_handling_and_the_test_does_not(transport: str, concurrency: str) -> None:
    with windsock.serving(handler_for(transport), transport=transport, concurrency=concurrency) as server:
        with server.fault(HandlerError(LookupError("on purpose")), times=1) as fault:
            with server.connect() as client:
                client.send(b"lost\n")
                wait_until(lambda: len(server.errors) == 1)
            assert fault.fired == 1

        assert is_answered(server)
        (error,) = server.errors
        assert repr(error) == repr(LookupError("on purpose"))
        assert isinstance(server.connections[0].error, LookupError)
        assert any("~ fault: HandlerError(LookupError('on purpose'))" in line for line in server.transcript())


@pytest.mark.parametrize(("handler", "transport"), [(echo_stream, "tcp"), (echo_datagram, "udp")])
def test_an_async_handler_fails_too(handler: Any, transport: str) -> None:
    with windsock.serving(handler, transport=transport, faults=[(HandlerError(ValueError), {"times": 1})]) as server:
        with server.connect() as client:
            client.send(b"lost\n")
            wait_until(lambda: len(server.errors) == 1)

        assert is_answered(server)


def test_an_error_that_nobody_asked_for_still_fails_the_test() -> None:
    def broken(request: Any, client_address: object, server: object) -> None:
        raise KeyError("mine")

    server = windsock.serving(broken)
    server.fault(HandlerError(LookupError("on purpose")), connections=first(1))
    for _ in range(2):
        with server.connect() as client:
            client.expect_eof()

    with pytest.raises(BaseExceptionGroup) as caught:
        server.finish()

    assert [type(error) for error in caught.value.exceptions] == [KeyError]


def test_each_failing_request_has_an_error_of_its_own() -> None:
    with windsock.serving(EchoLines) as server, server.fault(HandlerError(ValueError("x"))):
        for _ in range(2):
            with server.connect() as client:
                client.expect_eof()
        wait_until(lambda: len(server.errors) == 2)

        assert server.errors[0] is not server.errors[1]


@pytest.mark.parametrize("server_class", [None, socketserver.ForkingTCPServer], ids=["windsock", "socketserver"])
def test_the_nth_fork_fails_and_no_other(server_class: Any) -> None:
    arguments = (EchoLines,) if server_class is None else (server_class, EchoLines)
    concurrency = "forking"
    with (
        windsock.serving(*arguments, concurrency=concurrency) as server,
        windsock.serving(concurrency="forking") as other,
    ):
        other.echo()
        with server.fault(ForkError("ENOMEM"), nth=2) as fault:
            assert is_answered(server)
            with server.connect() as client:
                client.expect_eof()
            assert is_answered(server)
            assert is_answered_at_once(other)

        assert fault.fired == 1
        (error,) = server.errors
        assert isinstance(error, OSError)
        assert error.errno == errno.ENOMEM


def is_answered_at_once(server: windsock.RunningServer) -> bool:
    with server.connect() as client:
        client.send(b"x").expect(b"x")
    return True


def test_fork_is_itself_again_afterwards() -> None:
    before = os.fork

    with windsock.serving(EchoLines, concurrency="forking") as server:
        server.fault(ForkError())
        with server.connect() as client:
            client.expect_eof()

    assert os.fork is before


@pytest.mark.parametrize("concurrency", ["threading", "trio"])
def test_no_thread_can_be_started(concurrency: str) -> None:
    with windsock.serving(EchoLines, concurrency=concurrency) as server:
        with server.fault(ThreadError(), connections=first(1)) as fault:
            with server.connect() as client:
                client.expect_eof()
            assert is_answered(server)

        assert fault.fired == 1
        assert [str(error) for error in server.errors] == ["can't start new thread"]


def test_no_thread_for_a_request_of_a_strangers_server() -> None:
    with windsock.serving(socketserver.ThreadingTCPServer, EchoLines) as server, server.fault(ThreadError(), times=1):
        with server.connect() as client:
            client.expect_eof()

        assert is_answered(server)


def test_a_child_that_is_about_to_serve_is_killed() -> None:
    with windsock.serving(EchoLines, concurrency="forking") as server:
        with server.fault(Kill(), times=1) as fault, server.connect() as client:
            client.expect_eof()

        assert is_answered(server)
        assert fault.fired == 1
        wait_until(lambda: server.connections[0].ending == "handler died")


@pytest.mark.parametrize("server_class", [None, socketserver.ForkingTCPServer], ids=["windsock", "socketserver"])
def test_the_child_of_an_open_connection_is_killed_and_the_others_live(server_class: Any) -> None:
    arguments = (EchoLines,) if server_class is None else (server_class, EchoLines)
    with (
        windsock.serving(*arguments, concurrency="forking") as server,
        server.connect() as one,
        server.connect() as two,
    ):
        one.send(b"x\n").expect(b"x\n")
        two.send(b"x\n").expect(b"x\n")

        with server.fault(Kill("SIGTERM" if server_class else "SIGKILL"), connections=0) as fault:
            one.expect_eof()
        two.send(b"y\n").expect(b"y\n")

        assert fault.fired == 1


def test_a_child_stands_still_until_it_is_healed() -> None:
    with windsock.serving(EchoLines, concurrency="forking") as server, server.connect() as client:
        client.send(b"x\n").expect(b"x\n")

        with server.fault(Pause(), connections=0) as fault:
            client.send(b"y\n")
            with pytest.raises(windsock.ScriptTimeout):
                client.expect(b"y\n", timeout=0.2)
        client.expect(b"y\n")

        assert fault.fired == 1


def test_a_child_that_stands_still_is_resumed_by_a_fault_too() -> None:
    with windsock.serving(EchoLines, concurrency="forking") as server, server.connect() as client:
        client.send(b"x\n").expect(b"x\n")
        server.fault(Pause(), connections=0)
        client.send(b"y\n")

        server.fault(Resume(), connections=0)

        client.expect(b"y\n")


def test_a_child_that_stands_still_does_not_hold_up_the_stop() -> None:
    server = windsock.serving(EchoLines, concurrency="forking", timeout=HOUR)
    client = connect(server)
    client.sendall(b"x\n")
    assert client.recv(10) == b"x\n"
    server.fault(Pause())

    with ends_in_time():
        server.finish()

    client.close()


@on_every_concurrency
def test_what_a_concurrency_cannot_have_is_refused_with_the_way_out(concurrency: str) -> None:
    with windsock.serving(EchoLines, concurrency=concurrency) as server:
        for fault in (ForkError(), Pause(), Resume(), Kill()):
            if concurrency != "forking":
                with pytest.raises(windsock.UsageError, match="expected a server with concurrency='forking'"):
                    server.fault(fault)
        if concurrency not in ("threading", "trio"):
            with pytest.raises(windsock.UsageError, match="expected a server with concurrency='threading'"):
                server.fault(ThreadError())


def test_an_async_handler_has_no_thread_to_lose() -> None:
    with windsock.serving(echo_stream) as server, pytest.raises(windsock.UsageError, match="has an async handler"):
        server.fault(ThreadError())
