"""Ctrl-C: the run ends, and what is left to read says where everyone stood and what the servers recorded."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import Run

INTERRUPTS = """
    import asyncio, linecache, os, signal, socket, sys, threading, time
    import pytest, trio
    from windsock import servers

    WAITING, HANDLING = os.pipe()

    class Waits(servers.StreamRequestHandler):
        def handle(self):
            self.request.recv(4)
            os.write(HANDLING, b"%d\\n" % os.getpid())
            threading.Event().wait(5)

    def is_at(frame, name, code):
        return frame.f_code.co_name == name and code in linecache.getline(frame.f_code.co_filename, frame.f_lineno)

    def client_waits():
        frame = sys._current_frames()[threading.main_thread().ident]
        return frame.f_code.co_name in ("get_events", "select") or is_at(frame, "wait", "client.recv")

    def handler_waits(pid):
        if pid != os.getpid():
            with open(f"/proc/{{pid}}/stat") as stat:
                return " S " in stat.read()
        frames = list(sys._current_frames().values())
        return any(is_at(each, "handle", "wait(5)") for frame in frames for each in outwards(frame))

    def outwards(frame):
        while frame is not None:
            yield frame
            frame = frame.f_back

    def until(condition, *arguments):
        deadline = time.monotonic() + 10
        while not condition(*arguments) and time.monotonic() < deadline:
            time.sleep(0.001)

    def interrupt(descriptor):
        until(client_waits)
        os.write(descriptor, b"PING")
        until(handler_waits, int(os.read(WAITING, 20)))
        for pid in {pids}:
            os.kill(pid, signal.SIGINT)

    def begin(descriptor):
        threading.Thread(target=interrupt, args=(descriptor,), daemon=True).start()

    @pytest.mark.windsock(handler=Waits, timeout=0.5)
    @pytest.mark.parametrize("concurrency", ["{concurrency}"])
    def test_it(serve, concurrency):
        server = serve(concurrency=concurrency)
        {body}

    def wait(server):
        with socket.create_connection(server.address) as client:
            begin(client.fileno())
            client.recv(1)

    async def wait_with_trio(server):
        async with await trio.open_tcp_stream(*server.address) as client:
            begin(client.socket.fileno())
            await client.receive_some(1)

    async def wait_with_asyncio(server):
        reader, writer = await asyncio.open_connection(*server.address)
        try:
            begin(writer.get_extra_info("socket").fileno())
            await reader.read(1)
        finally:
            writer.close()
"""
BODIES = {
    "wait(server)": "*the test stood at *in wait: client.recv(1)",
    "trio.run(wait_with_trio, server)": "*the test stood at *in wait_with_trio: await client.receive_some(1)",
    "asyncio.run(wait_with_asyncio(server))": "*the test stood at *in test_it: asyncio.run(*",
}
SHOWN = [
    "*= interrupted tests =*",
    "windsock: *::test_it* was interrupted",
    "*in handle: threading.Event().wait(5)",
    "*windsock: * tcp server, *TCPServer on 127.0.0.1:*, 1 connection",
    "*#0 > 4 B b'PING'*",
]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("concurrency", ["threading", "forking", "selecting"])
def test_a_hang_that_is_interrupted_shows_where_everyone_stood(run_apart: Run, concurrency: str, body: str) -> None:
    result = run_apart(INTERRUPTS.format(pids="[os.getpid()]", concurrency=concurrency, body=body), "-p", "no:xdist")

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines_random([*SHOWN, BODIES[body], "*KeyboardInterrupt*"])
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()


def test_an_interrupted_run_of_workers_shows_it_too(run_apart: Run) -> None:
    code = INTERRUPTS.format(pids="[os.getppid(), os.getpid()]", concurrency="threading", body="wait(server)")

    result = run_apart(code, "-n1")

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines_random([*SHOWN, "*the test stood at *in wait: client.recv(1)"])


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
