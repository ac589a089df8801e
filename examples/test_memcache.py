"""Cache: `pymemcache` asks a server that dribbles its answer byte by byte, or stops in the middle of it."""

from __future__ import annotations

from contextlib import closing

import pytest

from windsock import RunningServer, Script

memcache = pytest.importorskip("pymemcache.client.base")

ANSWER = b"VALUE wind 0 2\r\nNW\r\nEND\r\n"

pytestmark = pytest.mark.windsock(framing="lines")


def test_an_answer_that_comes_byte_by_byte_is_whole(tcp_server: RunningServer) -> None:
    tcp_server.on(b"get wind").reply(ANSWER, pieces=len(ANSWER), every=0.01)

    with closing(memcache.Client(tcp_server.address, timeout=0.2)) as client:
        found = client.get("wind")

    assert found == b"NW"
    drops = [chunk for chunk in tcp_server.connections[0].chunks if chunk.direction == "downstream"]
    assert [len(chunk.data) for chunk in drops] == [1] * len(ANSWER)
    assert drops[-1].time - drops[0].time > 0.2  # the client's timeout is counted anew with each byte


def test_an_answer_that_stops_in_the_middle_is_given_up(tcp_server: RunningServer) -> None:
    tcp_server.on(b"get wind").play(Script().send(ANSWER[:20], pieces=4, every=0.01).expect_eof())
    client = memcache.Client(tcp_server.address, timeout=0.1)

    with pytest.raises(TimeoutError):
        client.get("wind")

    assert tcp_server.requests.wait(1)[0].reply == ANSWER[:20]
    assert client.sock is None  # it was closed, so that the rest is no answer to the next question


def test_a_cache_may_fail(tcp_server: RunningServer) -> None:
    tcp_server.on(b"get wind").reply(ANSWER, truncate=20, end="reset")

    with closing(memcache.Client(tcp_server.address, timeout=5, ignore_exc=True)) as client:
        found = client.get("wind", default=b"unknown")

    assert found == b"unknown"
    assert tcp_server.requests.only().reply == ANSWER[:20]
    tcp_server.stop()
    assert tcp_server.connections[0].ending == "server reset"
