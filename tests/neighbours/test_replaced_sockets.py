"""Another class in the place of `socket.socket`: a subclass, PySocks' and mocket's."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import windsock
from tests.neighbours import scenarios
from tests.neighbours.conftest import RunAfter
from tests.support import handlers

mocket = pytest.importorskip("mocket", reason="mocket is not installed")
socks = pytest.importorskip("socks", reason="PySocks is not installed")


class Subclass(socket.socket):
    """A class as tests write it to see which sockets are made."""


def with_class(replacement: Any) -> Any:
    @contextmanager
    def replaced() -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(socket, "socket", replacement)
            yield

    return replaced


TOOLS: dict[str, Any] = {
    "subclass": with_class(Subclass),
    "PySocks": with_class(socks.socksocket),
    "mocket": lambda: mocket.Mocketizer(strict_mode=False),
}
each_tool = pytest.mark.parametrize("tool", TOOLS)


@each_tool
@pytest.mark.parametrize("name", scenarios.ALL)
def test_everything_works_beside_another_class_of_sockets(name: str, tool: str) -> None:
    with TOOLS[tool]():
        scenarios.ALL[name]()


@pytest.mark.parametrize(
    "activation",
    [
        "import socket; socket.socket = type('Mine', (socket.socket,), {})",
        "import socket, socks; socket.socket = socks.socksocket",
        "import mocket; mocket.Mocketizer(strict_mode=False).enter()",
    ],
)
def test_everything_works_where_sockets_were_replaced_before_the_import(activation: str, run_after: RunAfter) -> None:
    assert run_after(activation) == ""


@each_tool
@pytest.mark.parametrize("concurrency", ["threading", "forking", "selecting", "trio"])
def test_a_client_of_the_other_class_is_served_and_recorded(concurrency: str, tool: str) -> None:
    with windsock.serving(handlers.EchoLines, concurrency=concurrency) as server:
        with TOOLS[tool](), socket.create_connection(server.address, scenarios.WAIT) as client:
            client.sendall(b"hello\n")

            assert client.recv(100) == b"hello\n"
        assert server.requests.only().data == b"hello\n"


@each_tool
def test_a_handler_gets_the_class_that_the_standard_library_has(tool: str) -> None:
    genuine = socket.socket
    with TOOLS[tool](), windsock.serving(lambda request, address, server: seen.append(request)) as server:
        seen: list[Any] = []
        with server.connect() as client:
            client.expect_eof()

    assert [isinstance(each, genuine) for each in seen] == [True]


@each_tool
def test_the_other_class_stays_in_its_place_while_trio_serves(tool: str) -> None:
    with TOOLS[tool]():
        replaced = socket.socket

        scenarios.trio("unix_stream")

        assert socket.socket is replaced
