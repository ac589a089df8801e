"""Diversions beside tools that replace sockets, too, and beside a clock that stands still."""

from __future__ import annotations

import socket
import urllib.request
from typing import Any

import pytest

import windsock
from tests.neighbours.conftest import Run
from tests.neighbours.test_replaced_sockets import TOOLS
from tests.support.handlers import EchoLines

WAIT = 5.0


def converse(address: Any) -> bytes:
    with socket.create_connection(address, WAIT) as client:
        client.sendall(b"x\n")
        return client.recv(10)


@pytest.mark.parametrize("is_outside", [True, False])
@pytest.mark.parametrize("tool", ["subclass", "PySocks"])
def test_sockets_of_another_class_are_diverted(tool: str, is_outside: bool, serve: Any) -> None:
    server = serve(EchoLines)
    before = socket.socket, socket.socket.connect
    first, second = TOOLS[tool](), windsock.divert({"api.example:443": server}, others="refuse")

    with first if is_outside else second, second if is_outside else first:
        assert converse(("api.example", 443)) == b"x\n"

    assert (socket.socket, socket.socket.connect) == before


@pytest.mark.parametrize("is_outside", [True, False])
def test_mocket_answers_for_what_it_knows(is_outside: bool, serve: Any) -> None:
    entry = pytest.importorskip("mocket.mocks.mockhttp").Entry
    server = serve(EchoLines)
    first, second = TOOLS["mocket"](), windsock.divert({"192.0.2.1": server})

    with first if is_outside else second, second if is_outside else first:
        entry.single_register(entry.GET, "http://other.example/", body="mocked")
        with urllib.request.urlopen("http://other.example/", timeout=WAIT) as response:
            assert response.read() == b"mocked"
        assert converse(("192.0.2.1", 443)) == b"x\n"


def test_pytest_socket_sees_the_address_of_the_fake(run: Run) -> None:
    result = run(
        """
        import socket
        import pytest
        import windsock

        def ask():
            with socket.create_connection(("api.example", 443), 5) as client:
                client.sendall(b"x")
                return client.recv(1)

        def test_allowed(tcp_server, divert):
            divert({"api.example:443": tcp_server.echo()})
            assert ask() == b"x"
            before = socket.getaddrinfo
            with windsock.divert({"other.example": tcp_server}, others="refuse"):
                assert ask() == b"x"
            assert socket.getaddrinfo is before

        def test_again():
            assert socket.getaddrinfo.__module__ == "socket"
            with pytest.raises((RuntimeError, UserWarning), match="192.0.2.1"), socket.socket() as client:
                client.connect(("192.0.2.1", 80))
        """,
        "--allow-hosts=127.0.0.1",
    )

    result.assert_outcomes(passed=2)


def test_a_clock_that_stands_still(run: Run) -> None:
    result = run(
        """
        import socket
        import freezegun

        @freezegun.freeze_time("2019-01-01")
        def test_it(tcp_server, divert):
            divert({"api.example:443": tcp_server.echo()}, others="refuse")
            with socket.create_connection(("api.example", 443), 5) as client:
                client.sendall(b"x")
                assert client.recv(1) == b"x"
        """
    )

    result.assert_outcomes(passed=1)


def test_greenlets_of_gevent_are_diverted(pytester: pytest.Pytester, run: Run) -> None:
    pytest.importorskip("gevent")
    pytester.makeconftest("from gevent import monkey; monkey.patch_all()")

    result = run(
        """
        import socket
        import gevent
        import gevent.socket
        import pytest
        import windsock

        def by_name():
            return socket.create_connection(("api.example", 443), 5)

        def of_family(family):
            client = socket.socket(family)
            client.connect(("api.example", 443))
            return client

        def converse(connect, *args):
            with connect(*args) as client:
                client.sendall(b"x")
                return client.recv(1)

        def test_it(tcp_server, divert):
            divert({"api.example:443": tcp_server.echo()}, others="refuse")
            jobs = [gevent.spawn(converse, by_name)]
            jobs += [gevent.spawn(converse, of_family, each) for each in (socket.AF_INET, socket.AF_INET6)]
            gevent.joinall(jobs, timeout=5)
            assert [job.value for job in jobs] == [b"x"] * 3

        def test_elsewhere():
            before = socket.socket.connect
            with windsock.divert({}, others="refuse") as diversion:
                for module in (socket, gevent.socket):
                    with pytest.raises(windsock.NotDiverted):
                        module.create_connection(("192.0.2.1", 80), 5)
                assert len(diversion.take()) == 1
            assert socket.socket.connect is before
        """
    )

    result.assert_outcomes(passed=2)


def test_a_lookup_in_a_thread_of_trio_is_refused_and_names_the_task(run: Run) -> None:
    result = run(
        """
        import pytest
        import trio
        import windsock

        async def connect():
            await trio.open_tcp_stream("elsewhere.example", 443)

        def test_it():
            with windsock.divert({}, others="refuse") as diversion:
                with pytest.raises(windsock.NotDiverted, match="trio task connect: .*in connect: await trio.open_tcp"):
                    trio.run(connect)
                assert len(diversion.take()) == 1
        """
    )

    result.assert_outcomes(passed=1)
