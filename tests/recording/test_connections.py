"""The connections so far, and waiting for their ends."""

from __future__ import annotations

import math
import threading
from time import monotonic

import pytest

import windsock
from tests.support.servers import on_every_concurrency
from tests.support.waiting import HOUR, ends_in_time
from windsock import RequestTimeout, Script, UsageError
from windsock.net import deadlines


@on_every_concurrency
def test_the_end_of_a_connection_that_carried_nothing_can_be_waited_for(concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency) as server:
        client = server.connect()
        closing = threading.Timer(0.01, client.close)
        closing.start()

        (connection,) = server.connections.wait(1, timeout=5)

        closing.join(5)
        assert (str(connection.ending), connection.upstream) == ("client EOF", b"")


def test_with_framing_too_it_is_the_end_that_is_waited_for() -> None:
    with windsock.serving(framing="lines") as server:
        server.play(Script().expect(b"one\n").send(b"1").close())
        with server.connect() as client:
            client.send(b"one\n").expect(b"1").expect_eof()

            assert [str(each.ending) for each in server.connections.wait()] == ["server close"]


def test_connections_that_do_not_end_are_told() -> None:
    with windsock.serving() as server, server.connect() as client:
        client.send(b"one")
        with pytest.raises(RequestTimeout) as caught:
            server.connections.wait(1, timeout=0.05)

    assert str(caught.value).startswith("waited 0.05 s for 1 connection to end, got 0; recorded:")


@pytest.mark.parametrize("count", [-1, "1", 0.5])
def test_a_count_that_is_none_is_refused(count: int) -> None:
    with windsock.serving() as server, pytest.raises(UsageError) as caught:
        server.connections.wait(count)

    assert str(caught.value) == f"wait(count={count!r}): expected a number of connections, 0 or more"


def test_no_wait_is_longer_than_what_is_left_of_the_test() -> None:
    with windsock.serving() as server:
        deadlines.limit_until(monotonic() + 0.05)
        try:
            with (
                ends_in_time(),
                pytest.raises(RequestTimeout, match=r"^waited 3600 s \(cut short: .* for 1 complete"),
            ):
                server.requests.wait(1, timeout=HOUR)
        finally:
            deadlines.limit_until(math.inf)
