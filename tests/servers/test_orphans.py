"""Forked children of a process that was killed end, whatever their handlers wait for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.waiting import wait_until

PROGRAM = """
import os, socket, sys, threading
import windsock

def handler(request, client_address, server):
    os.write(1, b"%d\\n" % os.getpid())
    {wait}

server = windsock.serving(handler, concurrency="forking", transport={transport!r})
client = socket.socket(server.server.address_family, server.server.socket_type)
client.connect(server.address)
client.send(b"x")
threading.Event().wait(60)
"""

only_linux = pytest.mark.skipif(sys.platform != "linux", reason="prctl(2) is Linux's")


def is_running(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


def state(pid: int) -> str:
    """Return what proc(5) says of a process: S if it sleeps."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@only_linux
@pytest.mark.parametrize(
    "wait", ["threading.Event().wait(60)", "import time; time.sleep(60)", "pair = socket.socketpair(); pair[0].recv(1)"]
)
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_children_end_with_the_process_that_forked_them(transport: str, wait: str) -> None:
    code = PROGRAM.format(transport=transport, wait=wait)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        wait_until(lambda: state(child) == "S", "the child's handler to wait")

        parent.send_signal(signal.SIGKILL)

        wait_until(lambda: not is_running(child), "the end of the child")
        assert parent.stdout.read() == b""  # nobody holds the pipe


@only_linux
def test_a_child_outlives_the_loop_that_forked_it() -> None:
    code = PROGRAM.format(transport="tcp", wait="request.recv(10); request.recv(10); request.sendall(b'y')").replace(
        "threading.Event().wait(60)",
        """
import time
while len(server.connections) == 0 or not server.connections[0].upstream:
    time.sleep(0.01)
server.server.shutdown()
client.send(b"x")
client.settimeout(5)
os.write(1, client.recv(1))
server.stop()
""",
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, timeout=30, check=True)

    assert done.stdout.splitlines()[-1] == b"y"


INTERRUPTED = (
    PROGRAM.replace("threading.Event().wait(60)", "").replace("transport=", "timeout=60, transport=")
    + """
request_stop = server.server.request_stop
server.server.request_stop = lambda: (os.write(1, b"stopping\\n"), request_stop())
sys.stdin.readline()
try:
    {end}
except KeyboardInterrupt:
    os.write(1, b"interrupted\\n")
    sys.stdin.read()
"""
)


@only_linux
@pytest.mark.parametrize("end", ["server.stop()", "server.outage().__enter__()"])
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_stop_that_is_interrupted_kills_the_children(transport: str, end: str) -> None:
    code = INTERRUPTED.format(transport=transport, wait="threading.Event().wait(60)", end=end)
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdin is not None
        output = parent.stdout
        assert output is not None
        child = int(output.readline())
        parent.stdin.write(b"\n")
        parent.stdin.flush()
        assert output.readline() == b"stopping\n"
        reader = threading.Thread(target=lambda: list(iter(output.readline, b"interrupted\n")))
        reader.start()

        def is_interrupted() -> bool:
            parent.send_signal(signal.SIGINT)  # the first waits for the end of the stop, the second does not
            return not reader.is_alive()

        wait_until(is_interrupted, "the interrupted stop")

        wait_until(lambda: not is_running(child), "the end of the child")
        parent.kill()
        reader.join()
