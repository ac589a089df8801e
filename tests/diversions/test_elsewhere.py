"""What is elsewhere for a diversion with others="refuse", and what is not."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import pytest

import windsock
from tests.support.handlers import EchoLines
from windsock import NotDiverted
from windsock.diversions import Diversion

WAIT = 5.0
ELSEWHERE = ("203.0.113.7", 80)


@pytest.fixture
def refusing() -> Diversion:
    return windsock.divert({}, others="refuse")


def connect(address: Any) -> None:
    with socket.socket() as client:
        client.connect(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", ""])
def test_another_server_of_this_machine_is_elsewhere(host: str, refusing: Diversion) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, refusing, socket.socket() as client:
        with pytest.raises(NotDiverted):
            client.connect((host, listener.getsockname()[1]))
        assert len(refusing.take()) == 1


@pytest.mark.parametrize("concurrency", ["sync", "threading", "forking", "selecting", "trio"])
@pytest.mark.parametrize("transport", ["tcp", "udp", "unix_stream", "unix_datagram"])
def test_servers_and_clients_of_windsock_are_reached(
    transport: str, concurrency: Any, serve: Any, refusing: Any
) -> None:
    with refusing:
        server = serve(transport=transport, concurrency=concurrency).echo()
        with windsock.proxy(server.address, transport=transport) as proxy:
            for address in (server.address, proxy.address):
                with windsock.scripted_client(address, transport=transport) as client:
                    client.send(b"hello").expect(b"hello")


def test_other_clients_reach_a_server_of_windsock(serve: Any, refusing: Diversion) -> None:
    server = serve(EchoLines)

    with refusing:
        for host in (server.host, "localhost", ""):
            with socket.create_connection((host or "0.0.0.0", server.port), WAIT) as client:
                client.sendall(b"x\n")
                assert client.recv(10) == b"x\n"
            with socket.socket() as plain:
                plain.connect((host, server.port))


def test_a_stopped_server_is_elsewhere(serve: Any, refusing: Diversion) -> None:
    server = serve()
    server.stop()

    with refusing:
        with pytest.raises(NotDiverted):
            socket.create_connection(server.address, WAIT)
        refusing.take()


def test_a_diverted_name_is_elsewhere_on_another_port(tcp_server: windsock.RunningServer) -> None:
    with windsock.divert({"api.example:443": tcp_server}, others="refuse") as diversion:
        address = socket.gethostbyname("api.example")
        for host in ("api.example", address):
            with pytest.raises(NotDiverted) as caught, socket.socket() as client:
                client.connect((host, 80))
            assert (caught.value.host, caught.value.port) == ("api.example", 80)
        with pytest.raises(NotDiverted):
            socket.getaddrinfo("api.example", 80)
        diversion.take()


def test_lookups_that_ask_no_other_machine_are_allowed(refusing: Diversion) -> None:
    with refusing:
        for host in (None, "", "localhost", "127.0.0.1", "10.1.2.3", "::1", socket.gethostname()):
            with contextlib.suppress(socket.gaierror):  # of a machine that does not know itself
                socket.getaddrinfo(host, 80)
        with pytest.raises(socket.gaierror):
            socket.getaddrinfo("elsewhere.example", 80, flags=socket.AI_NUMERICHOST)


@pytest.mark.parametrize("concurrency", ["threading", "forking", "selecting", "trio"])
def test_what_a_handler_is_refused_is_an_error_of_its_own(concurrency: Any, serve: Any) -> None:
    def handle(request: Any, address: Any, server: Any) -> None:
        connect(ELSEWHERE)

    server = serve(handle, concurrency=concurrency)
    with windsock.divert({}, others="refuse", strict=False), server.connect() as client:
        client.expect_eof()

    server.drain()
    [error] = server.errors.take()
    assert isinstance(error, NotDiverted)
    assert (error.host, error.port) == ELSEWHERE
    assert "in connect: " in error.place


def test_unix_sockets_are_left_alone(unix_stream_server: windsock.RunningServer, refusing: Diversion) -> None:
    with refusing, socket.socket(socket.AF_UNIX) as client:
        client.connect(unix_stream_server.address)
