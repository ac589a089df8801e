"""Servers and proxies where there is no room for all of their descriptors: `python starved.py`.

Prints, as JSON, which descriptors are left after each, and what was raised where nothing can catch it.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import threading
from typing import Any

import windsock
from tests.harness.interrupted import KINDS

MOST = 12
"""Descriptors that there is room for, at most."""


def descriptors() -> set[int]:
    """Return those that are open."""
    return {number for number in range(128) if is_open(number)}


def is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def use(kind: dict[str, Any]) -> None:
    """Start a server and a proxy, and stop them."""
    with windsock.serving(timeout=2, **kind) as server, windsock.proxy(server.address, transport=kind["transport"]):
        pass


def main() -> list[str]:
    """Return a line for each way in which something was left."""
    found: list[str] = []
    where = ""
    sys.unraisablehook = lambda args: found.append(f"{where}: unraisable: {args.exc_value!r}")
    threading.excepthook = lambda args: found.append(f"{where}: in {args.thread}: {args.exc_value!r}")
    for kind in KINDS:
        use(kind)
    gc.collect()
    gc.freeze()  # what is there already takes long to look through
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for kind in KINDS:
        for room in range(MOST):
            where = f"{kind}, room for {room}"
            before = descriptors()
            lowest = next(number for number in range(128) if number not in before)
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + room, hard))
            try:
                use(kind)
            except (OSError, windsock.WindsockError, ExceptionGroup):
                pass
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            gc.collect()
            found += [f"{where}: descriptor {each}" for each in descriptors() - before]
    return [each for each in found if not is_of_trio(each)]


def is_of_trio(line: str) -> bool:
    """Return whether trio has left it: the two sockets of a run that could not begin."""
    return "'concurrency': 'trio'" in line and "unclosed <socket.socket" in line and "family=1, type=1" in line


if __name__ == "__main__":
    print(json.dumps(main()))
