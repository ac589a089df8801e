"""Programs that do not start: each error names the command, what happened, the last lines, and what to do."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real_servers.conftest import SERVER, answers, is_alive, refuses
from tests.support.waiting import HOUR, ends_in_time
from windsock import ProgramEnded, ProgramMissing, ProgramNotReady, RealServer, real_server
from windsock.programs.ports import free_port


def test_a_missing_program() -> None:
    with pytest.raises(ProgramMissing, match=r"no such program in .*/usr/sbin.*install it") as caught:
        real_server(["windsock-of-nowhere", "{port}"])

    assert caught.value.program == "windsock-of-nowhere"
    with pytest.raises(ProgramMissing, match="at that path"):
        real_server(["./windsock-of-nowhere", "{port}"])


def test_one_that_exits_at_once_says_so_at_once() -> None:
    with ends_in_time(), pytest.raises(ProgramEnded, match=r"exited with code 3 .*before it was ready") as caught:
        real_server([*SERVER, "exit", "3"], timeout=HOUR)

    assert caught.value.exit_code == 3
    assert caught.value.lines == ["no config"]
    assert "program.py" in str(caught.value)


@pytest.mark.parametrize("ready", ["a line that never comes", lambda server: False])
def test_it_says_so_at_once_however_ready_is_known(ready: object) -> None:
    with ends_in_time(), pytest.raises(ProgramEnded, match="exited with code 3"):
        real_server([*SERVER, "exit", "3"], timeout=HOUR, ready=ready)


def test_one_that_a_signal_ends() -> None:
    with pytest.raises(ProgramEnded, match="was ended by SIGKILL") as caught:
        real_server([*SERVER, "killed"])

    assert caught.value.exit_code == -9


@pytest.mark.parametrize(
    ("ready", "why"),
    [
        ("connect", "nothing accepts connections at 127.0.0.1:"),
        ("ready now", "no line of its output matched 'ready now'"),
        (lambda server: 1 / 0, "the probe has last raised ZeroDivisionError"),
    ],
)
def test_one_that_never_gets_ready(ready: object, why: str) -> None:
    with pytest.raises(ProgramNotReady, match=f"not ready within 0.2 s: {why}.*longer timeout="):
        real_server([*SERVER, "silent"], timeout=0.2, ready=ready)


def test_where_it_listens_is_no_hint_if_that_is_its_address() -> None:
    with pytest.raises(ProgramNotReady, match=r"matched 'never'; pass a longer timeout= or another ready="):
        real_server(SERVER, timeout=1, ready="never")

    with pytest.raises(ProgramNotReady, match=r"nothing takes datagrams at 127.0.0.1:\d+; pass a longer"):
        real_server(SERVER, timeout=1, transport="udp")


def test_a_file_that_may_not_be_executed(tmp_path: Path) -> None:
    (tmp_path / "data").touch()

    with pytest.raises(ProgramMissing, match="at that path, or it may not be executed"):
        real_server([str(tmp_path / "data"), "{port}"])


def test_one_that_listens_elsewhere() -> None:
    def never(server: RealServer) -> bool:
        server.output.wait_for("listening elsewhere", timeout=10)
        return False

    with pytest.raises(ProgramNotReady, match=r"it listens on 127\.0\.0\.1:\d+: was it told its address") as caught:
        real_server([*SERVER, "elsewhere"], timeout=0.01, ready=never)

    assert isinstance(caught.value, TimeoutError)


def test_one_that_goes_to_the_background_is_found_there() -> None:
    with pytest.raises(ProgramEnded, match=r"left a process in the background \(pid (\d+)\).*--daemonize no") as caught:
        real_server([*SERVER, "background"])

    pid = int(str(caught.value).partition("(pid ")[2].partition(")")[0])
    assert not is_alive(pid)


@pytest.fixture
def foreign_listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def choose(monkeypatch: pytest.MonkeyPatch, taken: int, times: int) -> None:
    """Have a port that is taken chosen that many times."""
    genuine, ports = free_port, [taken] * times
    monkeypatch.setattr(
        "windsock.programs.placeholders.free_port", lambda host: ports.pop() if ports else genuine(host)
    )


def test_another_port_if_another_process_takes_it_first(
    foreign_listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(monkeypatch, foreign_listener.getsockname()[1], 2)

    with real_server(SERVER) as server:
        assert server.port != foreign_listener.getsockname()[1]
        assert answers(server)


def test_another_process_on_the_port_is_not_the_program(
    foreign_listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It accepts connections there, while the program has not noticed."""
    choose(monkeypatch, foreign_listener.getsockname()[1], 1000)

    with pytest.raises(ProgramEnded, match="another process answers at its address"):
        real_server([*SERVER, "silent"])


def test_nothing_is_left_of_failed_starts(tmp_path: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))
    for words in (["exit", "1"], ["background"], ["silent"]):
        with pytest.raises((ProgramEnded, ProgramNotReady)):
            real_server([*SERVER, *words], timeout=0.2)

    assert set(os.listdir("/proc/self/fd")) == before


def test_a_program_that_cannot_be_executed_is_reported_by_the_system(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/nowhere/interpreter\n")
    broken.chmod(0o755)

    with pytest.raises(ProgramEnded, match=r"exited with code 12[67]") as caught:
        real_server([broken, "{port}"])

    assert "broken" in caught.value.lines[0]
    assert refuses(("127.0.0.1", int(caught.value.command[1])))
