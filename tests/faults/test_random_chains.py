"""Random chains of faults over random cuts of random data: nothing is lost, invented, reordered, or hangs."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults.helpers import joined, link, numbers, run, settle
from windsock.faults import (
    Blackhole,
    Chain,
    CloseDelay,
    Corrupt,
    Delay,
    Dribble,
    Duplicate,
    Fault,
    FaultHandle,
    FaultSet,
    HalfClose,
    Hold,
    Inject,
    Loss,
    Rate,
    Reorder,
    Replace,
    Segment,
    Stall,
    Truncate,
)
from windsock.faults.items import Data, Datagram, End, Item

EXAMPLES = int(os.environ.get("WINDSOCK_EXAMPLES", "1000" if os.environ.get("CI") else "100"))
"""More of them where nobody waits."""

pytestmark = pytest.mark.timeout(300)  # for as many examples as are asked for

often = settings(max_examples=EXAMPLES)

seconds = st.floats(0, 5, allow_nan=False)
positive = st.floats(0.001, 5, allow_nan=False)
laws = st.sampled_from(["uniform", "normal", "lognormal", "pareto", "exponential"])

delays = st.builds(Delay, seconds) | st.builds(
    Delay, seconds, jitter=positive, distribution=laws, correlation=st.floats(0, 1)
)
rates = st.builds(Rate, st.floats(10, 1e6), burst=st.integers(0, 1000))
schedules = st.builds(Blackhole, positive, positive, st.none() | st.integers(1, 3))
faithful: st.SearchStrategy[Fault] = st.one_of(
    delays,
    rates,
    schedules,
    st.builds(Segment, st.integers(1, 50), interval=st.floats(0, 0.01)),
    st.builds(Dribble, st.integers(1, 10), over=seconds),
    st.builds(CloseDelay, seconds),
    st.builds(Replace, st.just(b"\0\1"), st.just(b"\0\1")),
)
"""Faults that neither lose nor invent nor reorder a stream's bytes."""
holding: st.SearchStrategy[Fault] = st.one_of(
    st.just(Hold()), st.just(Blackhole()), st.builds(Stall, st.none() | st.integers(0, 200))
)
"""Faults that keep everything until they are healed."""
selectors: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"probability": st.floats(0, 1)}),
    st.fixed_dictionaries({"nth": st.integers(1, 5)}),
    st.fixed_dictionaries({"every": st.integers(1, 5)}),
    st.fixed_dictionaries({"times": st.integers(1, 5)}),
    st.fixed_dictionaries({"after": seconds}),
    st.fixed_dictionaries({"after_bytes": st.integers(0, 100)}),
    st.fixed_dictionaries({"match": st.binary(min_size=1, max_size=2)}),
)
without_bytes = selectors.filter(lambda selector: "after_bytes" not in selector)


def planned(faults: st.SearchStrategy[Fault], most: int = 5) -> st.SearchStrategy[list[tuple[Fault, dict[str, Any]]]]:
    return st.lists(st.tuples(faults, selectors).filter(is_said_once), max_size=most)


def is_said_once(plan: tuple[Fault, dict[str, Any]]) -> bool:
    """Return whether the bytes after which it happens are not said twice."""
    return getattr(plan[0], "after_bytes", None) is None or "after_bytes" not in plan[1]


streams = st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=60)), max_size=20)
"""Pieces of data, each with the time since the one before."""


def items_of(pieces: list[tuple[float, bytes]]) -> list[Item]:
    now, items = 0.0, list[Item]()
    for gap, data in pieces:
        now += gap
        items.append(Data(now, data))
    return [*items, End(now)]


def begin(plan: list[tuple[Fault, dict[str, Any]]], seed: int = 0, **kind: Any) -> tuple[list[FaultHandle], Chain]:
    fault_set = FaultSet(seed=seed, **kind)
    return [fault_set.install(fault, **selector) for fault, selector in plan], link(fault_set)


def nothing_is_left(chain: Chain) -> bool:
    return chain.pending_bytes == 0 and chain.waiting == 0 and chain.next_time() is None


@often
@given(planned(faithful), streams, st.integers(0, 9))
def test_faithful_faults_carry_every_byte_in_order_to_the_end(
    plan: list[tuple[Fault, dict[str, Any]]], pieces: list[tuple[float, bytes]], seed: int
) -> None:
    _, chain = begin(plan, seed)
    items = items_of(pieces)

    out = run(chain, items)

    assert joined(out) == joined(items)
    assert [type(item) for item in out].index(End) == len(out) - 1
    times = [item.at for item in out]
    assert times == sorted(times)
    assert nothing_is_left(chain)


@often
@given(planned(faithful | holding), streams, st.integers(0, 20), st.integers(0, 20), st.data())
def test_no_byte_is_lost_when_faults_come_and_go_in_mid_stream(
    plan: list[tuple[Fault, dict[str, Any]]],
    pieces: list[tuple[float, bytes]],
    switch_at: int,
    more_at: int,
    data: st.DataObject,
) -> None:
    fault_set = FaultSet()
    installed = [fault_set.install(fault, **selector) for fault, selector in plan]
    chain = link(fault_set)
    items = items_of(pieces)
    out: list[Item] = []
    for number, item in enumerate(items):
        if number == switch_at and installed:
            data.draw(st.sampled_from(installed)).pause()
        if number == more_at:
            installed.append(fault_set.install(data.draw(faithful | holding)))
        out += settle(chain, item.at)
        chain.feed(item)
        out += chain.due(item.at)
    end = items[-1].at + 1000

    for each in installed:
        each.heal()
    chain.refresh(end)
    out += chain.due(end)

    assert joined(out) == joined(items)
    assert out[-1] in (End(out[-1].at), *[item for item in out if type(item).__name__ == "ResumeReading"])
    assert nothing_is_left(chain)
    assert chain.reads()


