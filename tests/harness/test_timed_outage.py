"""An outage that ends by itself: the server is up again while the block goes on."""

from __future__ import annotations

import math
import socket
import threading
from contextlib import AbstractContextManager

import pytest

from tests.support.waiting import wait_until
from windsock import RunningServer, UsageError, serving, simulated
from windsock.harness.timed_outage import timed_outage


def is_up(server: RunningServer) -> bool:
    """Return whether the server accepts a client."""
    try:
        socket.create_connection(server.address, timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize("concurrency", ["sync", "threading", "forking", "selecting", "trio"])
def test_a_server_comes_up_again_by_itself(concurrency: str) -> None:
    with serving(concurrency=concurrency, strict=False) as server, server.outage_for(0.05):
        wait_until(lambda: is_up(server))


def test_the_end_of_the_block_ends_it() -> None:
    with serving(strict=False) as server:
        with server.outage_for(3600):
            assert not is_up(server)
        assert is_up(server)


def test_what_the_block_raises_is_raised() -> None:
    with serving(strict=False) as server:
        with pytest.raises(ZeroDivisionError), server.outage_for(3600):
            raise ZeroDivisionError
        assert is_up(server)


def test_it_takes_no_time_in_a_simulated_world() -> None:
    with simulated() as world, serving(strict=False) as server:
        began = world.now
        with server.outage_for(300):
            world.advance(299)
            assert not is_up(server)
            world.advance(2)
            assert is_up(server)
        assert world.now - began < 302


def test_a_server_may_be_stopped_meanwhile() -> None:
    server = serving(strict=False)
    with server.outage_for(3600):
        server.stop()
    assert not is_up(server)


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf, "5", None, True])
def test_what_is_no_duration_is_refused(seconds: object) -> None:
    with serving(strict=False) as server:
        with pytest.raises(UsageError, match=r"outage_for\(.*expected seconds, more than 0"):
            server.outage_for(seconds).__enter__()  # type: ignore[arg-type]
        assert is_up(server)


class Watched(AbstractContextManager[None]):
    """An outage that counts its ends."""

    ends = 0

    def __exit__(self, *_: object) -> None:
        self.ends += 1


def test_an_outage_ends_if_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    watched = Watched()
    outage = timed_outage(watched, 3600, 5)
    monkeypatch.setattr(threading.Thread, "start", refuse)

    with pytest.raises(RuntimeError, match="start new thread"):
        outage.__enter__()

    assert watched.ends == 1
