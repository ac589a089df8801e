"""Blocking clients in the thread of an event loop: a wait in vain says that it has blocked the loop."""

from __future__ import annotations

import asyncio

import pytest

import windsock
from tests.support.async_loops import ASYNCIO_LOOPS, LOOPS, run_in
from tests.support.waiting import HOUR
from windsock import BlocksLoop, Script, ScriptMismatch, ScriptTimeout, UsageError


@pytest.mark.parametrize("loop", ASYNCIO_LOOPS)
@pytest.mark.parametrize("tls", [False, True])
def test_a_client_that_blocks_the_loop_of_its_server_says_so(loop: str, tls: bool) -> None:
    async def main() -> None:
        async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as server:
            address = server.sockets[0].getsockname()
            with (
                pytest.raises(windsock.WaitTimeout, match=r"this blocked the asyncio loop.*windsock\.AsyncioClient"),
                windsock.scripted_client(address, timeout=0.05, tls=tls) as client,
            ):
                client.expect(b"220 hi\r\n")

    run_in(loop, main)


def test_a_client_that_blocks_a_loop_of_trio_says_so() -> None:
    async def main() -> None:
        with pytest.raises(ScriptTimeout, match=r"this blocked the trio loop.*windsock\.TrioClient"):
            client.expect(b"x", timeout=0.01)

    with windsock.serving() as server, server.connect() as client:
        run_in("trio", main)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_script_in_the_background_is_joined_by_a_task(loop: str) -> None:
    async def main() -> None:
        with server.connect() as client:
            await client.play_in_background(Script().send(b"x").expect(b"x")).join_async()
            wrong = client.play_in_background(Script().send(b"x").expect(b"y"))
            with pytest.raises(ScriptMismatch):
                await wrong.join_async()
        with server.connect() as client:
            waiting = client.play_in_background(Script().expect(b"never"), strict=False)
            with pytest.raises(windsock.WaitTimeout, match=r"still at step 1 of 1, .* after 0\.01 s"):
                await waiting.join_async(0.01)
            with pytest.raises(BlocksLoop, match=r"join\(\): .*; write: await join_async\(\)"):
                waiting.join()
            with pytest.raises(UsageError, match="timeout=-1"):
                await waiting.join_async(-1)

    with windsock.serving(timeout=HOUR).echo() as server:
        run_in(loop, main)
