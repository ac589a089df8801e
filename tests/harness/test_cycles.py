"""What was recorded is gone with its last user, and not when the collector comes by: its memory is used again."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trio  # noqa: F401  # its import keeps the frames of whoever comes first, in a cycle

import windsock
from tests.support.servers import DATAGRAMS, RECORDS, TRANSPORTS, ask, on_every_kind
from tests.support.waiting import DEADLINE
from windsock import faults, servers
from windsock.recording.store.buffer_pool import POOL
from windsock.relay.loop import RelayLoop


class Answers(servers.BaseRequestHandler):
    def handle(self) -> None:
        if isinstance(self.request, tuple):
            self.request[1].sendto(self.request[0], self.client_address)
        else:
            self.request.sendall(self.request.recv(10))


@contextmanager
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def is_gone(used: Any) -> bool:
    """Return whether nothing but the argument has known the recording of a server or proxy."""
    recording = weakref.ref(used.pop()._recorder)
    return recording() is None


@pytest.mark.parametrize(
    "options", [{}, {"relay": True}, {"faults": [faults.Delay(0.001)]}], ids=["plain", "relayed", "faults"]
)
@on_every_kind
def test_a_stopped_server_s_recording(transport: str, concurrency: str, options: dict[str, Any]) -> None:
    with without_collector():
        used = [windsock.serving(Answers, transport=transport, concurrency=concurrency, **options)]
        with used[0] as server:
            assert ask(server, b"x") == [b"x"]
        del server

        assert is_gone(used)


@on_every_kind
def test_a_stopped_fake_s_recording(transport: str, concurrency: str) -> None:
    with without_collector():
        used = [windsock.serving(transport=transport, concurrency=concurrency)]
        used[0].on(b"x").reply(b"y")
        with used[0] as server:
            assert ask(server, b"x") == [b"y"]
        del server

        assert is_gone(used)


@pytest.mark.parametrize("concurrency", windsock.harness.CONCURRENCIES)
def test_that_of_a_fake_with_a_script(concurrency: str) -> None:
    with without_collector():
        used = [windsock.serving(concurrency=concurrency)]
        used[0].play(windsock.Script().expect(b"x").send(b"y"))
        with used[0] as server, server.connect() as client:
            client.send(b"x").expect(b"y").expect_eof()
        del server, client

        assert is_gone(used)


@pytest.mark.parametrize("transport", [*TRANSPORTS, RECORDS])
def test_that_of_a_stopped_proxy_and_its_memory(transport: str) -> None:
    way = {"transport": transport} if transport in ("udp", RECORDS) else {}
    with windsock.serving(Answers, transport=transport, concurrency="threading") as server, without_collector():
        used = [windsock.proxy(server.address, **way)]  # type: ignore[arg-type]  # the transport only
        before = len(POOL)
        with used[0] as proxy, windsock.scripted_client(proxy.address, **way) as client:  # type: ignore[arg-type]
            client.send(b"x").expect(b"x")
            if transport not in DATAGRAMS:
                client.expect_eof()
        del proxy, client

        assert is_gone(used)
        assert len(POOL) > before


def test_the_memory_of_a_house_returns_when_it_stops() -> None:
    relay_loop = RelayLoop("house", print)
    relay_loop.start()
    before = len(POOL)

    relay_loop.stop(DEADLINE)

    assert len(POOL) == before + 1
