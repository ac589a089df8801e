"""Pipes of the kernel in a world: threads of the world write to each other, and a wait for nothing is named."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import IO, TypeAlias

import pytest

from windsock.simulation import Deadlock, World, simulated
from windsock.simulation.skin import pipes

Pipe: TypeAlias = "tuple[IO[bytes], IO[bytes]]"


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipe]:
    monkeypatch.setattr(pipes, "GRACE", 0.1)
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as source, os.fdopen(writer, "wb", buffering=0) as target:
        yield source, target


@pytest.fixture
def world() -> Iterator[World]:
    with simulated(seed=7) as world:
        yield world


READS: dict[str, Callable[[IO[bytes]], bytes]] = {
    "os.read": lambda source: os.read(source.fileno(), 5),
    "read": lambda source: source.read(5),
    "readline": lambda source: source.readline(),
}
each_read = pytest.mark.parametrize("read", READS.values(), ids=READS)


@each_read
def test_a_thread_of_the_world_may_write_later(pipe: Pipe, world: World, read: Callable[[IO[bytes]], bytes]) -> None:
    source, target = pipe
    threading.Timer(300, target.write, [b"wind\n"]).start()

    assert read(source) == b"wind\n"
    assert 300 <= world.now < 301


@each_read
def test_a_pipe_that_nothing_is_written_to_is_a_deadlock(pipe: Pipe, read: Callable[[IO[bytes]], bytes]) -> None:
    expected = r"main waits.* for data from the descriptor \d+, a pipe of the kernel, since 0 s, at .*test_pipes\.py"

    with pytest.raises(Deadlock, match=expected), simulated(seed=1):
        read(pipe[0])


def test_what_a_process_writes_is_waited_for_while_the_clock_stands_still(world: World) -> None:
    with world.outside():
        command = [sys.executable, "-c", "input(); print('wind')"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    threading.Timer(5, time.sleep, [5]).start()
    process.stdin.write(b"\n")
    process.stdin.flush()

    assert process.stdout.readline() == b"wind\n"
    assert world.now == 0
    with world.outside():
        process.communicate()


def test_the_end_of_a_pipe_is_read_at_once(pipe: Pipe, world: World) -> None:
    source, target = pipe
    threading.Timer(3, target.close).start()

    assert source.read() == b""
    assert world.now >= 3
