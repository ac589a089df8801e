"""Redis: the `redis` client talks to a small store, and to fakes that are loading, die in the middle, or repeat."""

from __future__ import annotations

from typing import Any

import pytest

from windsock import RunningServer
from windsock.faults import Delay, HalfClose
from windsock.protocols import redis

library = pytest.importorskip("redis")
fake = pytest.mark.windsock(framing="redis")


def client_of(server: RunningServer, tries: int = 0, **options: Any) -> Any:
    retry = library.retry.Retry(library.backoff.NoBackoff(), tries)
    where = {"unix_socket_path": server.path} if server.is_unix else {"host": server.host, "port": server.port}
    return library.Redis(**where, **{"protocol": 2, "driver_info": None, "socket_timeout": 5, "retry": retry} | options)


@fake
@pytest.mark.parametrize("protocol", [2, 3])
def test_a_value_comes_back(tcp_server: RunningServer, protocol: int) -> None:
    redis.store(tcp_server)
    with client_of(tcp_server, protocol=protocol) as client:
        client.set("wind", b"NW \r\n 5")
        found, missing = client.get("wind"), client.get("rain")

    assert (found, missing) == (b"NW \r\n 5", None)
    asked = [each.message for each in tcp_server.requests if each.message.name in ("SET", "GET")]
    assert asked == [
        redis.Command("SET", "wind", b"NW \r\n 5"),
        redis.Command("GET", "wind"),
        redis.Command("GET", "rain"),
    ]


@fake
def test_a_fake_that_is_loading_is_an_error_of_the_client(unix_stream_server: RunningServer) -> None:
    unix_stream_server.reply(redis.error("LOADING the data set"), times=None)

    with client_of(unix_stream_server) as client, pytest.raises(library.exceptions.BusyLoadingError):
        client.get("wind")

    assert unix_stream_server.requests.wait(1)[0].message == redis.Command("GET", "wind")


@fake
def test_half_a_reply_and_then_a_reset_is_tried_again(tcp_server: RunningServer) -> None:
    tcp_server.on(redis.command("GET", "wind"), connections=0).reply(redis.bulk("NW"), truncate=5, end="reset")
    tcp_server.on(redis.command("GET", "wind")).reply(redis.bulk("NW"))

    with client_of(tcp_server, tries=1) as client:
        assert client.get("wind") == b"NW"

    assert [request.reply for request in tcp_server.requests.wait(2)] == [b"$2\r\nN", b"$2\r\nNW\r\n"]
    tcp_server.stop()
    assert tcp_server.connections[0].ending == "server reset"


@fake
def test_who_gives_up_says_that_the_connection_was_reset(tcp_server: RunningServer) -> None:
    tcp_server.on(redis.command("GET")).reply(redis.bulk("NW"), times=2, truncate=5, end="reset")

    with (
        client_of(tcp_server, tries=1) as client,
        pytest.raises(library.exceptions.ConnectionError, match="reset by peer"),
    ):
        client.get("wind")

    assert len(tcp_server.requests.wait(2)) == 2


# --- bad weather


@fake
def test_a_connection_that_ends_between_two_replies_of_a_pipeline_is_an_error(tcp_server: RunningServer) -> None:
    redis.store(tcp_server, {"wind": "NW", "rain": "none"})
    tcp_server.fault(HalfClose(), direction="downstream", match=redis.reply(b"none"))

    with client_of(tcp_server) as client, pytest.raises(library.ConnectionError, match="closed by server"):
        client.pipeline(transaction=False).get("wind").get("rain").execute()

    assert tcp_server.connections[0].downstream.endswith(b"NW\r\n$4\r\nnone\r\n")


@fake
def test_a_reply_that_comes_twice_is_not_taken_for_the_next_one(tcp_server: RunningServer) -> None:
    redis.store(tcp_server, {"wind": "NW", "rain": "none"})
    tcp_server.fault(lambda item, context: item.data * 2, direction="downstream", match=redis.reply(b"NW"))

    with client_of(tcp_server) as client:
        assert client.get("wind") == b"NW"
        assert client.get("rain") == b"none"

    assert len(tcp_server.connections) == 2


@fake
def test_a_reply_that_is_late_is_not_taken_for_the_next_one(tcp_server: RunningServer) -> None:
    redis.store(tcp_server, {"wind": "NW", "rain": "none"})
    tcp_server.fault(Delay(5), direction="downstream", match=redis.reply(b"NW"))

    with client_of(tcp_server, socket_timeout=0.5) as client:
        with pytest.raises(library.exceptions.TimeoutError):
            client.get("wind")
        assert client.get("rain") == b"none"
