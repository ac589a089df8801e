"""Runs that are killed while a forked child of a server lives: whoever waits for the end of their output sees it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugin.conftest import PLUGIN, Run

KILLED = """
    import os, pathlib, signal, socket, threading, time
    import pytest
    from windsock import servers

    class Waits(servers.StreamRequestHandler):
        def handle(self):
            self.request.sendall(b"%d\\n" % os.getpid())
            threading.Event().wait(600)

    @pytest.mark.windsock(handler=Waits)
    def test_it(forking_tcp_server):
        with socket.create_connection(forking_tcp_server.address) as client:
            pid = int(client.makefile().readline())
            while " S " not in pathlib.Path(f"/proc/{pid}/stat").read_text():
                time.sleep(0.01)  # until the handler waits
            os.kill(os.getpid(), signal.SIGKILL)

    def test_next(tcp_server):
        pass
"""

only_linux = pytest.mark.skipif(sys.platform != "linux", reason="prctl(2) is Linux's")


@only_linux
def test_a_run_whose_worker_is_gone_goes_on_and_ends(run_apart: Run) -> None:
    result = run_apart(KILLED, "-n1", "-p", "no:randomly")

    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*worker 'gw0' crashed while running '*::test_it'"])


@only_linux
@pytest.mark.usefixtures("run_apart")
def test_a_pipeline_ends_when_pytest_is_killed(pytester: pytest.Pytester) -> None:
    path = pytester.makepyfile(KILLED)
    log = Path("log")
    pytest_command = [sys.executable, "-m", "pytest", *PLUGIN, "-p", "no:randomly", str(path)]

    with (
        subprocess.Popen(pytest_command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run,
        subprocess.Popen(["tee", str(log)], stdin=run.stdout, stdout=subprocess.DEVNULL) as tee,
    ):
        assert tee.wait(50) == 0

    assert run.returncode == -9
    assert path.name in log.read_text()
