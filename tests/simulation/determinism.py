"""Prints what becomes of each of a hundred seeds; the test runs it in processes with different hash seeds."""

from __future__ import annotations

import hashlib
import random
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from socketserver import StreamRequestHandler

import windsock


class Echo(StreamRequestHandler):
    """Sends each line back."""

    def handle(self) -> None:
        """Send each line back."""
        for line in self.rfile:
            self.wfile.write(line)


def order_of(seed: int) -> str:
    """Return the application's log, the scheduler's trace and the server's transcript of one world, as text."""
    return repr(run(seed))


def run(seed: int) -> tuple[list[object], list[tuple[float, str]], list[str]]:
    """Return the application's log, the scheduler's trace and the server's transcript of one world."""
    log: list[object] = []

    def ask(number: int) -> None:
        with socket.create_connection(server.address) as sock, sock.makefile("rwb") as file:
            file.write(b"%d\n" % number)
            file.flush()
            log.append((world.now, file.readline(), threading.current_thread().name))
            time.sleep(random.random())

    with (
        windsock.simulated(seed=seed, trace=True) as world,
        windsock.serving(handler=Echo, faults=[windsock.faults.Delay(0.5)]) as server,
        ThreadPoolExecutor(3, thread_name_prefix="pool") as pool,
    ):
        list(pool.map(ask, range(3)))
    return log, world.trace, server.transcript()


if __name__ == "__main__":
    for seed in range(100):
        print(hashlib.sha256(order_of(seed).encode()).hexdigest())
