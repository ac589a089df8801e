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
    if found is None:
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(f"{name} is not installed, and {REQUIRED}=1 says that it must be; see .ci/programs")
        pytest.skip(f"{name} is not installed; `bash .ci/programs` installs it")
    return found


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running(
    command: Sequence[str], directory: Path, *, kind: int = socket.SOCK_STREAM, user: int | None = None
) -> Iterator[int]:
    """Run a program, in whose command "{port}" stands for its port; give the port once it listens there.

    Between our letting go of a port and its taking it somebody else may: then it ends, and gets another one.
    """
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
            is_up = _wait_until_it_listens(process, port, kind)
            if is_up:
                yield port
                return
        finally:
            _end(process)
        if process.returncode is None or attempt == ATTEMPTS:
            raise ProgramFailed(filled, f"did not listen on port {port} within {DEADLINE:g} s", output)


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, kind: int) -> bool:
    deadline = time.monotonic() + DEADLINE
    while process.poll() is None and time.monotonic() < deadline:
        if _listens(port, kind):
            return True
        time.sleep(0.01)
    return False


def _listens(port: int, kind: int) -> bool:
    with socket.socket(socket.AF_INET, kind) as client:
        client.settimeout(0.1)
        try:
            client.connect(("127.0.0.1", port))
            if kind == socket.SOCK_DGRAM:
                client.send(b"?")
                client.recv(1)
        except TimeoutError:
            return kind == socket.SOCK_DGRAM  # nobody has said that the port is closed
        except OSError:
            return False
        return True


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
