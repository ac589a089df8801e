"""The search for weather that breaks a client: defects found, false alarms, and what an example costs."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from time import monotonic, process_time

from tests.exploration import clients
from tests.exploration.clients import PAIRS, Asks, Client

import windsock
from benchmarks.table import Bound, Result

__all__ = ["run"]

EXAMPLES = 300
SECONDS = 10.0
LONG = 2000
"""Examples of each right client."""
MILLISECONDS = 5.0
"""Of the processor, for an example with one connection on a server that goes on."""
WEATHER = [(windsock.faults.Delay(0.001), {"connections": 0, "direction": "downstream"})]


@dataclass(frozen=True, slots=True)
class Found:
    """What an exploration of one client has found."""

    name: str
    seconds: float
    faults: int = 0
    tried: str = ""


def run(*, is_quick: bool) -> Result:
    """Explore the clients with a defect, then those without."""
    wrong = [_explored(each.wrong, each.asks, EXAMPLES, SECONDS) for each in PAIRS]
    examples = LONG // 20 if is_quick else LONG
    right = [_explored(each.right, each.asks, examples, 3600.0) for each in PAIRS]
    shared, fresh = _cost(20 if is_quick else 200)
    found = [each for each in wrong if each.faults == 1]
    bounds = [
        Bound(f"of {len(PAIRS)} defects found and shrunk to one fault", len(found), at_least=len(PAIRS), unit=""),
        Bound(
            "the longest search for a defect, shrinking included",
            max(each.seconds for each in wrong),
            SECONDS,
            unit=" s",
        ),
        Bound(f"false alarms in {examples:,} examples of each right client", _alarms(right), at_most=0, unit=""),
        Bound("an example on a server that goes on, processor", shared, at_most=MILLISECONDS, unit=" ms"),
    ]
    rows = [(each.name, f"{each.seconds:.1f} s", each.tried) for each in (*wrong, *right)]
    rows += [("an example, one server for all", f"{shared:.2f} ms", ""), ("a server for each", f"{fresh:.2f} ms", "")]
    return Result(
        "Explore: the weather that breaks a client, on real sockets", ("client", "time", "tried"), rows, bounds
    )


def _alarms(right: list[Found]) -> int:
    return sum(each.faults > 0 for each in right)


def _explored(client: type[Client], asks: Asks, examples: int, within: float) -> Found:
    name, began = f"{client.__name__} {asks.__name__}", monotonic()
    try:
        summary = clients.explore(client, asks, examples=examples, within=within)
    except windsock.ExplorationFailed as failure:
        return Found(name, monotonic() - began, len(failure.weather), repr(failure.weather))
    return Found(name, monotonic() - began, 0, f"{summary.examples} examples")


def _cost(rounds: int) -> tuple[float, float]:
    """Return the milliseconds of the processor for an example on one server, and for one with a server of its own."""
    with windsock.serving(framing="lines") as server:
        shared = _milliseconds(lambda: _example(server), rounds)
    return shared, _milliseconds(_example_on_a_server_of_its_own, rounds)


def _example(server: windsock.RunningServer) -> None:
    with windsock.under(WEATHER, server):
        _ask(server)


def _example_on_a_server_of_its_own() -> None:
    with windsock.serving(framing="lines", faults=WEATHER) as server:
        _ask(server)


def _ask(server: windsock.RunningServer) -> None:
    server.on(b"GET k").reply(b"value\n")
    with socket.create_connection(server.address, timeout=5) as client:
        client.sendall(b"GET k\n")
        client.recv(100)


def _milliseconds(example: clients.Call, rounds: int) -> float:
    example()
    began = process_time()
    for _ in range(rounds):
        example()
    return (process_time() - began) / rounds * 1000
