"""The program in a process of its own: signals, exit codes, help, and a closed output."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

from tests.commands.helpers import address_in, program
from tests.support.waiting import DEADLINE
from windsock.commands.main import parser, run

ROOT = Path(__file__).parents[2]
NEVER_ENDS = """
import time


def handle(request, client_address, server):
    request.sendall(b"x")
    time.sleep(3600)


options = {"handler": handle, "timeout": 3600.0}
"""


def run_in_place(*words: str) -> None:
    run(words, sys.stdout, threading.Event())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly_with_a_connection_open(number: signal.Signals) -> None:
    with (
        program("serve", "--concurrency", "forking", "--echo") as (process, output),
        socket.create_connection(address_in(output.readline()), timeout=DEADLINE) as client,
    ):
        client.sendall(b"hello")
        assert client.recv(5) == b"hello"
        process.send_signal(number)
        said, errors = process.communicate(timeout=2 * DEADLINE)
        assert client.recv(1) == b""

    assert (process.returncode, errors) == (0, "")
    assert said.splitlines()[-1] == "stopped after 1 connection"
    assert "#0 ended: stopped" in said
    assert "died" not in said


def test_ctrl_c_reaches_the_whole_group_of_processes() -> None:
    command = [sys.executable, "-m", "windsock", "serve", "--concurrency", "forking", "--echo", "--strict"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    try:
        with socket.create_connection(address_in(process.stdout.readline()), timeout=DEADLINE) as client:
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"
            os.killpg(process.pid, signal.SIGINT)
            said, _ = process.communicate(timeout=2 * DEADLINE)
    finally:
        process.kill()
        process.communicate()

    assert process.returncode == 0
    assert "problem" not in said


def test_the_second_signal_ends_a_stop_that_takes_its_time(tmp_path: Path) -> None:
    fake = tmp_path / "fake.py"
    fake.write_text(NEVER_ENDS)
    with (
        program("serve", str(fake)) as (process, output),
        socket.create_connection(address_in(output.readline()), timeout=DEADLINE) as client,
    ):
        assert client.recv(1) == b"x"
        process.send_signal(signal.SIGINT)
        assert client.recv(1) == b""  # the stop has begun
        process.send_signal(signal.SIGINT)
        process.wait(timeout=2 * DEADLINE)

    assert process.returncode == -signal.SIGINT


def test_a_handler_that_does_not_end_is_named_and_the_code_is_1(tmp_path: Path) -> None:
    fake = tmp_path / "fake.py"
    fake.write_text(NEVER_ENDS.replace("3600.0", "0.3"))
    with (
        program("serve", str(fake)) as (process, output),
        socket.create_connection(address_in(output.readline()), timeout=DEADLINE) as client,
    ):
        assert client.recv(1) == b"x"
        process.send_signal(signal.SIGTERM)
        said, errors = process.communicate(timeout=2 * DEADLINE)

    assert (process.returncode, errors) == (1, "")
    assert "problem: StillRunning: " in said


def test_a_reader_that_goes_away_ends_it() -> None:
    with program("serve", "--echo") as (process, output):
        address = address_in(output.readline())
        output.close()
        with socket.create_connection(address, timeout=DEADLINE) as client:
            client.sendall(b"hello")
            process.wait(timeout=2 * DEADLINE)
        assert process.stderr is not None
        assert process.stderr.read() == ""

    assert process.returncode == 1


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    with pytest.raises(SystemExit) as ended:
        run_in_place("--version")

    assert ended.value.code == 0
    assert capsys.readouterr().out == f"windsock {project['version']}\n"


@pytest.mark.parametrize("words", [[], ["serve"], ["proxy"], ["record"], ["replay"], ["import"]])
def test_help_has_examples_that_are_valid(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_in_place(*words, "--help")

    said = capsys.readouterr().out
    assert ended.value.code == 0
    examples = [line.strip().partition("   ")[0] for line in said.splitlines() if line.startswith("  windsock ")]
    assert len(examples) >= 3
    for each in examples:
        if "--help" not in each:
            assert parser().parse_args(shlex.split(each)[1:]).run


def test_the_script_of_the_package_is_the_program() -> None:
    named = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["windsock"]
    module, _, function = named.partition(":")

    assert getattr(import_module(module), function) is import_module("windsock.__main__").main
