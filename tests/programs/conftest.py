"""Starts real programs on a port, waits until they accept, and ends them."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import pytest

from tests.support.leaks import nothing_left, own_temporary_directory

DEADLINE = 20.0
ATTEMPTS = 5
REQUIRED = "WINDSOCK_REQUIRE_PROGRAMS"


class ProgramFailed(AssertionError):
    """A program did not start, or not in time; with what it said."""

    def __init__(self, command: Sequence[str], why: str, output: Path) -> None:
        said = output.read_text(errors="replace")[-2000:] if output.exists() else ""
        super().__init__(f"{' '.join(command)}: {why}\n{said}")


def program(name: str) -> str:
    """Return the path of a program; skip the test without it, or fail where programs are required."""
    found = shutil.which(name) or next(iter(sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), reverse=True)), None)
    return found or missing(name)


def missing(name: str) -> NoReturn:
    """Skip the test without what it needs, or fail where programs are required."""
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(f"{name} is not installed, and {REQUIRED}=1 says that it must be; see .ci/programs")
    pytest.skip(f"{name} is not installed; `bash .ci/programs` installs it")


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(
    command: Sequence[str], directory: Path, *, question: bytes = b"", user: int | None = None
) -> Iterator[int]:
    """Run a program, in whose command "{port}" stands for its port; give the port once it listens there.

    A program that takes datagrams listens once it has answered `question`: a datagram socket of another test takes
    any datagram. Another process may take the port before the program does; the program then ends and is started
    again on another port.
    """
    kind = socket.SOCK_DGRAM if question else socket.SOCK_STREAM
    for attempt in range(1, ATTEMPTS + 1):
        port = free_port(kind)
        output = directory / f"output-{attempt}.txt"
        filled = [each.replace("{port}", str(port)) for each in command]
        with output.open("wb") as file:
            process = subprocess.Popen(
                filled,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                cwd=directory,
                user=user,
                start_new_session=True,
            )
        try:
            is_up = _wait_until_it_listens(process, port, question)
            if is_up:
                yield port
                return
        finally:
            _end(process)
        if process.returncode is None or attempt == ATTEMPTS:
            raise ProgramFailed(filled, f"did not listen on port {port} within {DEADLINE:g} s", output)


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, question: bytes) -> bool:
    deadline = time.monotonic() + DEADLINE
    while process.poll() is None and time.monotonic() < deadline:
        if _answers(port, question) if question else _accepts(port):
            return process.poll() is None
        time.sleep(0.01)
    return False


def _accepts(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(0.1)
        return client.connect_ex(("127.0.0.1", port)) == 0


def _answers(port: int, question: bytes) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.5)
        try:
            client.connect(("127.0.0.1", port))
            client.send(question)
            return client.recv(1) != b""
        except OSError:
            return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """Terminate it and its children; wait for it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(5)


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a client to its end."""
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env=os.environ | environment,
        check=False,
    )


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path) -> Iterator[None]:
    with own_temporary_directory(), nothing_left():
        yield
