"""A fake of HTTP with a rule, beside a handler of http.server by hand, and a pytest-httpserver for a whole session."""

from __future__ import annotations

import importlib.util
import socket
from contextlib import ExitStack
from time import perf_counter

from benchmarks import exchange
from benchmarks.child import Child, child
from benchmarks.table import Bound, Result

__all__ = ["run"]

COUNT = 200
BY_HAND, RULES, WERKZEUG = "by hand", "rules", "pytest-httpserver"
MOST_BY_HAND = 2.0
MOST_WERKZEUG = 0.5
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def run(*, is_quick: bool) -> Result:
    """Measure; in each round all take turns."""
    rounds = 5 if is_quick else 20
    names = [BY_HAND, RULES, *([WERKZEUG] if importlib.util.find_spec("pytest_httpserver") else [])]
    alone = dict.fromkeys(names, float("inf"))
    kept = dict.fromkeys((BY_HAND, RULES), float("inf"))
    with ExitStack() as stack:
        servers = {name: stack.enter_context(child(f"http {name}")) for name in names}
        for _ in range(rounds):
            for name, server in servers.items():
                alone[name] = min(alone[name], seconds_alone(server))
                if name in kept:
                    kept[name] = min(kept[name], seconds_kept(server))
    bounds = [
        Bound("HTTP, a request of its own connection, beside http.server", alone[RULES] / alone[BY_HAND], MOST_BY_HAND),
        Bound("HTTP, a request of a kept connection, beside http.server", kept[RULES] / kept[BY_HAND], MOST_BY_HAND),
    ]
    if WERKZEUG in alone:
        ratio = alone[RULES] / alone[WERKZEUG]
        bounds.append(Bound("HTTP, a request of its own connection, beside pytest-httpserver", ratio, MOST_WERKZEUG))
    rows = [[name, f"{alone[name] * 1e6:,.0f}", f"{kept[name] * 1e6:,.0f}" if name in kept else ""] for name in names]
    return Result(
        "fakes of HTTP: a GET that is answered by JSON; microseconds per request",
        ["server", "own connection", "kept connection"],
        rows,
        bounds,
        [
            f"best of {rounds} rounds; servers in processes of their own; pytest-httpserver keeps no connections",
            *(str(each) for each in bounds),
        ],
    )


def seconds_alone(server: Child) -> float:
    """Return the seconds of a request with a connection of its own."""
    start = perf_counter()
    for _ in range(COUNT):
        exchange.http(server.address)
    return (perf_counter() - start) / COUNT


def seconds_kept(server: Child) -> float:
    """Return the seconds of a request on a connection that is kept."""
    with socket.socket() as client:
        client.settimeout(exchange.DEADLINE)
        client.connect(server.address)
        start = perf_counter()
        for _ in range(COUNT):
            client.sendall(REQUEST)
            answer = b""
            while not answer.endswith(b"}"):
                answer += client.recv(4096)
        return (perf_counter() - start) / COUNT
