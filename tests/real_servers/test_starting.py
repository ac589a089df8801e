"""Programs start: their addresses, files and environment, and how it is known that they are ready."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.real_servers.conftest import PROGRAM, SERVER, answers, ask
from windsock import Script, UsageError, divert, real_server
from windsock.faults import Delay, Truncate
from windsock.programs import recipes


def test_it_answers_as_soon_as_it_is_there() -> None:
    with real_server(SERVER) as server:
        assert answers(server)
        assert server.address == (server.host, server.port) == server.addresses["port"]


def test_a_short_path_for_a_unix_socket() -> None:
    with real_server([*PROGRAM, "{path}"]) as server:
        assert answers(server)
        assert server.address == server.addresses["path"]
        assert len(server.address) < 100


def test_several_ports_and_paths_by_name() -> None:
    with real_server([*SERVER, "says", "{port:admin}", "{path:log}", "{host}", "{port}"]) as server:
        words = server.output.wait_for("^[0-9].*", timeout=10)[0].split()

    admin, log = server.addresses["admin"], server.addresses["log"]
    assert words[:4] == [str(admin[1]), log, "127.0.0.1", str(server.port)]


def test_files_come_from_templates_with_other_braces(tmp_path: Path) -> None:
    template = tmp_path / "template"
    template.write_text("path {path:log};")
    files: dict[str, Any] = {"a.conf": "http { listen {host}:{port}; }", "sub/b.conf": b"{port}", "c.conf": template}

    with real_server([*SERVER, "says", "{tmp}/a.conf"], files=files) as server:
        directory = Path(server.directory)
        written = [(directory / name).read_text() for name in files]

    assert written == [
        f"http {{ listen 127.0.0.1:{server.port}; }}",
        "{port}",
        f"path {server.addresses['log']};",
    ]
    assert not directory.exists()


def test_environment_and_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    with real_server([*SERVER, "says"], env={"WORD": "at-{port}"}, cwd="{tmp}") as server:
        found = server.output.wait_for("at-", timeout=10)

    assert found.string.split() == [f"at-{server.port}", server.directory]


def test_ready_by_a_line_whose_port_the_program_has_chosen() -> None:
    with real_server([*PROGRAM, "0", "own"], ready=rb"on port (?P<port>\d+)$") as server:
        assert answers(server)


def test_a_proxy_does_not_follow_to_the_next_port_that_the_program_chooses() -> None:
    command = [*PROGRAM, "{port}", "own"]
    with real_server(command, ready=r"on port (?P<port>\d+)$") as server:
        assert answers(server)
        server.restart()
        assert answers(server)

        assert server.proxy.address == server.address
        with (
            contextlib.ExitStack() as stack,
            pytest.raises(UsageError, match=r"has chosen another port at its restart: .*pass \{port\} in"),
            server.outage(),
        ):
            stack.enter_context(socket.create_server(server.direct_address))


def test_ready_by_a_probe() -> None:
    seen = []

    def has_answered(server: object) -> bool:
        seen.append(ask(server.address))  # type: ignore[attr-defined]
        return len(seen) == 2

    with real_server(SERVER, ready=has_answered):
        assert len(seen) == 2


def test_ready_by_a_script() -> None:
    hello = Script().send(b"hello\n").expect(re.compile(rb"\d+ hello\n"))

    with real_server(SERVER, ready=hello) as server:
        assert "got hello" in server.output.lines


def test_a_program_that_takes_datagrams() -> None:
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    with real_server([*SERVER, "udp"], transport="udp") as server, server.fault(Delay(0.001)), datagrams as client:
        client.settimeout(10)
        client.connect(server.address)
        client.send(b"hello")
        assert client.recv(100) == b"hello"


@pytest.mark.parametrize("where", ["{port}", "{path}"])
def test_faults_are_in_front_of_it(where: str) -> None:
    with real_server([*PROGRAM, where]) as server, server.fault(Delay(0.001)) as late:
        assert answers(server)
        assert late.fired
        assert server.address == server.proxy.address != server.direct_address


@pytest.mark.parametrize("where", ["{port}", "{path}"])
def test_a_passed_socket_takes_clients_before_the_program_does(where: str) -> None:
    with real_server([*PROGRAM, where, "passed"], ready="socket") as server:
        assert answers(server)
        server.restart()
        assert answers(server)


def test_limits_are_those_of_the_program() -> None:
    with real_server([*SERVER, "memory"], limits={"memory": 256 << 20, "descriptors": 20}) as server:
        server.output.wait_for("out of memory", timeout=10)

    with real_server([*PROGRAM, "{port:unused}", "files"], ready=r"files (\d+)", limits={"descriptors": 20}) as server:
        assert server.output.wait_for(r"files (\d+)")[1] == "17"


def test_a_limit_of_few_descriptors_is_the_programs_own() -> None:
    command = ["/bin/sh", "-c", "ulimit -n; exec sleep 600", "{port}"]

    with real_server(command, ready=r"\d+", limits={"descriptors": 5}) as server:
        assert server.output.lines == ["5"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can run a program as another user")
def test_another_user_owns_the_directory_and_runs_the_program() -> None:
    os.chmod(tempfile.gettempdir(), 0o755)
    command = ["sh", "-c", "id -un; touch {tmp}/own; cat {tmp}/a/b; echo; exec sleep 600", "{port}"]

    with real_server(command, user="nobody", files={"a/b": "ready"}, ready="^ready$") as server:
        assert server.output.lines == ["nobody", "ready"]
        assert Path(server.directory, "own").exists()


def test_output_is_bounded_by_lines() -> None:
    with real_server([*SERVER, "lots"]) as server:
        assert answers(server)
        size, total = len(server.output.text), server.output.total

    assert 900_000 < size < 1_200_000
    assert total == 100_000_000 + len("got hello\n")


@pytest.mark.parametrize(
    ("command", "options", "message"),
    [
        ("redis-server", {}, "expected a list of words"),
        ([], {}, "at least one word"),
        (["x", 5], {}, "5 is no word"),
        (["x\0"], {}, "without NUL"),
        (recipes.redis, {}, r"a recipe; call it: redis\(\)"),
        (None, {}, "expected a list of words, or a recipe$"),
        (SERVER, {"env": {"WORD": 5}}, "'WORD': ...}.: expected a str .*; it is a int"),
        (SERVER, {"env": {"WORD": "\0"}}, "without NUL"),
        (SERVER, {"env": ["WORD=5"]}, "expected a dict"),
        (SERVER, {"files": {"a": 5}}, "'a': 5}.: expected a str, bytes"),
        (SERVER, {"files": ["a"]}, "expected a dict"),
        (SERVER, {"stop_signal": "SIGINT"}, "expected a signal, such as signal.SIGINT"),
        (SERVER, {"stop_signal": 999}, "expected a signal"),
        (["x", "{prot}"], {}, r"did you mean \{port\}"),
        (["sleep", "1"], {}, r"neither \{port\} nor \{path\}"),
        (SERVER, {"ready": 5}, "expected 'connect', 'socket'"),
        (SERVER, {"ready": "("}, "expected a regular expression"),
        (SERVER, {"limits": {"cpus": 2}}, "expected some of 'descriptors'"),
        (SERVER, {"limits": {"memory": "1G"}}, "expected bytes"),
        (SERVER, {"files": {"/etc/passwd": ""}}, "expected a relative path"),
        (SERVER, {"cwd": "/nowhere"}, "no directory '/nowhere'"),
        (SERVER, {"host": "0.0.0.0"}, "can be reached from other machines"),
        (SERVER, {"timeout": 0}, "more than 0"),
        (SERVER, {"user": "no one"}, "expected the name of a user|only root can"),
        (SERVER, {"transport": "sctp"}, "expected 'tcp' or 'udp'"),
        (SERVER, {"redy": "x"}, "did you mean 'ready'"),
        ([*PROGRAM, "{port:a}", "{path:a}"], {}, "one kind of address"),
    ],
)
def test_wrong_values_are_named_before_anything_runs(command: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        real_server(command, **options)


def test_a_stop_signal_of_its_own() -> None:
    with real_server([*SERVER, "deaf"], stop_signal=signal.SIGINT) as server:
        pass

    assert server.exit_code is not None
    assert server.exit_code != -signal.SIGKILL


def test_a_diverted_name_leads_to_the_proxy_of_a_fault() -> None:
    with real_server([*PROGRAM, "{port}"]) as server, divert({"db.internal:80": server}):
        assert ask(("db.internal", 80)) == ask(server.address)
        with server.fault(Truncate(0), direction="downstream"):
            assert ask(("db.internal", 80)) == ""
        assert ask(("db.internal", 80)) == ask(server.address)
