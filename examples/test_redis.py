"""Redis: the `redis` client talks to a small store, and to fakes that are loading, or die in the middle (RESP)."""

from __future__ import annotations

import io
from typing import Any

import pytest

from windsock import RunningServer
from windsock.servers import StreamRequestHandler

redis = pytest.importorskip("redis")

GET_WIND = b"*2\r\n$3\r\nGET\r\n$4\r\nwind\r\n"


class RedisHandler(StreamRequestHandler):
    store: dict[bytes, bytes]

    def setup(self) -> None:
        super().setup()
        self.store = {}

    def handle(self) -> None:
        while header := self.rfile.readline():
            self.wfile.write(self.answer(*[self.read_argument() for _ in range(number_in(header))]))

    def read_argument(self) -> bytes:
        size = number_in(self.rfile.readline())
        argument: bytes = self.rfile.read(size + 2)
        return argument[:size]

    def answer(self, command: bytes, *arguments: bytes) -> bytes:
        match command.upper(), arguments:
            case b"SET", (key, value):
                self.store[key] = value
                return b"+OK\r\n"
            case b"GET", (key,) if key in self.store:
                return b"$%d\r\n%b\r\n" % (len(self.store[key]), self.store[key])
            case b"GET", _:
                return b"$-1\r\n"
        return b"-ERR unknown command\r\n"


def command_size(data: bytes) -> int | None:
    """Return the size of the first command, an array of strings; None if not all of it is there."""
    stream = io.BytesIO(data)
    try:
        for _ in range(number_in(stream.readline())):
            stream.seek(number_in(stream.readline()) + 2, io.SEEK_CUR)
    except ValueError:
        return None
    return stream.tell() if stream.tell() <= len(data) else None


def number_in(line: bytes) -> int:
    if not line.endswith(b"\r\n"):
        raise ValueError(f"not a whole line: {line!r}")
    return int(line[1:])


def client_of(**where: Any) -> Any:
    return redis.Redis(protocol=2, driver_info=None, socket_timeout=5, **where)


def once_more() -> Any:
    return redis.retry.Retry(redis.backoff.NoBackoff(), 1)


@pytest.mark.windsock(handler=RedisHandler, framing=command_size)
def test_a_value_comes_back(threading_tcp_server: RunningServer) -> None:
    with client_of(host=threading_tcp_server.host, port=threading_tcp_server.port) as client:
        client.set("wind", b"NW \r\n 5")
        found = client.get("wind")
        missing = client.get("rain")

    assert (found, missing) == (b"NW \r\n 5", None)
    first, *_ = threading_tcp_server.requests.wait(3)
    assert first.data == b"*3\r\n$3\r\nSET\r\n$4\r\nwind\r\n$7\r\nNW \r\n 5\r\n"
    assert [request.reply for request in threading_tcp_server.requests] == [
        b"+OK\r\n",
        b"$7\r\nNW \r\n 5\r\n",
        b"$-1\r\n",
    ]


@pytest.mark.windsock(framing=command_size)
def test_a_fake_that_is_loading_is_an_error_of_the_client(unix_stream_server: RunningServer) -> None:
    unix_stream_server.reply(b"-LOADING the data set\r\n", times=None)

    with (
        client_of(unix_socket_path=unix_stream_server.path, retry=None) as client,
        pytest.raises(redis.exceptions.BusyLoadingError),
    ):
        client.get("wind")

    assert unix_stream_server.requests.wait(1)[0].data == GET_WIND


@pytest.mark.windsock(framing=command_size)
def test_half_a_reply_and_then_a_reset_is_tried_again(tcp_server: RunningServer) -> None:
    tcp_server.on(GET_WIND, connections=0).reply(b"$2\r\nNW\r\n", truncate=5, end="reset")
    tcp_server.on(GET_WIND).reply(b"$2\r\nNW\r\n")

    with client_of(host=tcp_server.host, port=tcp_server.port, retry=once_more()) as client:
        found = client.get("wind")

    assert found == b"NW"
    assert [request.reply for request in tcp_server.requests.wait(2)] == [b"$2\r\nN", b"$2\r\nNW\r\n"]
    tcp_server.stop()
    assert tcp_server.connections[0].ending == "server reset"


@pytest.mark.windsock(framing=command_size)
def test_who_gives_up_says_that_the_connection_was_reset(tcp_server: RunningServer) -> None:
    tcp_server.on(GET_WIND).reply(b"$2\r\nNW\r\n", times=2, truncate=5, end="reset")

    with (
        client_of(host=tcp_server.host, port=tcp_server.port, retry=once_more()) as client,
        pytest.raises(redis.exceptions.ConnectionError, match="reset by peer"),
    ):
        client.get("wind")

    assert [request.data for request in tcp_server.requests.wait(2)] == [GET_WIND, GET_WIND]
