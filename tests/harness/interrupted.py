"""Servers, proxies and clients under random SIGINTs and SIGALRMs: `python interrupted.py HITS SEED`.

Prints, as JSON, what is left at the end that was not there at the beginning, and what was raised beside the signals.
"""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import windsock

TRANSPORTS = ("tcp", "unix_stream", "udp", "unix_datagram")
CONCURRENCIES = ("sync", "threading", "forking", "selecting", "trio")
KINDS: list[dict[str, Any]] = [
    {"transport": transport, "concurrency": concurrency, "relay": relay}
    for transport in TRANSPORTS
    for concurrency in CONCURRENCIES
    for relay in (False, True)
]
LONGEST_IDLE = 5.0
"""Seconds within which threads that are kept for the next server have ended."""


class Alarm(BaseException):
    """What the handler of SIGALRM raises."""


class Signals:
    """Sends one signal at a random moment, and counts those that were heard."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.heard = 0
        self._is_quiet = threading.Event()
        """Clear while a SIGINT is on its way."""
        self._is_quiet.set()
        self._is_armed = False
        signal.signal(signal.SIGINT, self._handle)
        signal.signal(signal.SIGALRM, self._handle)

    def _handle(self, number: int, _: object) -> None:
        if number == signal.SIGINT:
            self._is_quiet.set()
        if self._is_armed:
            self.heard += 1
            raise KeyboardInterrupt if number == signal.SIGINT else Alarm

    def during(self, action: Any, seconds: float) -> None:
        """Do something, with one signal within so many seconds."""
        delay = 1e-5 + self.random.random() * seconds
        interrupt = threading.Timer(delay, self._interrupt)
        try:
            self._is_armed = True
            if self.random.random() < 0.5:
                signal.setitimer(signal.ITIMER_REAL, delay)
            else:
                interrupt.start()
            action()
        finally:
            self._is_armed = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            interrupt.cancel()
            self._wait_for(interrupt)

    def _interrupt(self) -> None:
        self._is_quiet.clear()
        os.kill(os.getpid(), signal.SIGINT)

    def _wait_for(self, interrupt: threading.Timer) -> None:
        """Wait for a signal that is on its way: a second one during the next action would be meant to insist."""
        if interrupt.ident is not None:
            interrupt.join(5)
        self._is_quiet.wait(5)


def use(kind: dict[str, Any]) -> None:
    """Start a server, a proxy in front of it and a client; say something; stop all of them."""
    transport = kind["transport"]
    with windsock.serving(timeout=5, **kind).echo() as server:
        with windsock.proxy(server.address, transport=transport, timeout=5) as proxy:
            for address in (server.address, proxy.address):
                with windsock.scripted_client(address, transport=transport) as client:
                    client.send(b"x").expect(b"x")
        server.connections.wait(2)


def state(directory: str) -> dict[str, list[str]]:
    """Return what must not grow."""
    descriptors = Path("/proc/self/fd")
    return {
        "threads": [thread.name for thread in threading.enumerate()],
        "descriptors": [str(os.readlink(each)) for each in descriptors.iterdir() if each.exists()],
        "directories": os.listdir(directory),
        "children": Path(f"/proc/self/task/{os.getpid()}/children").read_text().split(),
    }


def left(before: dict[str, list[str]], directory: str) -> dict[str, list[str]]:
    """Return what is there and was not before; idle threads are given time to end."""
    deadline = time.monotonic() + LONGEST_IDLE
    while True:
        gc.collect()
        now = state(directory)
        found = {what: sorted(Counter(now[what]) - Counter(before[what])) for what in now}
        if not any(found.values()) or time.monotonic() > deadline:
            return {what: each for what, each in found.items() if each}
        time.sleep(0.01)


def main(hits: int, seed: int) -> dict[str, Any]:
    """Return what is left, and which errors there were beside the signals' own."""
    directory = tempfile.tempdir = tempfile.mkdtemp()
    errors: Counter[str] = Counter()
    threading.excepthook = lambda args: errors.update([f"in {args.thread}: {args.exc_value!r}"])
    sys.unraisablehook = lambda args: errors.update(unexpected(args.exc_value))
    seconds = {}
    for index, kind in enumerate(KINDS):
        start = time.monotonic()
        use(kind)
        seconds[index] = time.monotonic() - start
    before = state(directory)
    before["threads"] = [threading.main_thread().name]
    signals = Signals(seed)
    while signals.heard < hits:
        index = signals.random.randrange(len(KINDS))
        try:
            signals.during(lambda index=index: use(KINDS[index]), seconds[index])
        except (KeyboardInterrupt, Alarm):
            pass
        except BaseException as error:
            errors[repr(error)] += 1
    found = left(before, directory)
    os.rmdir(directory) if not os.listdir(directory) else None
    return {"hits": signals.heard, "left": found, "errors": dict(errors)}


def unexpected(error: BaseException | None) -> list[str]:
    """Return the error in words unless it is a signal's, or warns of a server that lost its last user to a signal."""
    is_warning = isinstance(error, ResourceWarning) and "was never stopped" in str(error)
    return [] if is_warning or isinstance(error, KeyboardInterrupt | Alarm) else [f"unraisable: {error!r}"]


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))
