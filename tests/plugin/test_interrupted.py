"""Ctrl-C: the run ends, and what is left to read says where everyone stood and what the servers recorded."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Run

INTERRUPTS = """
    import asyncio, os, signal, socket, threading, time
    import pytest, trio
    from windsock import servers

    class Interrupts(servers.StreamRequestHandler):
        def handle(self):
            self.request.recv(4)
            for pid in {pids}:
                os.kill(pid, signal.SIGINT)
            threading.Event().wait(2)

    @pytest.mark.windsock(handler=Interrupts, timeout=0.5)
    @pytest.mark.parametrize("concurrency", ["{concurrency}"])
    def test_it(serve, concurrency):
        server = serve(concurrency=concurrency)
        {body}

    def let_fork(server):
        while not getattr(server.server, "active_children", True):
            time.sleep(0.001)

    def wait(server):
        with socket.create_connection(server.address) as client:
            let_fork(server)
            client.sendall(b"PING")
            client.recv(1)

    async def wait_with_trio(server):
        async with await trio.open_tcp_stream(*server.address) as client:
            let_fork(server)
            await client.send_all(b"PING")
            await client.receive_some(1)

    async def wait_with_asyncio(server):
        reader, writer = await asyncio.open_connection(*server.address)
        let_fork(server)
        try:
            writer.write(b"PING")
            await reader.read(1)
        finally:
            writer.close()
"""
BODIES = {
    "wait(server)": "*the test stood at *in wait: client.*",  # in sendall(), or in recv() already
    "trio.run(wait_with_trio, server)": "*the test stood at *in wait_with_trio: await client.*",
    "asyncio.run(wait_with_asyncio(server))": "*the test stood at *in test_it: asyncio.run(*",
}
SHOWN = [
    "*= interrupted tests =*",
    "windsock: *::test_it* was interrupted",
    "*in handle: *",
    "*windsock: * tcp server, *TCPServer on 127.0.0.1:*, 1 connection",
    "*#0 > 4 B b'PING'*",
]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("concurrency", ["threading", "forking", "selecting"])
def test_a_hang_that_is_interrupted_shows_where_everyone_stood(run_apart: Run, concurrency: str, body: str) -> None:
    pids = "[os.getppid()]" if concurrency == "forking" else "[os.getpid()]"

    result = run_apart(INTERRUPTS.format(pids=pids, concurrency=concurrency, body=body), "-p", "no:xdist")

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines_random([*SHOWN, BODIES[body], "*KeyboardInterrupt*"])
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()


def test_an_interrupted_run_of_workers_shows_it_too(run_apart: Run) -> None:
    code = INTERRUPTS.format(pids="[os.getppid(), os.getpid()]", concurrency="threading", body="wait(server)")

    result = run_apart(code, "-n1")

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines_random([*SHOWN, "*the test stood at *in wait: client.*"])


def test_what_an_interrupted_test_has_left_undone_is_no_failure(run_apart: Run) -> None:
    result = run_apart(
        """
        import signal, socket

        def test_it(tcp_server, serve, scripted_client):
            tcp_server.on(b"never").reply(b"sent")
            tcp_server.fault(__import__("windsock").faults.Delay(0.1))
            scripted_client(tcp_server.address).play_in_background(__import__("windsock").Script().expect(b"x"))
            serve(lambda *_: 1 / 0, name="failing").connect().expect_eof()
            signal.raise_signal(signal.SIGINT)
        """
    )

    assert result.ret == pytest.ExitCode.INTERRUPTED
    output = result.stdout.str() + result.stderr.str()
    assert "INTERNALERROR" not in output
    assert "Traceback" not in output
    result.stdout.fnmatch_lines_random(["*= interrupted tests =*", "*the test stood at *signal.raise_signal*"])