@often
@given(
    planned(faithful),
    streams,
    st.integers(0, 300),
    st.sampled_from(["close", "reset", "stall", "discard"]),
    st.sampled_from([{}, {"probability": 0.5}]),
)
def test_a_cut_lets_through_exactly_what_came_before(
    plan: list[tuple[Fault, dict[str, Any]]],
    pieces: list[tuple[float, bytes]],
    size: int,
    then: str,
    selector: dict[str, Any],
) -> None:
    installed, chain = begin([*plan, (Truncate(size, then=then), selector)])
    items = items_of(pieces)

    out = run(chain, items)

    assert joined(out) == (joined(items)[:size] if installed[-1].fired else joined(items))
    assert installed[-1].fired or selector or size > len(joined(items))


@often
@given(planned(faithful), streams, st.integers(0, 300))
def test_a_half_close_lets_through_exactly_what_came_before(
    plan: list[tuple[Fault, dict[str, Any]]], pieces: list[tuple[float, bytes]], size: int
) -> None:
    _, chain = begin([*plan, (HalfClose(after_bytes=size), {})])
    items = items_of(pieces)

    out = run(chain, items)

    assert joined(out) == joined(items)[:size]
    assert [item for item in out if isinstance(item, End)] == [End(out[-1].at)]


@often
@given(planned(faithful), streams, st.binary(min_size=1, max_size=4), st.binary(max_size=4))
def test_what_is_replaced_does_not_depend_on_the_cuts(
    plan: list[tuple[Fault, dict[str, Any]]], pieces: list[tuple[float, bytes]], pattern: bytes, instead: bytes
) -> None:
    plan = [each for each in plan if not isinstance(each[0], Replace)]
    _, chain = begin([*plan, (Replace(pattern, instead, patience=None), {})])
    items = items_of(pieces)

    assert joined(run(chain, items)) == joined(items).replace(pattern, instead)


@often
@given(planned(faithful), streams, st.integers(0, 300), st.binary(min_size=1, max_size=9))
def test_bytes_are_put_in_exactly_there(
    plan: list[tuple[Fault, dict[str, Any]]], pieces: list[tuple[float, bytes]], offset: int, more: bytes
) -> None:
    _, chain = begin([*plan, (Inject(more, after_bytes=offset), {})])
    items = items_of(pieces)
    whole = joined(items)

    out = joined(run(chain, items))

    is_reached = len(whole) >= offset and (whole or not offset)
    assert out == (whole[:offset] + more + whole[offset:] if is_reached or not offset else whole)


@often
@given(planned(faithful), streams, st.sampled_from(["bitflip", "zero", "shuffle"]))
def test_damage_changes_no_length(
    plan: list[tuple[Fault, dict[str, Any]]], pieces: list[tuple[float, bytes]], mode: str
) -> None:
    _, chain = begin([*plan, (Corrupt(mode), {})])
    items = items_of(pieces)

    assert len(joined(run(chain, items))) == len(joined(items))


@often
@given(planned(faithful), streams, st.integers(0, 9))
def test_the_outcome_does_not_depend_on_when_it_is_asked_for(
    plan: list[tuple[Fault, dict[str, Any]]], pieces: list[tuple[float, bytes]], seed: int
) -> None:
    prompt_faults, prompt = begin(plan, seed)
    late_faults, late = begin(plan, seed)
    items = items_of(pieces)

    out = run(prompt, items)
    for item in items:
        late.feed(item)

    assert settle(late, 1e12) == out
    assert [each.log for each in prompt_faults] == [each.log for each in late_faults]


datagram_faults: st.SearchStrategy[Fault] = st.one_of(
    delays,
    rates,
    st.builds(Reorder, gap=st.integers(1, 5), by=st.integers(1, 3)),
    st.builds(Reorder, probability=st.floats(0, 1)),
)


@often
@given(
    st.lists(st.tuples(datagram_faults, without_bytes), max_size=5),
    st.lists(st.floats(0, 1), min_size=1, max_size=40),
    st.integers(0, 9),
)
def test_datagrams_are_delayed_and_reordered_and_none_is_lost(
    plan: list[tuple[Fault, dict[str, Any]]], gaps: list[float], seed: int
) -> None:
    _, chain = begin(plan, seed, traffic="datagram")
    sent: list[Item] = [Datagram(sum(gaps[:number]), number.to_bytes(4, "big")) for number in range(len(gaps))]

    out = run(chain, sent)

    assert sorted(numbers(out)) == list(range(len(gaps)))
    assert [item.at for item in out] == sorted(item.at for item in out)
    assert nothing_is_left(chain)


@often
@given(
    st.lists(st.tuples(datagram_faults, without_bytes), max_size=3),
    st.integers(1, 3),
    st.floats(0, 1),
    st.integers(1, 60),
    st.integers(0, 9),
)
def test_what_arrives_of_datagrams_is_what_was_neither_lost_nor_invented(
    plan: list[tuple[Fault, dict[str, Any]]], copies: int, p: float, number: int, seed: int
) -> None:
    installed, chain = begin(
        [*plan, (Loss(p), {}), (Duplicate(copies, after=0.5), {"every": 2})], seed, traffic="datagram"
    )

    out = Counter(numbers(run(chain, [Datagram(float(each), each.to_bytes(4, "big")) for each in range(number)])))

    loss, duplicate = installed[-2:]
    assert set(out) <= set(range(number))
    assert len(out) == number - loss.fired
    assert sum(out.values()) == len(out) + copies * duplicate.fired
