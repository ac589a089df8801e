"""Beside pytest-asyncio and anyio's plugin: the fixtures are the same, in every mode and in every loop."""

from __future__ import annotations

import inspect

import pytest
import trio

from tests.plugin.conftest import Run
from tests.support.async_loops import HAS_UVLOOP

COMMON = """
import asyncio

import pytest
import windsock
from windsock import AsyncioClient, Script

framed = pytest.mark.windsock(framing="lines", allow_unused=True)

async def reconnecting(address):
    while True:
        reader, writer = await asyncio.open_connection(*address)
        try:
            writer.write(b"hello\\n")
            await reader.read(100)
        finally:
            writer.close()
"""
TESTS = """
@framed
async def test_a_request_of_a_task_is_waited_for(tcp_server):
    tcp_server.on(b"hello").reply(b"hi\\n", end="close")
    task = asyncio.ensure_future(reconnecting(tcp_server.address))
    assert len(await tcp_server.requests.wait_async(2)) >= 2
    task.cancel()
    await asyncio.wait([task])

@framed
async def test_a_blocking_wait_says_so_at_once(tcp_server):
    with pytest.raises(windsock.BlocksLoop, match=r"write: await requests\\.wait_async\\(2\\)"):
        tcp_server.requests.wait(2)

async def test_a_client_of_a_server_in_the_loop(unused=None):
    async def handle(reader, writer):
        writer.write((await reader.readline()).upper())
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        async with AsyncioClient(server.sockets[0].getsockname()) as client:
            await client.play(Script().send(b"x\\n").expect(b"X\\n").expect_eof())

async def test_a_client_of_a_fixture(forking_tcp_server, serve, fault_proxy):
    forking_tcp_server.echo()
    async with forking_tcp_server.connect_asyncio() as client:
        await client.send(b"x")
        await client.expect(b"x")
    proxy = fault_proxy(serve().echo().address)
    async with AsyncioClient(proxy.address) as client:
        await client.play(Script().send(b"x").expect(b"x"))
"""
MARKED = COMMON + "pytestmark = pytest.mark.asyncio\n" + TESTS
PYTEST_ASYNCIO = ("-p", "asyncio", "-W", "ignore::DeprecationWarning", "-W", "ignore::pytest.PytestDeprecationWarning")


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_pytest_asyncio(run_apart: Run, mode: str) -> None:
    code = MARKED if mode == "strict" else COMMON + TESTS

    run_apart(code, *PYTEST_ASYNCIO, f"--asyncio-mode={mode}").assert_outcomes(passed=4)


@pytest.mark.skipif(not HAS_UVLOOP, reason="uvloop has no wheel for this Python")
def test_pytest_asyncio_with_uvloop(run_apart: Run, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import pytest, uvloop

        @pytest.fixture(scope="session")
        def event_loop_policy():
            return uvloop.EventLoopPolicy()
        """
    )
    is_uvloop = "\nasync def test_it_is_uvloop():\n    assert 'uvloop' in repr(type(asyncio.get_running_loop()))\n"

    run_apart(MARKED + is_uvloop, *PYTEST_ASYNCIO).assert_outcomes(passed=5)


ANYIO = """
import anyio
import pytest
import windsock

async def talk(address):
    async with await anyio.connect_tcp(*address) as stream:
        await stream.send(b"hello\\n")
        async for each in stream:
            assert each == b"hi\\n"

@pytest.mark.windsock(framing="lines")
async def test_a_request_of_a_task_is_waited_for(tcp_server):
    tcp_server.on(b"hello").reply(b"hi\\n", end="close")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(talk, tcp_server.address)
        tasks.start_soon(talk, tcp_server.address)
        assert len(await tcp_server.requests.wait_async(2)) == 2

async def test_a_client_for_the_loop(tcp_server, anyio_backend_name):
    tcp_server.echo()
    connect = getattr(tcp_server, f"connect_{anyio_backend_name}")
    async with connect() as client:
        await client.send(b"x")
        await client.expect(b"x")

async def test_a_blocking_wait_says_so_at_once(tcp_server, anyio_backend_name):
    with pytest.raises(windsock.BlocksLoop, match=f"blocks the {anyio_backend_name} loop"):
        tcp_server.requests.wait()

async def test_a_step_that_is_cancelled(tcp_server, anyio_backend_name):
    async with getattr(tcp_server, f"connect_{anyio_backend_name}")() as client:
        with anyio.move_on_after(0.01):
            await client.expect(b"never")
        assert client.outcome == "closed"
"""
MARK = "import pytest\npytestmark = pytest.mark.anyio\n"


@pytest.mark.skipif(
    "reason" not in inspect.signature(trio.CancelScope.cancel).parameters,
    reason="this version of anyio needs a later trio",
)
@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_anyio(run_apart: Run, mode: str) -> None:
    options = [] if mode == "strict" else ["-o", "anyio_mode=auto"]

    result = run_apart((MARK if mode == "strict" else "") + ANYIO, "-p", "anyio", *options)

    result.assert_outcomes(passed=8)


@pytest.mark.skipif(not HAS_UVLOOP, reason="uvloop has no wheel for this Python")
def test_anyio_with_uvloop(run_apart: Run, pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import pytest

        @pytest.fixture
        def anyio_backend():
            return "asyncio", {"use_uvloop": True}
        """
    )

    run_apart(MARK + ANYIO, "-p", "anyio").assert_outcomes(passed=4)


def test_a_failure_is_not_blamed_on_a_client_that_could_not_run(run_apart: Run) -> None:
    result = run_apart(
        """
        import pytest

        @pytest.mark.asyncio
        async def test_it(tcp_server):
            tcp_server.requests.wait()
        """,
        *PYTEST_ASYNCIO,
    )

    result.stdout.fnmatch_lines(["E *BlocksLoop: requests.wait(1): this blocks the asyncio loop *wait_async(1)"])
    result.stdout.no_fnmatch_line("*no client connected*")
