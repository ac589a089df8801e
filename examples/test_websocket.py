"""WebSocket: the `websockets` client talks to a fake, which also refuses, goes away, repeats, and is late."""

from __future__ import annotations

from typing import Any

import pytest

from windsock import RunningServer
from windsock.faults import Delay, HalfClose
from windsock.protocols import http, websocket

library = pytest.importorskip("websockets.sync.client")
exceptions = pytest.importorskip("websockets.exceptions")
fake = pytest.mark.windsock(framing="websocket")


def connect(server: RunningServer) -> Any:
    return library.connect(f"ws://{server.host}:{server.port}/weather", proxy=None, ping_interval=None)


@fake
def test_an_answer_comes_back(tcp_server: RunningServer) -> None:
    tcp_server.on(websocket.text("wind?")).reply(websocket.text("NW"))
    websocket.session(tcp_server, "/weather")

    with connect(tcp_server) as client:
        client.send("wind?")
        assert client.recv() == "NW"

    assert [str(each.message) for each in tcp_server.requests] == ["GET /weather", "text 'wind?'", "close 1000"]


@fake
def test_a_handshake_that_is_refused_is_an_error(tcp_server: RunningServer) -> None:
    tcp_server.on(websocket.handshake()).reply(http.response(503))

    with pytest.raises(exceptions.InvalidStatus, match="503"):
        connect(tcp_server)


# --- bad weather


@pytest.fixture
def echo(tcp_server: RunningServer) -> RunningServer:
    tcp_server.on(websocket.text()).reply(websocket.text())
    websocket.session(tcp_server, "/weather")
    return tcp_server


@fake
def test_a_connection_that_ends_between_two_messages_is_an_error(echo: RunningServer) -> None:
    echo.fault(HalfClose(), direction="downstream", match=websocket.text("rain"))

    with connect(echo) as client:
        client.send("wind")
        assert client.recv() == "wind"
        client.send("rain")
        with pytest.raises(exceptions.ConnectionClosedError):
            client.recv()


@fake
def test_a_message_that_is_sent_twice_comes_twice(echo: RunningServer) -> None:
    echo.fault(lambda item, context: item.data * 2, direction="downstream", match=websocket.text("wind"))

    with connect(echo) as client:
        client.send("wind")
        client.send("rain")
        assert [client.recv(timeout=5) for _ in range(3)] == ["wind", "wind", "rain"]


@fake
def test_a_message_that_is_late_comes_after_the_client_has_given_up(echo: RunningServer) -> None:
    echo.fault(Delay(0.5), direction="downstream", match=websocket.text("wind"))

    with connect(echo) as client:
        client.send("wind")
        with pytest.raises(TimeoutError):
            client.recv(timeout=0.1)
        assert client.recv(timeout=5) == "wind"
