"""What a proxy costs, and how exact its weather is: beside a direct connection and other proxies, in the same run."""

from __future__ import annotations

import resource
import socket
import statistics
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from time import perf_counter
from typing import Any

from benchmarks.child import Child
from benchmarks.exchange import DEADLINE, MESSAGE
from benchmarks.proxy_ends import ask, other, others, process
from benchmarks.table import Bound, Result

__all__ = ["run"]

MB = 1e6
BLOCK = bytes(range(256)) * 1024
"""256 KiB."""
MANY = 1000
RECORDED = "windsock, recorded"
RATE = 1e6
RATED = 3_000_000


def connect(address: Any) -> socket.socket:
    """Return a client that never waits for an acknowledgement before it sends a small rest."""
    client = socket.create_connection(address, DEADLINE)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def round_trips(address: Any, count: int) -> list[float]:
    """Return the seconds that 64 bytes took there and back, each time."""
    times = []
    with connect(address) as client:
        client.settimeout(None)  # with one, each call polls first
        client.sendall(b"e")
        for _ in range(count + 50):
            start = perf_counter()
            client.sendall(MESSAGE)
            assert len(client.recv(4096)) == len(MESSAGE)
            times.append(perf_counter() - start)
    return times[50:]


def bulk(address: Any, count: int) -> float:
    """Return how many megabytes a second go one way, until the last one has been counted at the other end."""
    with connect(address) as client:
        client.settimeout(None)
        start = perf_counter()
        client.sendall(b"b")
        for _ in range(count):
            client.sendall(BLOCK)
        client.shutdown(socket.SHUT_WR)
        assert int(client.recv(100)) == count * len(BLOCK)
        return count * len(BLOCK) / MB / (perf_counter() - start)


class Carriers:
    """A direct connection and proxies in front of the same server."""

    def __init__(self, stack: ExitStack) -> None:
        upstream = stack.enter_context(process("upstream")).address
        self.ours = {
            name: stack.enter_context(process(kind, upstream))
            for name, kind in (("windsock", "plain"), (RECORDED, "recorded"))
        }
        self.addresses: dict[str, Any] = {"direct": upstream}
        self.addresses["pair of threads"] = stack.enter_context(process("pair", upstream)).address
        self.left_out = []
        for name in others():
            try:
                self.addresses[name] = stack.enter_context(other(name, upstream))
            except OSError:  # nginx without its stream module, say
                self.left_out.append(f"{name} does not start here: left out")

    def measured(
        self,
        rounds: int,
        figure: Callable[[Any], float],
        choose: Callable[[Sequence[float]], float],
        names: Sequence[str] = (),
    ) -> dict[str, float]:
        """Return one of each one's rounds; they take turns, ours with a fresh proxy each time, as in tests."""
        found: dict[str, list[float]] = {}
        for _ in range(rounds):
            fresh = {name: tuple(ask(child, renew=True)) for name, child in self.ours.items()}
            for name, address in {**self.addresses, **fresh}.items():
                if names and name not in names:
                    continue
                found.setdefault(name, []).append(figure(address))
        return {name: choose(values) for name, values in found.items()}


def carrying(carriers: Carriers, rounds: int) -> Result:
    """Measure round trips and bulk."""
    trips = carriers.measured(rounds, lambda address: statistics.fmean(round_trips(address, 1000)) * 1e6, min)
    # Of bulk the median: now and then a direct one runs a third faster than all others, which says nothing of a proxy.
    rates = carriers.measured(rounds, lambda address: bulk(address, 256), statistics.median)
    kept = carriers.measured(2 * rounds, lambda address: bulk(address, 112), statistics.median, ["direct", RECORDED])
    rows, bounds = [], []
    limits = {"windsock": (2.8, 0.5), RECORDED: (3.3, 0.4)}
    for name in trips:
        bulks = kept if name == RECORDED else rates
        trip, rate = trips[name] / trips["direct"], bulks[name] / bulks["direct"]
        if name in limits:
            bounds.append(Bound(f"proxy, {name}, 64 B round trip", trip, at_most=limits[name][0]))
            bounds.append(Bound(f"proxy, {name}, bulk one way", rate, at_least=limits[name][1]))
        limit = " and ".join(bound.limit for bound in bounds[-2:]) if name in limits else ""
        rows.append([name, f"{trips[name]:.1f}", f"{trip:.2f}x", f"{bulks[name]:,.0f}", f"{rate:.2f}x", limit])
    return Result(
        "A proxy without faults, beside a direct connection and other proxies",
        ["what", "us/round trip", "ratio", "MB/s", "ratio", "bound"],
        rows,
        bounds,
        [
            f"best of {rounds} rounds of 1,000 round trips of 64 B, median of {rounds} of 64 MiB one way; recorded, of",
            f"{2 * rounds} of 28 MiB, as more than 32 MiB go to a file, beside 28 MiB directly;",
            "client, proxy and server in processes of their own, on one core; windsock's proxy anew each round",
            *carriers.left_out,
        ],
    )


