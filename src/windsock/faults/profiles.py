"""Named profiles of faults: documented combinations of faults and selectors.

A profile is a tuple of pairs, each a fault and its selector, for streams; `datagrams` is the same for datagrams.
Install one by `FaultSet.install_all`. Delays are one-way and in both directions, so a round trip takes twice as long.
Streams do not lose packets. A lost segment appears as a wait of RETRANSMISSION seconds for its retransmission, for a
share of the pieces of data that equals the loss (our choice; the least that Linux waits is 0.2 s, TCP_RTO_MIN).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from windsock.faults.checks import count
from windsock.faults.fault import Fault
from windsock.faults.kinds.blackhole import Blackhole
from windsock.faults.kinds.delay import Delay
from windsock.faults.kinds.dribble import Dribble
from windsock.faults.kinds.loss import Loss
from windsock.faults.kinds.rate import Rate
from windsock.faults.kinds.reset import Reset
from windsock.faults.selector import Selector, first

__all__ = [
    "Pair",
    "Profile",
    "cable_pull",
    "dialup",
    "dsl",
    "dsl_poor",
    "edge",
    "fail_first",
    "flaky",
    "gprs",
    "hspa",
    "mobile_3g",
    "satellite",
    "slow_client",
    "wifi",
]

Pair: TypeAlias = tuple[Fault, Selector]

ALWAYS = Selector()
RETRANSMISSION = 0.2
"""Seconds."""


class Profile(tuple[Pair, ...]):
    """Pairs of a fault and a selector for streams; `datagrams`: the same for datagrams."""

    datagrams: tuple[Pair, ...]

    def __new__(cls, pairs: Iterable[Pair], datagrams: Iterable[Pair] | None = None) -> Profile:
        """Create a profile; `datagrams` defaults to `pairs`."""
        made = super().__new__(cls, pairs)
        made.datagrams = tuple(made if datagrams is None else datagrams)
        return made


def line(latency: float, kbit_per_second: float | None, loss: float, jitter: float = 0.0) -> Profile:
    """Return a line: seconds of a round trip, kbit/s each way (None: any), share of packets lost, seconds of jitter."""
    pairs: list[Pair] = [(Delay(latency / 2, jitter=jitter), ALWAYS)]
    if kbit_per_second is not None:
        pairs.append((Rate(kbit_per_second * 125), ALWAYS))
    lossy = Selector(probability=loss)
    return Profile([*pairs, (Delay(RETRANSMISSION), lossy)], [*pairs, (Loss(loss), ALWAYS)])


gprs: Profile = line(0.5, 50, 0.02)
"""GPRS: 500 ms a round trip, 50 kbit/s, 2 % loss. Source: the table of comcast's README, "GPRS (good)"."""

edge: Profile = line(0.3, 250, 0.015)
"""EDGE: 300 ms, 250 kbit/s, 1.5 % loss. Source: comcast, "EDGE (good)"."""

hspa: Profile = line(0.25, 750, 0.015)
"""3G/HSDPA: 250 ms, 750 kbit/s, 1.5 % loss. Source: comcast, "3G/HSDPA (good)"."""

dialup: Profile = line(0.185, 40, 0.02)
"""A modem: 185 ms, 40 kbit/s, 2 % loss. Source: comcast, "DIAL-UP (good)"."""

dsl_poor: Profile = line(0.07, 2000, 0.02)
"""Poor DSL: 70 ms, 2 Mbit/s, 2 % loss. Source: comcast, "DSL (poor)"."""

dsl: Profile = line(0.04, 8000, 0.005)
"""DSL: 40 ms, 8 Mbit/s, 0.5 % loss. Source: comcast, "DSL (good)"."""

wifi: Profile = line(0.04, 30000, 0.002)
"""WiFi: 40 ms, 30 Mbit/s, 0.2 % loss. Source: comcast, "WIFI (good)"."""

satellite: Profile = line(1.5, None, 0.002)
"""A satellite: 1,500 ms, any rate, 0.2 % loss. Source: comcast, "Satellite"."""

mobile_3g: Profile = line(0.25, 750, 0.015, jitter=0.05)
"""`hspa` with 50 ms of jitter each way (the jitter is our choice)."""

flaky: Profile = Profile(
    [
        (Delay(0.02, jitter=0.02), ALWAYS),
        (Delay(0.5), Selector(probability=0.05)),
        (Reset(after_bytes=1024), Selector(probability=0.1, direction="downstream")),
    ],
    [(Delay(0.02, jitter=0.02), ALWAYS), (Loss(0.05), ALWAYS)],
)
"""A bad network: up to 40 ms each way, each 20th piece 0.5 s more, 1 connection in 10 reset after 1 KiB of reply.

For datagrams 5 % loss. All figures are our choice.
"""

slow_client: Profile = Profile(
    [(Rate(1024), Selector(direction="downstream")), (Dribble(8, over=0.5), Selector(direction="upstream"))]
)
"""A client that sends its data in 8 pieces over 0.5 s, and reads 1 KiB/s. Our choice. Not for datagrams."""

cable_pull: Profile = Profile([(Blackhole(on=5.0), Selector(after=1.0))])
"""The cable is unplugged 1 s after a connection was made, and plugged in 5 s later. Neither end gets an error. Our
choice."""


def fail_first(n: int) -> Profile:
    """Return a profile that resets the first `n` connections at once and leaves the next ones alone. For streams."""
    count("fail_first", 1, "connections", n=n)
    return Profile([(Reset(), Selector(connections=first(n)))])
