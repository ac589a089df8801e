"""Start to ready of redis-server: `real_server`, by hand with a tight connect loop, mirakuru, and pytest-redis."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Any

from benchmarks.table import Bound, Result
from windsock.programs import real_server

__all__ = ["run"]

OURS, MIRAKURU, PYTEST_REDIS = "real_server", "mirakuru", "pytest-redis"
BY_HAND, WITH_PAUSES = "by hand", "by hand, pauses of 0.2 ms"
MOST_BY_HAND = 1.1
DEADLINE = 20.0


def run(*, is_quick: bool) -> Result:
    """Measure; in each round all take turns. Without redis-server there is nothing to measure."""
    title = "redis-server, from its start until it accepts a connection; milliseconds"
    if shutil.which("redis-server") is None:
        return Result(title, ["what", "median"], [], notes=["redis-server is not installed"])
    rounds = 20 if is_quick else 100
    ways: dict[str, Callable[[], contextlib.AbstractContextManager[object]]] = {
        BY_HAND: by_hand,
        WITH_PAUSES: lambda: by_hand(0.0002),
        OURS: ours,
    }
    if importlib.util.find_spec("mirakuru"):
        ways[MIRAKURU] = mirakuru
    if importlib.util.find_spec("pytest_redis"):
        ways[PYTEST_REDIS] = pytest_redis
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name, way in [*ways.items()][:: 1 if number % 2 else -1]:  # none is always the first
            seconds[name].append(seconds_to_start(way))
    figures = {name: median(each) for name, each in seconds.items()}
    best = min(figures[BY_HAND], figures[WITH_PAUSES])
    bounds = [
        Bound("redis-server, start to ready beside a tight loop", figures[OURS] / figures[BY_HAND], MOST_BY_HAND),
        Bound(
            "redis-server, start to ready beside a loop with pauses",
            figures[OURS] / best,
            MOST_BY_HAND,
            measured="1.2x on a busy machine",
        ),
    ]
    limits = {BY_HAND: bounds[0].limit, WITH_PAUSES: bounds[1].limit}
    return Result(
        title,
        ["what", "median", "ratio", "bound"],
        [
            [name, f"{figure * 1000:.1f}", f"{figure / best:.2f}x", limits.get(name, "")]
            for name, figure in figures.items()
        ],
        bounds,
        [
            f"median of {rounds} rounds; by hand: subprocess.Popen, and connect(2) in a loop until it succeeds",
            *map(str, bounds),
        ],
    )


def seconds_to_start(way: Callable[[], contextlib.AbstractContextManager[object]]) -> float:
    """Return the seconds until a server is ready; its end is not measured."""
    start = perf_counter()
    with way():
        return perf_counter() - start


def words(port: object) -> list[str]:
    """Return the command."""
    return ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", ""]


@contextlib.contextmanager
def by_hand(pause: float = 0.0) -> Iterator[None]:
    """Start it as a test does by hand; without pauses, the loop takes the processor from the server at times."""
    port = free_port()
    process = subprocess.Popen(words(port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = perf_counter() + DEADLINE
        while not accepts(port):
            assert perf_counter() < until
            assert process.poll() is None
            if pause:
                sleep(pause)
        yield
    finally:
        process.kill()
        process.wait()


def ours() -> contextlib.AbstractContextManager[object]:
    """Start it with windsock."""
    return real_server(words("{port}"), stop_signal=9)


@contextlib.contextmanager
def mirakuru() -> Iterator[None]:
    """Start it with mirakuru's executor for TCP servers."""
    executor: Any = importlib.import_module("mirakuru").TCPExecutor
    port = free_port()
    with stopped_quietly(executor([*words(port)[:-1], '""'], host="127.0.0.1", port=port, timeout=DEADLINE)):
        yield


@contextlib.contextmanager
def pytest_redis() -> Iterator[None]:
    """Start it with the executor of pytest-redis, as its fixture `redis_proc` does."""
    made: Any = importlib.import_module("pytest_redis.executor").RedisExecutor
    with tempfile.TemporaryDirectory() as directory:
        executor = made(
            executable=shutil.which("redis-server") or "",
            databases=8,
            redis_timeout=60,
            loglevel="notice",
            host="127.0.0.1",
            port=free_port(),
            datadir=Path(directory),
        )
        with stopped_quietly(executor):
            yield


@contextlib.contextmanager
def stopped_quietly(executor: Any) -> Iterator[None]:
    """Start an executor; kill its server at the end."""
    executor.start()
    try:
        yield
    finally:
        executor.kill()


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int) -> bool:
    """Return whether a connection is accepted."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
