"""A fake of redis with rules for commands, beside one with the same rules for bytes, and the small store."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from time import perf_counter

from benchmarks.child import REDIS, Child, child
from benchmarks.exchange import DEADLINE
from benchmarks.table import Bound, Result

__all__ = ["run"]

COUNT = 1000
LEAST = 0.7


def run(*, is_quick: bool) -> Result:
    """Measure; in each round all take turns."""
    rounds = 5 if is_quick else 20
    names = ("bytes", "rules", "store")
    rates = dict.fromkeys(names, 0.0)
    with ExitStack() as stack:
        servers = {name: stack.enter_context(child(f"redis {name}")) for name in names}
        for _ in range(rounds):
            for name, server in servers.items():
                rates[name] = max(rates[name], commands_per_second(server))
    bound = Bound("redis, rules for commands beside rules for bytes", rates["rules"] / rates["bytes"], at_least=LEAST)
    limits = {"bytes": "", "rules": bound.limit, "store": ""}
    return Result(
        "fakes of redis: SET, GET and PING in turn, one after the other",
        ["what", "commands/s", "ratio", "bound"],
        [[name, f"{rate:,.0f}", f"{rate / rates['bytes']:.2f}x", limits[name]] for name, rate in rates.items()],
        [bound],
        [f"best of {rounds} rounds; servers in processes of their own; three rules, also for bytes"],
    )


def commands_per_second(server: Child) -> float:
    """Return how many commands a second get their replies."""
    pairs = [(bytes(command), len(bytes(reply))) for command, reply in REDIS]
    with socket.socket() as client:
        client.settimeout(DEADLINE)
        client.connect(server.address)
        start = perf_counter()
        for _ in range(COUNT):
            for command, size in pairs:
                client.send(command)
                assert len(client.recv(4096)) == size
        return COUNT * len(pairs) / (perf_counter() - start)
