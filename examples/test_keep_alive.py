"""HTTP: `urllib3` keeps a connection for the next request, and its server closes it meanwhile (RFC 9112, 9.5)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from windsock import RunningServer, Script

urllib3 = pytest.importorskip("urllib3")

END_OF_HEAD = b"\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nNW"
ONE_ANSWER = Script().expect(until=END_OF_HEAD).send(ANSWER)


@contextmanager
def pool_for(server: RunningServer) -> Iterator[Any]:
    with urllib3.HTTPConnectionPool(server.host, server.port, maxsize=1, timeout=5, retries=1) as pool:
        yield pool


def test_an_idle_connection_is_used_again(tcp_server: RunningServer) -> None:
    tcp_server.play(ONE_ANSWER + ONE_ANSWER)

    with pool_for(tcp_server) as pool:
        answers = [pool.request("GET", path).data for path in ("/wind", "/rain")]

    assert answers == [b"NW", b"NW"]
    assert tcp_server.requests.only().data.count(END_OF_HEAD) == 2


def test_an_idle_connection_that_was_closed_is_replaced(tcp_server: RunningServer) -> None:
    tcp_server.play(ONE_ANSWER.close(), ONE_ANSWER)

    with pool_for(tcp_server) as pool:
        first = pool.request("GET", "/wind").data
        tcp_server.requests.wait(1)  # the connection has ended
        second = pool.request("GET", "/rain").data

    assert (first, second) == (b"NW", b"NW")
    assert [request.data.split()[1] for request in tcp_server.requests.wait(2)] == [b"/wind", b"/rain"]
    assert tcp_server.connections[0].ending == "server close"


def test_a_close_that_crosses_a_request_is_tried_again_if_that_does_no_harm(tcp_server: RunningServer) -> None:
    tcp_server.play((ONE_ANSWER + Script().expect(until=END_OF_HEAD)).close(), ONE_ANSWER)

    with pool_for(tcp_server) as pool:
        pool.request("GET", "/wind")
        assert pool.request("GET", "/rain").data == b"NW"

    crossed, again = (request.data for request in tcp_server.requests.wait(2))
    assert crossed.startswith(b"GET /wind ")
    assert crossed.endswith(again)  # the same request, once in vain


def test_a_close_that_crosses_a_request_is_an_error_if_it_might_be_done_twice(tcp_server: RunningServer) -> None:
    tcp_server.play((ONE_ANSWER + Script().expect(until=END_OF_HEAD)).close())

    with pool_for(tcp_server) as pool:
        pool.request("GET", "/wind")
        with pytest.raises(urllib3.exceptions.ProtocolError, match="without response"):
            pool.request("POST", "/gate/open")

    assert b"POST /gate/open " in tcp_server.requests.only().data
