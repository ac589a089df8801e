"""Programs that other tools have started: an address in, a proxy with faults out."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator

import pytest

import windsock
from pytest_windsock import Proxies, RealServers
from windsock.faults import Delay, Reset

ECHO = """
import contextlib, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    with contextlib.suppress(ConnectionError), listener.accept()[0] as connection:
        while data := connection.recv(1000):
            connection.sendall(data)
"""
COMMAND = [sys.executable, "-S", "-E", "-c", ECHO, "{port}"]


class Container:
    """As a container of testcontainers has it: a host, and the port that one of its own is mapped to."""

    def __init__(self, server: windsock.RealServer) -> None:
        self._server = server

    def get_container_host_ip(self) -> str:
        return self._server.host

    def get_exposed_port(self, port: int) -> str:
        return str(self._server.port)


@pytest.fixture
def container(real_server: RealServers) -> Container:
    return Container(real_server(COMMAND))


def ask(address: tuple[str, int]) -> bytes:
    with socket.create_connection(address, timeout=5) as client:
        client.sendall(b"hello")
        return client.recv(1000)


def test_a_container_behind_faults(container: Container, fault_proxy: Proxies) -> None:
    proxy = fault_proxy((container.get_container_host_ip(), int(container.get_exposed_port(6379))))

    with proxy.fault(Delay(0.01)) as late:
        assert ask(proxy.address) == b"hello"
    with proxy.fault(Reset(), direction="downstream"), pytest.raises(ConnectionResetError):
        ask(proxy.address)

    assert late.fired


@pytest.fixture
def executor() -> Iterator[tuple[str, int]]:
    mirakuru = pytest.importorskip("mirakuru", reason="mirakuru is not installed: pip install mirakuru")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host, port = probe.getsockname()
    with mirakuru.TCPExecutor([*COMMAND[:-1], str(port)], host=host, port=port, timeout=20) as started:
        yield started.host, started.port


def test_a_program_of_mirakuru_behind_faults(executor: tuple[str, int], fault_proxy: Proxies) -> None:
    proxy = fault_proxy(executor, faults=[Delay(0.01)])

    assert ask(proxy.address) == b"hello"
