"""Cassettes: how fast a replay answers beside the recorded server, and what a large file takes to open."""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from time import monotonic, perf_counter, sleep

import windsock
from benchmarks.child import MIB
from benchmarks.exchange import DEADLINE
from benchmarks.table import Bound, Result
from windsock.cassettes import Cassette

__all__ = ["run"]

ROOT = Path(__file__).parent.parent
PAIRS = 500
"""Requests of the conversation, each with its reply: 1,000 messages."""
SIZE = 100
"""MB of the large file..."""
MEMORY_AT_MOST = 64.0
"""...and MiB that opening it may add to the process's peak of memory."""


def run(*, is_quick: bool) -> Result:
    """Measure; the large file in a process of its own, whose memory is its own too."""
    server = redis if shutil.which("redis-server") is not None else fake
    command = [sys.executable, "-m", "benchmarks.cassettes"]
    large = json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)
    times = conversation(server, 5 if is_quick else 20)
    bounds = [
        Bound(
            "replay beside the recorded server, through the recorder", times["replay"] / times["recorded"], at_most=1.0
        ),
        Bound("replay beside the server itself", times["replay"] / times["real"], at_most=1.0, measured="1.7x to 2.1x"),
        Bound(f"memory, a cassette of {SIZE} MB", large["grown"], at_most=MEMORY_AT_MOST, unit=" MiB"),
    ]
    return Result(
        "Cassettes",
        ["what", "figure", "bound"],
        [
            [
                f"{'redis-server' if server is redis else 'a fake of redis'}, {2 * PAIRS:,} messages, ms",
                f"{times['real']:.1f}",
                "",
            ],
            ["the same through the recorder, ms", f"{times['recorded']:.1f}", ""],
            ["the same as a replay, ms", f"{times['replay']:.1f}", bounds[0].limit],
            ["a replay beside the server itself", f"{times['replay'] / times['real']:.1f}x", bounds[1].limit],
            ["a bare thread that sends these replies, ms", f"{times['floor']:.1f}", ""],
            [f"a cassette of {SIZE} MB opened, memory, MiB", f"{large['grown']:.0f}", bounds[2].limit],
            [f"a cassette of {SIZE} MB opened, s", f"{large['seconds']:.1f}", ""],
        ],
        bounds,
    )


@contextmanager
def redis() -> Iterator[tuple[str, int]]:
    """Run redis-server; return its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address: tuple[str, int] = free.getsockname()
    options = ["--port", str(address[1]), "--save", "", "--appendonly", "no"]
    with subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL) as process:
        try:
            _wait_for(address)
            yield address
        finally:
            process.terminate()


def _wait_for(address: tuple[str, int]) -> None:
    deadline = monotonic() + DEADLINE
    while monotonic() < deadline:
        try:
            socket.create_connection(address).close()
        except OSError:
            sleep(0.01)
        else:
            return
    raise TimeoutError("redis-server does not take connections")


@contextmanager
def fake() -> Iterator[tuple[str, int]]:
    """Run a fake of redis where it is not installed."""
    with windsock.serving(framing="redis") as server:
        server.on(lambda message: b"SET" in message).reply(b"+OK\r\n", times=None)
        server.on(lambda message: True).reply(b"$5\r\nvalue\r\n", times=None)
        yield server.address


def commands() -> Iterator[tuple[bytes, bytes]]:
    """Give the commands and their replies."""
    for number in range(PAIRS // 2):
        key = b"$4\r\n%04d\r\n" % number
        yield b"*3\r\n$3\r\nSET\r\n" + key + b"$5\r\nvalue\r\n", b"+OK\r\n"
        yield b"*2\r\n$3\r\nGET\r\n" + key, b"$5\r\nvalue\r\n"


def talk(address: object) -> float:
    """Return how many milliseconds the conversation takes."""
    pairs = list(commands())
    with socket.create_connection(address) as client:  # type: ignore[arg-type]  # an address of any server
        client.settimeout(DEADLINE)
        start = perf_counter()
        for request, reply in pairs:
            client.send(request)
            assert client.recv(4096) == reply
        return (perf_counter() - start) * 1000


@contextmanager
def bare() -> Iterator[tuple[str, int]]:
    """Run the least that Python can do: a thread that sends the next reply whatever comes, and keeps nothing."""
    replies = [reply for _, reply in commands()]

    def answer() -> None:
        client, _ = listener.accept()
        client.settimeout(DEADLINE)
        with client:
            for reply in replies:
                client.recv(4096)
                client.send(reply)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE)
        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield listener.getsockname()
        finally:
            thread.join(DEADLINE)


def conversation(server: Callable[[], AbstractContextManager[tuple[str, int]]], rounds: int) -> dict[str, float]:
    """Return the best times of a conversation; in each round all take turns."""
    times = dict.fromkeys(("real", "recorded", "replay", "floor"), float("inf"))
    with tempfile.TemporaryDirectory() as directory, server() as address:
        path = os.path.join(directory, "redis.txt")
        for _ in range(rounds):
            times["real"] = min(times["real"], talk(address))
            with windsock.record(address, path, framing="redis") as recorder:
                times["recorded"] = min(times["recorded"], talk(recorder.address))
            with windsock.replay(path) as replay:
                times["replay"] = min(times["replay"], talk(replay.address))
            with bare() as bare_address:
                times["floor"] = min(times["floor"], talk(bare_address))
    return times


def large_file(path: str) -> None:
    """Write a cassette of 100 MB: short messages on connections that were open at once."""
    with open(path, "w", encoding="ascii") as file:
        file.write("windsock cassette 1\ntransport: tcp\nframing: lines\n\n")
        for number in range(100):
            file.write(f"+0.001 {number} opened\n")
        for number in range(SIZE * 10**6 // 64):
            file.write(f"+0.001 {number % 100} {'><'[number % 2]} {'x' * 46}\\n\n")
        file.write("end\n")


def opened() -> dict[str, float]:
    """Return what opening a large cassette takes."""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "large.txt")
        large_file(path)
        before, start = peak(), perf_counter()
        with Cassette(path) as cassette:
            took = perf_counter() - start
            assert sum(map(cassette.size_of, cassette.numbers)) > 10**6
            assert os.path.getsize(path) > 0.9 * SIZE * 10**6
        return {"grown": peak() - before, "seconds": took}


def peak() -> float:
    """Return the most memory that this process has had, in MiB."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1024 if sys.platform == "linux" else most / MIB


if __name__ == "__main__":
    print(json.dumps(opened()))
