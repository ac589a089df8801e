"""Programs end, are paused, killed and started again; nothing of them is left."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.real_servers.conftest import PROGRAM, SERVER, answers, ask, children_of_output, is_alive, refuses
from tests.support.processes import ended_well, forked, run_python
from tests.support.waiting import wait_until
from windsock import ProgramEnded, ProgramStuck, UsageError, real_server
from windsock.faults import Delay
from windsock.programs import launch, watcher


def test_the_children_end_too() -> None:
    with real_server([*SERVER, "children"]) as server:
        children = children_of_output(server)
        assert all(map(is_alive, children))

    assert not any(map(is_alive, children))
    assert server.exit_code == -signal.SIGTERM


def test_what_goes_to_the_background_later_is_found_at_the_end() -> None:
    server = real_server(SERVER)
    child = int(ask(server.address, "leave").split()[0])
    server.process.wait(10)
    assert child != server.pid
    assert is_alive(child)

    with pytest.raises(ProgramEnded, match=f"exited with code 0, and left a process in the background .pid {child}"):
        server.finish()

    assert not is_alive(child)


def test_one_that_ignores_sigterm_is_killed_and_named() -> None:
    server = real_server([*SERVER, "deaf"], stop_timeout=0.2)

    with pytest.raises(ProgramStuck, match=r"did not end within 0.2 s of SIGTERM and was killed.*stop_signal="):
        server.stop()

    assert server.exit_code == -signal.SIGKILL
    server.stop()


def test_sigkill_as_stop_signal_is_no_failure() -> None:
    with real_server([*SERVER, "deaf"], stop_signal=signal.SIGKILL) as server:
        pass

    assert server.exit_code == -signal.SIGKILL


def test_paused_it_is_silent_and_then_goes_on() -> None:
    with real_server(SERVER) as server, socket.create_connection(server.address) as client:
        server.pause()
        client.sendall(b"hello\n")
        client.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.recv(100)

        server.resume()
        client.settimeout(10)
        assert client.recv(100) == b"%d hello\n" % (server.pid or 0)


def test_a_paused_program_can_be_stopped() -> None:
    with real_server([*SERVER, "children"]) as server:
        server.pause()

    assert server.exit_code == -signal.SIGTERM


def test_killed_and_restarted_on_the_same_address() -> None:
    with real_server([*SERVER, "children"]) as server:
        address, pid = server.address, server.pid
        children = children_of_output(server)
        server.kill()
        assert not any(map(is_alive, children))
        assert (server.is_running, server.exit_code, refuses(address)) == (False, -signal.SIGKILL, True)

        server.restart()
        assert answers(server)
        assert (server.address == address, server.pid == pid) == (True, False)


@pytest.mark.parametrize("where", ["{port}", "{path}"])
def test_an_outage(where: str) -> None:
    with real_server([*PROGRAM, where], stop_signal=signal.SIGINT) as server:
        with server.outage():
            assert not server.is_running
            with pytest.raises(OSError, match="refused"):
                ask(server.address)
        assert answers(server)


def test_an_outage_that_is_not_entered_says_that_it_did_nothing() -> None:
    with real_server([*PROGRAM, "{port}"], stop_signal=signal.SIGINT) as server:
        with pytest.warns(RuntimeWarning, match=r"outage\(\) did nothing"):
            server.outage()
        assert answers(server)


def test_a_crash_that_the_test_has_not_noticed_is_raised_at_the_end() -> None:
    server = real_server(SERVER)
    ask(server.address, "exit")

    with pytest.raises(ProgramEnded, match="exited with code 1 while the test needed it") as caught, server:
        server.process.wait(10)

    assert caught.value.lines[-1] == "told to exit"


def test_a_crash_is_no_failure_unless_strict() -> None:
    with real_server(SERVER, strict=False) as server:
        ask(server.address, "exit")
        server.process.wait(10)


def test_the_exception_of_a_with_says_what_the_program_wrote() -> None:
    server = real_server(SERVER)
    ask(server.address, "password=sesame1")

    with pytest.raises(ZeroDivisionError) as caught, server:
        raise ZeroDivisionError

    assert caught.value.__notes__[0].startswith("windsock: python")
    assert caught.value.__notes__[0].endswith("got password=*******")


def test_what_is_stopped_stays_stopped() -> None:
    with real_server(SERVER) as server:
        pass

    for act in (server.pause, server.resume, server.kill, server.restart, lambda: server.fault(Delay(1))):
        with pytest.raises(UsageError, match="stopped already"):
            act()


def test_a_forked_child_leaves_it_to_its_parent() -> None:
    with real_server(SERVER) as server:
        assert ended_well(forked(server.stop))
        assert answers(server)


KILLED = """
import os, sys
from windsock import real_server
server = real_server(sys.argv[1:])
found = server.output.wait_for("children (.*)", timeout=10)
print(server.pid, found[1], flush=True)
os.kill(os.getpid(), 9)
"""


class Interrupted(Exception):
    """What a signal's handler raises."""


@pytest.fixture
def interrupted_when_launched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Have a handler raise once a process is there; give the pids of such processes."""

    def handler(*_: object) -> None:
        raise Interrupted

    pids: list[int] = []

    def remember(pid: int) -> None:
        watcher.remember(pid)
        pids.append(pid)
        signal.raise_signal(signal.SIGUSR1)

    monkeypatch.setattr(launch, "remember", remember)
    before = signal.signal(signal.SIGUSR1, handler)
    yield pids
    signal.signal(signal.SIGUSR1, before)


def test_a_start_that_is_interrupted_leaves_no_process(interrupted_when_launched: list[int]) -> None:
    with pytest.raises(Interrupted):
        real_server(SERVER)

    (pid,) = interrupted_when_launched
    assert not is_alive(pid)


def test_nothing_outlives_a_test_process_that_is_killed() -> None:
    command = [sys.executable, "-c", KILLED, *SERVER, "children"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=50)

    pids = [int(each) for each in found.stdout.split()]
    assert len(pids) == 4, found
    wait_until(lambda: not any(map(is_alive, pids)), "the watcher")


def test_the_watcher_ends_though_it_was_told_to_forget_what_it_never_knew() -> None:
    code = (
        "import os; from windsock.programs import watcher\n"
        "watcher.announcer()\n"
        "for number in range(60): watcher.forget(10_000_000 + number)\n"
        "print(open(f'/proc/self/task/{os.getpid()}/children').read())"
    )

    (pid,) = map(int, run_python(code).split())

    wait_until(lambda: not is_alive(pid), "the watcher")


def test_one_that_was_never_stopped_is_stopped_with_the_process() -> None:
    code = "import sys; from windsock import real_server; s = real_server(sys.argv[1:]); print(s.pid)"

    pid = int(run_python(code, *SERVER))

    wait_until(lambda: not is_alive(pid), "the watcher")


def test_twenty_in_a_row_leave_nothing() -> None:
    for _ in range(20):
        with real_server(["sleep", "60", "{port}"], ready=lambda server: True) as server:
            pass
        assert not is_alive(server.pid or 0)


def test_what_happens_to_a_program_is_noted() -> None:
    with real_server(SERVER) as server:
        server.resume()
        server.pause()
        server.resume()
        server.kill()
        server.restart()
        with server.outage():
            pass

    noted = [(str(each), each.is_down) for each in server.changes]
    assert noted == [
        ("pause()", True),
        ("resume()", False),
        ("kill()", True),
        ("restart() began", True),
        ("restart() ended", False),
        ("outage() began", True),
        ("outage() ended", False),
    ]
