"""Where forked children stand: each says it when its parent asks, whatever it is doing."""

from __future__ import annotations

import os
import signal
import socket
import sys
from itertools import product
from pathlib import Path
from typing import Any

import pytest

import windsock
from tests.servers.helpers import descriptors
from tests.support.waiting import wait_until
from windsock.net.whereabouts import Line, is_users_code

LINE = 5
CODE = """
import asyncio, threading

def handler(request, client_address, server):
    {wait}
"""
WAITS = {
    "lock": "threading.Event().wait(60)",
    "call": "request.recv(10); request.recv(10)",
    "loop": "while True: pass",
    "long call": "sum(range(10**12))",
    "tasks": "asyncio.run(asyncio.sleep(60))",
}
CASES = [each for each in product(["tcp", "udp"], WAITS) if each != ("udp", "call")]  # a datagram is no socket


def users_lines(server: windsock.RunningServer) -> list[Line]:
    return [line for stack in server.server.handler_stacks().values() for line in stack if is_users_code(line)]


def kill_children(server: windsock.RunningServer) -> None:
    for pid in list(server.server.active_children):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not server.server.active_children, "the ends of the children")


@pytest.mark.parametrize(("transport", "wait"), CASES)
def test_a_child_says_at_which_line_it_stands(transport: str, wait: str, tmp_path: Path) -> None:
    path = str(tmp_path / "handlér.py")
    names: dict[str, Any] = {}
    exec(compile(CODE.format(wait=WAITS[wait]), path, "exec"), names)
    with (
        windsock.serving(names["handler"], concurrency="forking", transport=transport, strict=False) as server,
        socket.socket(server.server.address_family, server.server.socket_type) as client,
    ):
        client.connect(server.address)
        client.send(b"x")
        wait_until(lambda: any(each.number == LINE for each in users_lines(server)), "the child to handle it")

        assert users_lines(server) == [Line(path, LINE, "handler")]

        kill_children(server)


def stop_here(request: socket.socket, *_: object) -> None:
    request.recv(1)
    os.kill(os.getpid(), signal.SIGSTOP)


def test_a_child_that_does_not_answer_is_passed_over() -> None:
    with windsock.serving(stop_here, concurrency="forking", strict=False) as server, server.connect() as client:
        client.send(b"x")
        wait_until(lambda: server.server.active_children, "the child")
        (pid,) = server.server.active_children
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)

        assert server.server.handler_stacks() == {pid: []}

        kill_children(server)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_child_that_has_ended_leaves_no_descriptor() -> None:
    with windsock.serving(lambda request, *_: request.recv(1), concurrency="forking") as server:
        before = descriptors()
        for _ in range(3):
            server.connect().send(b"x").expect_eof().close()
        server.connections.wait(3)
        wait_until(lambda: not server.server.active_children, "the ends of the children")

        left = {name for name, what in descriptors().items() if name not in before and "pipe" in str(what)}
        assert left == set()
