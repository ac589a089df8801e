"""Faults as a strategy: a kind and a number, so that a smaller example is a milder kind, then a smaller number."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any, TypeAlias

from windsock.faults import (
    Blackhole,
    Corrupt,
    Delay,
    Dribble,
    Drop,
    Duplicate,
    Fault,
    HalfClose,
    Inject,
    Reset,
    Stall,
    Truncate,
)
from windsock.faults.checks import count, seconds
from windsock.strategies.engine import st

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["Placed", "faults", "harshness", "numbers_from", "placed_faults"]

Placed: TypeAlias = tuple[Fault, dict[str, Any]]
"""A fault, and the keywords of its selector. The repr is code."""
Kind: TypeAlias = Callable[[int], Placed]
"""Makes a fault of a number from 0."""

FEW = 8
"""Bytes, pieces or datagrams: most of what breaks a client is near the start of a message."""
HARSHNESS: dict[type[Fault], int] = {
    kind: place
    for place, kind in enumerate(
        (Delay, Dribble, Duplicate, Drop, HalfClose, Truncate, Reset, Stall, Blackhole, Inject, Corrupt)
    )
}
"""The places of the kinds, from mild to harsh."""
SHORT = 10
"""The part of the longest time that a short one takes."""


def faults(
    *,
    streams: bool = True,
    largest: int = 64,
    offsets: Collection[int] = (),
    slowest: float = 0.25,
    damage: bool = False,
) -> SearchStrategy[Fault]:
    """Draw a fault for streams, or for datagrams. A smaller example is of a milder kind, or has a smaller number.

    Streams, from mild to harsh: Delay, Dribble, HalfClose, Truncate, Reset, Stall. Datagrams: Delay, Duplicate, Drop,
    Blackhole. With `damage` also Inject and Corrupt, which a client can notice only if its protocol has a checksum.
    `largest` is the most bytes that pass before a fault acts, or `offsets` are the numbers of bytes to choose from;
    `slowest` is the longest time in seconds, which an example takes on real sockets. What is drawn has no
    probabilities. Raises UsageError.
    """
    numbers = numbers_from(largest, offsets) if streams else numbers_from(FEW)
    return placed_faults(numbers, streams=streams, slowest=slowest, damage=damage).map(lambda placed: placed[0])


def numbers_from(largest: int, offsets: Collection[int] = ()) -> SearchStrategy[int]:
    """Draw a number of bytes up to `largest`, or one of `offsets`."""
    count("faults", 0, "bytes", largest=largest)
    for each in offsets:
        count("faults", 0, "bytes", offsets=each)
    return st.sampled_from(sorted(set(offsets))) if offsets else st.integers(0, largest)


def placed_faults(
    numbers: SearchStrategy[int], *, streams: bool, slowest: float, damage: bool
) -> SearchStrategy[Placed]:
    """Draw a fault, and the keywords that say at which byte or datagram it acts, if the fault itself does not.

    Each kind takes two choices of Hypothesis: it takes an example with fewer choices for a smaller one, and does not
    delete the elements of a list that take many.
    """
    seconds("faults", above=True, slowest=slowest)
    kinds = _of_streams(slowest / SHORT, slowest) if streams else _of_datagrams(slowest / SHORT, slowest)
    if damage:
        kinds += [lambda n: _after(Inject(b"\0"), n), lambda n: _after(Corrupt("zero"), n)]
    return st.builds(lambda kind, number: kind(number), st.sampled_from(kinds), numbers)


def _of_streams(short: float, long: float) -> list[Kind]:
    """Return the kinds of streams, from mild to harsh."""
    return [
        lambda n: _after(Delay(short), n),
        lambda n: (Dribble(2 + n % (FEW - 1), over=short), {}),
        lambda n: _after(Delay(long), n),
        lambda n: (Dribble(2 + n % (FEW - 1), over=long), {}),
        lambda n: (HalfClose(n), {}),
        lambda n: (Truncate(n), {}),
        lambda n: (Reset(n), {}),
        lambda n: (Stall(n), {}),
    ]


def _of_datagrams(short: float, long: float) -> list[Kind]:
    return [
        lambda n: (Delay(short), {"nth": n + 1}),
        lambda n: (Duplicate(), {"nth": n + 1}),
        lambda n: (Delay(long), {"nth": n + 1}),
        lambda n: (Drop(n + 1), {}),
        lambda n: (Blackhole(), {"nth": n + 1}),
    ]


def _after(fault: Fault, number: int) -> Placed:
    return fault, {"after_bytes": number} if number else {}


def harshness(fault: Fault) -> int:
    """Return the place of a fault's kind among all, from mild to harsh."""
    return HARSHNESS.get(type(fault), len(HARSHNESS))
