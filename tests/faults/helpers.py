"""FaultSet without a wire: time is a number, and a link is fed by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

from windsock.faults import Chain, Fault, FaultHandle, FaultSet
from windsock.faults.items import Data, Datagram, Item

STEPS = 200_000
"""Looks at a chain after which it counts as one that hangs."""


def fault_set_of(
    *faults: Any, seed: int = 1, traffic: Literal["stream", "datagram"] = "stream", **selector: Any
) -> FaultSet:
    """Return weather with those faults, all with the same selector."""
    fault_set = FaultSet(seed=seed, traffic=traffic)
    for fault in faults:
        fault_set.install(fault, **selector)
    return fault_set


def link(fault_set: FaultSet, *, connection: int = 0, direction: str = "upstream", now: float = 0.0) -> Chain:
    return fault_set.chain(connection=connection, direction=direction, now=now)


def one(
    fault: Fault | Callable[..., Any],
    *,
    traffic: Literal["stream", "datagram"] = "stream",
    seed: int = 1,
    **selector: Any,
) -> tuple[FaultHandle, Chain]:
    """Return a fault that was installed, and a link under it."""
    fault_set = FaultSet(seed=seed, traffic=traffic)
    installed = fault_set.install(fault, **selector)
    return installed, link(fault_set)


def run(chain: Chain, items: Iterable[Item] = (), *, until: float = float("inf")) -> list[Item]:
    """Feed items at their times, move time on to whatever is next, and return all that came out until then."""
    out: list[Item] = []
    for item in items:
        out += settle(chain, item.at)
        chain.feed(item)
        out += chain.due(item.at)
    return out + settle(chain, until)


def settle(chain: Chain, until: float) -> list[Item]:
    """Move time on until then, or until nothing waits for a time."""
    out: list[Item] = []
    for _ in range(STEPS):
        time = chain.next_time()
        if time is None or time > until:
            return out
        out += chain.due(time)
    raise AssertionError(f"{chain} does not come to an end, next time {chain.next_time()}")


def datas(*pieces: bytes, every: float = 1.0, start: float = 0.0) -> list[Item]:
    return [Data(start + every * number, piece) for number, piece in enumerate(pieces)]


def datagrams(number: int, *, every: float = 1.0, size: int = 4) -> list[Item]:
    """Return numbered datagrams, from 1."""
    return [Datagram(every * each, each.to_bytes(size, "big")) for each in range(1, number + 1)]


def numbers(items: Iterable[Item]) -> list[int]:
    return [int.from_bytes(item.data, "big") for item in items if isinstance(item, Datagram)]


def joined(items: Iterable[Item]) -> bytes:
    return b"".join(item.data for item in items if isinstance(item, Data))


def times(items: Iterable[Item]) -> list[float]:
    return [item.at for item in items]


def kinds(items: Iterable[Item]) -> list[str]:
    return [type(item).__name__ for item in items]
