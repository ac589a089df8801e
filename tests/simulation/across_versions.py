"""Prints what becomes of some seeds, by the standard library alone; the test runs it with all interpreters."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import queue
import random
import threading
import time
from http.server import BaseHTTPRequestHandler

import windsock
from tests.simulation import determinism
from windsock.faults import Delay
from windsock.simulation import World

SEEDS = range(8)


class Site(BaseHTTPRequestHandler):
    """Answers each request with its path."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Send a small reply."""
        body = self.path.encode()
        self.send_response_only(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Be silent."""


def threads(seed: int) -> tuple[list[object], list[str]]:
    """Return the log of a thread pool, and the transcript of its server."""
    log, _, transcript = determinism.run(seed)
    return log, transcript


def workers(seed: int) -> tuple[list[object], list[str]]:
    """Return the log of threads that take requests from a queue, and the transcript of their server."""
    log: list[object] = []
    paths: queue.Queue[str | None] = queue.Queue()

    def work() -> None:
        connection = http.client.HTTPConnection(*server.address)
        while (path := paths.get()) is not None:
            connection.request("GET", path)
            log.append((world.now, path, connection.getresponse().read()))
            time.sleep(random.random())
        connection.close()

    with windsock.simulated(seed=seed) as world, windsock.serving(handler=Site) as server:
        team = [threading.Thread(target=work) for _ in range(3)]
        for each in team:
            each.start()
        for path in [*map("/{}".format, range(9)), None, None, None]:
            paths.put(path)
        for each in team:
            each.join()
    return log, server.transcript()


def tasks(seed: int) -> tuple[list[object], list[str]]:
    """Return the log of tasks of asyncio, and the transcript of their server."""
    log: list[object] = []
    with (
        windsock.simulated(seed=seed) as world,
        windsock.serving(handler=determinism.Echo, faults=[Delay(0.5)]) as server,
    ):
        asyncio.run(ask_together(server.address, log, world))
    return log, server.transcript()


async def ask_together(address: tuple[str, int], log: list[object], world: World) -> None:
    """Have three tasks ask three times each."""

    async def ask(number: int) -> None:
        for _ in range(3):
            reader, writer = await asyncio.open_connection(*address)
            writer.write(b"%d\n" % number)
            log.append((world.now, await reader.readline()))
            writer.close()
            await writer.wait_closed()
            await asyncio.sleep(random.random())

    await asyncio.gather(*map(ask, range(3)))


if __name__ == "__main__":
    for program in (threads, workers, tasks):
        for seed in SEEDS:
            print(program.__name__, seed, hashlib.sha256(repr(program(seed)).encode()).hexdigest())
