"""redis-server behind a proxy, and the redis client's own errors."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

import windsock
from tests.programs.conftest import program, running
from windsock.faults import Delay, Reset, first

SET = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n"
GET = b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[windsock.FaultProxy]:
    command = [program("redis-server"), "--port", "{port}", "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    with running(command, tmp_path) as port, windsock.proxy(("127.0.0.1", port), framing=None) as proxy:
        yield proxy


def client(proxy: windsock.FaultProxy, retries: int = 0, **options: Any) -> redis.Redis:
    given: dict[str, Any] = {"socket_timeout": 5, "retry": Retry(NoBackoff(), retries)} | options
    return redis.Redis(host="127.0.0.1", port=proxy.port, protocol=2, **given)


def test_it_works_and_is_late(proxy: windsock.FaultProxy) -> None:
    with client(proxy) as store:
        store.set("k", "v")
        with proxy.fault(Delay(0.1), direction="downstream") as late:
            start = time.monotonic()
            assert store.get("k") == b"v"
            seconds = time.monotonic() - start

    assert seconds >= 0.1
    assert late.fired >= 1
    assert proxy.connections[0].upstream.endswith(SET + GET)
    assert proxy.connections[0].downstream.endswith(b"+OK\r\n$1\r\nv\r\n")


def test_a_reset_in_mid_reply_is_a_connection_error(proxy: windsock.FaultProxy) -> None:
    with client(proxy) as store:
        store.set("k", "x" * 1000)
        fault = proxy.fault(Reset(after_bytes=100), direction="downstream")
        with pytest.raises(redis.ConnectionError, match="reset"):
            store.get("k")

    assert fault.fired == 1
    assert any("~ fault: Reset(100) downstream" in line for line in proxy.transcript())


def test_a_client_that_tries_again_gets_its_answer(proxy: windsock.FaultProxy) -> None:
    proxy.fault(Reset(after_bytes=1), connections=first(1), direction="downstream")

    with client(proxy, 3, retry_on_error=[redis.ConnectionError]) as store:
        assert store.ping()

    assert len(proxy.connections) == 2


def test_a_cut_line_is_a_timeout_and_mended_works_again(proxy: windsock.FaultProxy) -> None:
    with client(proxy) as store:
        assert store.ping()
        with windsock.partition(proxy), pytest.raises(redis.TimeoutError), client(proxy, socket_timeout=0.2) as late:
            late.ping()
        assert store.ping()
