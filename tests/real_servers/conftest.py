"""Real programs start from the small server beside this file, and nothing may be left of them."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.leaks import nothing_left, own_temporary_directory
from windsock.programs import RealServer, watcher

PROGRAM = [sys.executable, "-S", "-E", str(Path(__file__).with_name("program.py"))]
SERVER = [*PROGRAM, "{port}"]


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    watcher.announcer()  # it stays until the end of the run
    with own_temporary_directory(), nothing_left():
        yield


def ask(address: Any, line: str = "hello") -> str:
    """Return the answer of the small server."""
    family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
    with socket.socket(family) as client:
        client.settimeout(10)
        client.connect(address)
        client.sendall(f"{line}\n".encode())
        return client.recv(1000).decode().strip()


def answers(server: RealServer) -> bool:
    return ask(server.address) == f"{server.pid} hello"


def is_alive(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def refuses(address: tuple[str, int]) -> bool:
    with socket.socket() as client:
        return client.connect_ex(address) != 0


def children_of_output(server: RealServer) -> list[int]:
    found = server.output.wait_for(r"children (\d+) (\d+) (\d+)", timeout=10)
    return [int(each) for each in found.groups()]
