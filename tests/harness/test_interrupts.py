"""What is left when a signal's handler raises at any moment, when descriptors run out, or when a process is killed."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import windsock
from tests.support.processes import run_python
from windsock.net.addresses import PrivateSocketPath
from windsock.net.interrupts import uninterrupted, uninterrupted_start

ROOT = Path(__file__).parents[2]
HITS = 250


def run(program: str, *arguments: object) -> Any:
    """Run a program of this folder by itself, with warnings as errors; return what it prints."""
    command = [sys.executable, "-W", "error", "-m", f"tests.harness.{program}", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=55, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
@pytest.mark.parametrize("seed", range(4))
def test_signals_at_any_moment_leave_nothing(seed: int) -> None:
    found = run("interrupted", HITS, seed)

    assert found["hits"] >= HITS
    assert (found["left"], found["errors"]) == ({}, {})


@pytest.mark.skipif(sys.platform != "linux", reason="counts the descriptors of Linux")
def test_a_server_or_proxy_that_runs_out_of_descriptors_leaves_none() -> None:
    assert run("starved") == []


class Handled(Exception):
    """What the handlers of these tests raise."""


@pytest.fixture
def user_signal() -> Any:
    """Have SIGUSR1 raise."""

    def raise_it(*_: object) -> None:
        raise Handled

    before = signal.signal(signal.SIGUSR1, raise_it)
    yield signal.SIGUSR1
    signal.signal(signal.SIGUSR1, before)


def test_a_handler_runs_once_the_guarded_function_is_done(user_signal: int) -> None:
    done = []

    @uninterrupted
    def work() -> None:
        os.kill(os.getpid(), user_signal)
        done.append("all")

    with pytest.raises(Handled):
        work()

    assert done == ["all"]


def test_the_second_signal_of_a_kind_is_not_held_back(user_signal: int) -> None:
    done = []

    @uninterrupted
    def work() -> None:
        os.kill(os.getpid(), user_signal)
        done.append("first")
        os.kill(os.getpid(), user_signal)
        done.append("second")

    with pytest.raises(Handled):
        work()

    assert done == ["first"]


def test_what_a_signal_interrupts_behind_its_start_is_stopped(user_signal: int) -> None:
    events = []

    class Started:
        @uninterrupted_start
        def __init__(self) -> None:
            os.kill(os.getpid(), user_signal)
            events.append("started")

        def stop(self) -> None:
            events.append("stopped")

    with pytest.raises(Handled):
        Started()

    assert events == ["started", "stopped"]


def test_handlers_are_the_users_own_again_afterwards(user_signal: int) -> None:
    before = signal.getsignal(user_signal)

    with windsock.serving():
        pass

    assert signal.getsignal(user_signal) is before
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_the_garbage_collector_stops_meanwhile_changes_nothing(user_signal: int) -> None:
    before = signal.getsignal(user_signal)
    calls = []

    @uninterrupted
    def nested(*_: object) -> None:
        calls.append("collected")

    @uninterrupted
    def work() -> None:
        return None

    threshold = gc.get_threshold()
    gc.callbacks.append(nested)
    gc.set_threshold(1)
    try:
        for _ in range(100):
            work()
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(nested)

    assert len(calls) > 100
    assert signal.getsignal(user_signal) is before
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_server_that_is_let_go_of_is_stopped_with_a_warning() -> None:
    server = windsock.serving(transport="unix_stream")
    directory = Path(server.path).parent

    with pytest.warns(ResourceWarning, match="was never stopped"):
        del server

    assert not directory.exists()


def test_a_proxy_that_is_let_go_of_is_stopped_with_a_warning(tmp_path: Path) -> None:
    with windsock.serving() as server:
        proxy = windsock.proxy(server.address)
        address = proxy.address

        with pytest.warns(ResourceWarning, match="was never stopped"):
            del proxy

        with pytest.raises(windsock.ConnectFailed, match="refused"):
            windsock.scripted_client(address)


LEAVES = """
import os, signal, windsock
server = windsock.serving(transport="unix_stream")
print(os.path.dirname(server.path), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_directories_of_a_killed_process_are_removed_by_the_next_one(tmp_path: Path) -> None:
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    killed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LEAVES], env=environment, capture_output=True, text=True, timeout=30
    )
    directory = Path(killed.stdout.strip())
    assert killed.returncode == -signal.SIGKILL
    assert directory.is_dir()

    next_one = "import windsock\nwith windsock.serving(transport='unix_stream'): pass"
    run_python(next_one, TMPDIR=str(tmp_path))

    assert list(tmp_path.iterdir()) == []


def test_directories_of_others_are_left_alone(tmp_path: Path) -> None:
    mine = PrivateSocketPath(str(tmp_path))
    not_ours = tmp_path / "ws-99999999-not-a-name-of-ours"
    not_ours.mkdir()

    again = "import sys\nfrom windsock.net.addresses import PrivateSocketPath\nPrivateSocketPath(sys.argv[1]).remove()"
    run_python(again, str(tmp_path))

    assert {each.name for each in tmp_path.iterdir()} == {not_ours.name, Path(mine.directory).name}
    mine.remove()
