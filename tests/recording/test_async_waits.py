"""Waits for a recording in a task: the loop goes on meanwhile, and a wait that would block it says so at once."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

import windsock
from tests.support.async_loops import LOOPS, run_in
from tests.support.waiting import DEADLINE, HOUR
from windsock import BlocksLoop, RequestMismatch, RequestTimeout, UsageError
from windsock.harness import CONCURRENCIES

Server = windsock.RunningServer
pytestmark = pytest.mark.parametrize("loop", LOOPS)


async def talk(server: Server) -> None:
    """Send one message, and read to the end of the stream."""
    async with await anyio.connect_tcp(*server.address) as stream:
        await stream.send(b"hello\n")
        async for each in stream:
            assert each == b"hi\n"


def answering(**options: Any) -> Server:
    server = windsock.serving(framing="lines", allow_unused=True, **options)
    server.on(b"hello").reply(b"hi\n", end="close")
    return server


@pytest.mark.parametrize("concurrency", CONCURRENCIES)
def test_a_client_in_the_loop_goes_on_while_its_request_is_waited_for(loop: str, concurrency: str) -> None:
    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(talk, server)
            (request,) = await server.requests.wait_async()
            assert request.data == b"hello\n"
            assert (await server.requests.only_async()).data == b"hello\n"
            (connection,) = await server.connections.wait_async()
            assert connection.is_closed

    with answering(concurrency=concurrency) as server:
        run_in(loop, main)


@pytest.mark.parametrize("concurrency", ["threading", "forking"])
def test_tasks_and_threads_wait_for_one_recording_at_a_time(loop: str, concurrency: str) -> None:
    seen = []

    async def wait(count: int) -> None:
        seen.append(len(await server.requests.wait_async(count)) >= count)

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for count in (1, 2, 3, 3):
                tasks.start_soon(wait, count)
            for _ in range(3):
                await talk(server)

    with answering(concurrency=concurrency) as server:
        threads = [threading.Thread(target=server.requests.wait, args=(count,)) for count in (1, 3)]
        for each in threads:
            each.start()
        run_in(loop, main)
        for each in threads:
            each.join(DEADLINE)

    assert seen == [True] * 4
    assert not any(each.is_alive() for each in threads)


@pytest.mark.parametrize("concurrency", ["threading", "forking"])
def test_a_wait_that_is_cancelled_leaves_nothing(loop: str, concurrency: str) -> None:
    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(server.requests.wait_async, 1, HOUR)
            await anyio.wait_all_tasks_blocked()
            assert threading.active_count() == threads
            tasks.cancel_scope.cancel()

    with answering(concurrency=concurrency) as server:
        threads = threading.active_count()
        run_in(loop, main)


def test_a_wait_goes_on_after_the_first_fork(loop: str) -> None:
    """The descriptor that children write to is made by the fork."""

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.requests.wait_async)
            await anyio.wait_all_tasks_blocked()
            await talk(server)

    def handler(request: socket.socket, *_: object) -> None:
        pid = os.fork()
        if pid == 0:
            signal.alarm(int(DEADLINE))
            request.recv(100)
            os._exit(0)
        os.waitpid(pid, 0)

    with windsock.serving(handler, framing="lines") as server:
        run_in(loop, main)


def test_a_wait_in_vain_shows_what_came(loop: str) -> None:
    async def main() -> None:
        with pytest.raises(RequestTimeout, match=r"waited 0\.05 s for 2 complete requests, got 1; recorded:\n.*#0"):
            await server.requests.wait_async(2, timeout=0.05)
        with pytest.raises(RequestTimeout, match="2 connections to end, got 1"):
            await server.connections.wait_async(2, timeout=0.05)
        with pytest.raises(RequestMismatch, match="no request"):
            await server.requests.none_async()
        await server.requests.only_async(timeout=0)

    with answering() as server:
        run_in(loop, lambda: talk(server))
        server.connections.wait()
        run_in(loop, main)


def test_silence_is_waited_for(loop: str) -> None:
    async def main() -> None:
        await server.requests.none_async(settle=0.01)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(talk, server)
            with pytest.raises(RequestMismatch):
                await server.requests.none_async(settle=HOUR)

    with answering() as server:
        run_in(loop, main)


BLOCKING: dict[str, Callable[[Server], object]] = {
    "requests.wait(2)": lambda server: server.requests.wait(2),
    "requests.wait(1, timeout=0.5)": lambda server: server.requests.wait(timeout=0.5),
    "requests.only()": lambda server: server.requests.only(),
    "requests.only(timeout=1)": lambda server: server.requests.only(timeout=1),
    "requests.none(settle=3600)": lambda server: server.requests.none(settle=HOUR),
    "connections.wait(1)": lambda server: server.connections.wait(),
}


@pytest.mark.parametrize("call", BLOCKING)
def test_a_wait_that_would_block_the_loop_says_what_to_write(loop: str, call: str) -> None:
    library = loop.replace("uvloop", "asyncio")

    async def main() -> None:
        with pytest.raises(BlocksLoop) as caught:
            BLOCKING[call](server)
        error = caught.value
        method, opening, arguments = call.partition("(")
        assert (error.call, error.loop, error.instead) == (call, library, f"await {method}_async{opening}{arguments}")
        assert str(error).startswith(f"{call}: this blocks the {library} loop that runs in this thread")
        assert str(pickle.loads(pickle.dumps(error))) == str(error)

    with answering(timeout=HOUR) as server:
        run_in(loop, main)


def test_a_wait_for_what_has_come_already_returns_in_a_loop_too(loop: str) -> None:
    async def main() -> None:
        await talk(server)
        await server.connections.wait_async()
        assert [each.data for each in server.requests.wait()] == [b"hello\n"]
        assert server.requests.only().data == b"hello\n"
        assert len(server.connections.wait()) == 1
        with pytest.raises(RequestMismatch):
            server.requests.none(settle=HOUR)

    with answering() as server:
        run_in(loop, main)


def test_a_wait_of_no_time_blocks_nothing(loop: str) -> None:
    async def main() -> None:
        server.requests.none()
        with pytest.raises(RequestTimeout, match="waited 0 s for 1 complete request"):
            server.requests.wait(timeout=0)

    with answering() as server:
        run_in(loop, main)


WRONG: dict[str, Callable[[Server], Awaitable[object]]] = {
    "count": lambda server: server.requests.wait_async(-1),
    "count of connections": lambda server: server.connections.wait_async(True),
    "timeout": lambda server: server.requests.only_async(timeout=float("nan")),
    "settle": lambda server: server.requests.none_async(settle=-1),
}


@pytest.mark.parametrize("call", WRONG)
def test_wrong_values_are_named(loop: str, call: str) -> None:
    async def main() -> None:
        with pytest.raises(UsageError, match="expected"):
            await WRONG[call](server)

    with answering() as server:
        run_in(loop, main)


def test_without_a_loop_there_is_nothing_to_wait_in(loop: str) -> None:
    with answering() as server, pytest.raises(UsageError, match=r"requests\.wait_async\(1\): expected an event loop"):
        server.requests.wait_async().__await__().__next__()