def accuracy(proxy: Child, *, is_quick: bool) -> tuple[list[list[str]], list[Bound]]:
    """Measure how exact delays and rates are."""
    rows, bounds = [], []
    rounds, count = (2, 100) if is_quick else (3, 500)
    plain = statistics.median(round_trips(proxy.address, 500))
    for delay, most in ((0.010, 0.2), (0.001, 0.15)):
        ask(proxy, delay=delay)
        late = [[abs(time - plain - delay) * 1000 for time in round_trips(proxy.address, count)] for _ in range(rounds)]
        what = f"Delay({delay:.3f}), error"
        found = [
            Bound(f"proxy, {what}, median", min(map(statistics.median, late)), at_most=most, unit=" ms"),
            Bound(
                f"proxy, {what}, p99",
                min(sorted(each)[count * 99 // 100 - 1] for each in late),
                at_most=0.8,
                unit=" ms",
            ),
        ]
        rows += [[each.what.removeprefix("proxy, "), f"{each.figure:.3f} ms", each.limit] for each in found]
        bounds += found
    ask(proxy, delay=0.010)
    one_way = Bound("proxy, Delay(0.010), bulk one way", max(bulk(proxy.address, 256) for _ in range(3)), at_least=300)
    bounds.append(Bound(one_way.what, one_way.figure, at_least=300, unit=" MB/s"))
    rows.append(["Delay(0.010), bulk one way", f"{one_way.figure:,.0f} MB/s", bounds[-1].limit])
    ask(proxy, rate=RATE)
    error, ahead = map(min, zip(*(rated(proxy.address) for _ in range(rounds)), strict=True))
    ask(proxy)
    bounds.append(Bound("proxy, Rate(1 MB/s), 3 MB, error", error * 100, at_most=0.1, unit=" %"))
    rows.append(["Rate(1 MB/s), 3 MB, error", f"{error * 100:.3f} %", bounds[-1].limit])
    bounds.append(Bound("proxy, Rate(1 MB/s), ahead or behind", ahead * 1000, at_most=5, unit=" ms"))
    rows.append(["Rate(1 MB/s), most ahead or behind", f"{ahead * 1000:.2f} ms", bounds[-1].limit])
    return rows, bounds


def rated(address: Any) -> tuple[float, float]:
    """Return the error of the whole, and the most seconds that a piece came too early or too late."""
    with connect(address) as client:
        client.settimeout(None)
        client.sendall(b"e")
        received, off, elapsed = 0, 0.0, 0.0
        start = perf_counter()
        sender = threading.Thread(target=client.sendall, args=[bytes(RATED)], daemon=True)
        sender.start()
        while received < RATED:
            received += len(client.recv(65536))
            elapsed = perf_counter() - start
            off = max(off, abs(elapsed - received / RATE))
        sender.join()
    return abs(elapsed - RATED / RATE) / (RATED / RATE), off


def crowd(rounds: int) -> tuple[list[list[str]], list[Bound]]:
    """Measure a thousand connections through one proxy, beside one."""
    rows, bounds = [], []
    with process("many") as upstream:
        for kind in ("plain", "recorded"):
            with process(kind, upstream.address) as proxy, ExitStack() as stack:
                one = max(at_once([stack.enter_context(connect(proxy.address))], 1000) for _ in range(rounds))
                before = ask(proxy, memory=True)
                clients = [stack.enter_context(connect(proxy.address)) for _ in range(MANY)]
                many = max(at_once(clients, 3) for _ in range(rounds))
                kib = (ask(proxy, memory=True) - before) / MANY
            if kind == "plain":
                bounds.append(Bound("proxy, 1,000 connections, round trips/s", many / one, at_least=0.5))
            rows.append([f"{kind}: round trips/s on one connection", f"{one:,.0f}", ""])
            rows.append([f"{kind}: on {MANY:,}", f"{many:,.0f}", bounds[-1].limit if kind == "plain" else ""])
            rows.append([f"{kind}: memory of each of {MANY:,}", f"{kib:.1f} KiB", ""])
    return rows, bounds


def at_once(clients: list[socket.socket], count: int) -> float:
    """Return round trips a second when all clients ask, and then all wait for their answers."""
    start = perf_counter()
    for _ in range(count):
        for client in clients:
            client.sendall(MESSAGE)
        for client in clients:
            assert len(client.recv(4096)) == len(MESSAGE)
    return count * len(clients) / (perf_counter() - start)


def run(*, is_quick: bool) -> Result:
    """Measure everything."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    rounds = 4 if is_quick else 12
    with ExitStack() as stack:
        carriers = Carriers(stack)
        first = carrying(carriers, rounds)
        rows, bounds = accuracy(stack.enter_context(process("plain", carriers.addresses["direct"])), is_quick=is_quick)
    more_rows, more_bounds = crowd(2 if is_quick else 5)
    print("\n".join(first.lines()), flush=True)
    return Result(
        "The same proxy's faults, and a thousand connections",
        ["what", "figure", "bound"],
        rows + more_rows,
        [*first.bounds, *bounds, *more_bounds],
        [
            "a delay's error is what a round trip takes more or less than one without it, and the delay;",
            f"of the best round of {2 if is_quick else 3}, as for rates",
        ],
    )
