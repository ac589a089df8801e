"""Faults that only datagrams have."""

from __future__ import annotations

import math

import pytest

from tests.faults.helpers import datagrams, fault_set_of, kinds, link, numbers, one, run, times
from windsock.faults import Delay, Drop, Duplicate, Loss, Mtu, QueueLimit, Rate, Rebind, Reorder
from windsock.faults.items import Datagram

MANY = 10_000


def lost(fault: Loss, seed: int = 1) -> list[int]:
    """Return, for each of many datagrams, 1 if it was lost."""
    _, chain = one(fault, traffic="datagram", seed=seed)
    arrived = set(numbers(run(chain, datagrams(MANY))))
    return [number not in arrived for number in range(1, MANY + 1)]


def runs_of(flags: list[int]) -> list[int]:
    """Return the lengths of runs of ones."""
    lengths, current = [], 0
    for flag in [*flags, 0]:
        if not flag and current:
            lengths.append(current)
        current = current + 1 if flag else 0
    return lengths


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("p", [0.01, 0.1, 0.5])
def test_loss_is_within_the_interval_of_the_binomial(p: float, seed: int) -> None:
    wide = 3.2905 * math.sqrt(MANY * p * (1 - p))  # 99.9 %, two-sided

    assert abs(sum(lost(Loss(p), seed)) - MANY * p) <= wide


def test_loss_is_the_same_with_the_same_seed_and_another_with_another() -> None:
    assert lost(Loss(0.1), seed=5) == lost(Loss(0.1), seed=5)
    assert lost(Loss(0.1), seed=5) != lost(Loss(0.1), seed=6)


def test_all_or_nothing_is_exact() -> None:
    assert sum(lost(Loss(1.0))) == MANY
    assert sum(lost(Loss(0.0))) == 0


def test_gilbert_elliott_loses_in_bursts_of_the_length_that_r_says() -> None:
    flags = lost(Loss(0.01, model="gemodel", r=0.25))

    assert sum(flags) / MANY == pytest.approx(0.01 / 0.26, rel=0.35)
    assert sum(runs_of(flags)) / len(runs_of(flags)) == pytest.approx(4, rel=0.25)


def test_a_good_line_loses_what_k_leaves_and_a_bad_one_what_h_leaves() -> None:
    assert sum(lost(Loss(0.0, model="gemodel", k=0.9))) / MANY == pytest.approx(0.1, abs=0.012)
    assert sum(lost(Loss(1.0, model="gemodel", r=0.0, h=0.3))) / MANY == pytest.approx(0.7, abs=0.02)


def test_gilbert_elliott_without_r_is_loss_without_memory() -> None:
    flags = lost(Loss(0.1, model="gemodel"))

    assert sum(flags) / MANY == pytest.approx(0.1, abs=0.012)
    assert sum(runs_of(flags)) / len(runs_of(flags)) == pytest.approx(1 / 0.9, rel=0.1)


def test_four_states_lose_in_bursts_and_alone() -> None:
    bursts = runs_of(lost(Loss(model="state", p13=0.01, p31=0.2)))
    alone = runs_of(lost(Loss(model="state", p13=0.0, p14=0.05)))

    assert sum(bursts) / len(bursts) == pytest.approx(5, rel=0.3)
    assert set(alone) == {1}
    assert sum(alone) / MANY == pytest.approx(0.05 / 1.05, rel=0.2)


def test_a_burst_of_the_four_states_has_good_times() -> None:
    flags = lost(Loss(model="state", p13=0.01, p31=0.1, p32=0.4, p23=0.5))

    assert 2 in runs_of([not flag for flag in flags])
    assert sum(flags) / MANY == pytest.approx(1 / (1 + 0.1 / 0.01 + 0.4 / 0.5), rel=0.3)


@pytest.mark.parametrize(
    ("indices", "arrive"),
    [
        (2, [1, 3, 4, 5, 6]),
        ([1, 6], [2, 3, 4, 5]),
        (slice(3, None, 2), [1, 2, 4, 6]),
        (range(2, 5), [1, 5, 6]),
    ],
)
def test_exactly_these_datagrams_are_dropped(indices: object, arrive: list[int]) -> None:
    installed, chain = one(Drop(indices), traffic="datagram")  # type: ignore[arg-type]  # one of each kind

    assert numbers(run(chain, datagrams(6))) == arrive
    assert installed.fired == 6 - len(arrive)


def test_copies_follow_at_their_distance() -> None:
    _, chain = one(Duplicate(2, after=0.25), traffic="datagram", nth=1)

    out = run(chain, datagrams(2))

    assert numbers(out) == [1, 1, 1, 2]
    assert times(out) == [1.0, 1.25, 1.5, 2.0]


def test_a_long_time_after_makes_a_replay() -> None:
    _, chain = one(Duplicate(after=10.0), traffic="datagram", nth=1)

    assert numbers(run(chain, datagrams(3))) == [1, 2, 3, 1]


def test_every_so_many_datagrams_one_is_overtaken() -> None:
    _, chain = one(Reorder(gap=3), traffic="datagram")

    assert numbers(run(chain, datagrams(8, every=0.01))) == [1, 2, 4, 3, 5, 7, 6, 8]


def test_one_may_be_overtaken_by_several() -> None:
    _, chain = one(Reorder(gap=5, by=3), traffic="datagram")

    assert numbers(run(chain, datagrams(9, every=0.01))) == [1, 2, 3, 4, 6, 7, 8, 5, 9]


def test_one_that_nobody_overtakes_does_not_wait_for_ever() -> None:
    _, chain = one(Reorder(gap=1, patience=0.5), traffic="datagram")

    assert run(chain, [Datagram(1.0, b"a")]) == [Datagram(1.5, b"a")]


def test_the_patience_with_one_does_not_end_that_with_the_next() -> None:
    _, chain = one(Reorder(gap=2, patience=1.0), traffic="datagram")
    sent = [Datagram(at, bytes([number])) for number, at in enumerate((0.0, 0.1, 0.2, 0.9))]

    assert run(chain, sent)[-1] == Datagram(1.9, bytes([3]))


def test_some_are_overtaken_by_chance_and_none_is_lost() -> None:
    installed, chain = one(Reorder(probability=0.2), traffic="datagram")

    out = numbers(run(chain, datagrams(1000, every=0.001)))

    assert sorted(out) == list(range(1, 1001))
    assert 100 < installed.fired < 300


@pytest.mark.parametrize(
    ("on_excess", "arrives"),
    [("drop", []), ("truncate", [Datagram(1.0, b"abc")]), ("EMSGSIZE", [Datagram(1.0, b"abcd", refuse="EMSGSIZE")])],
)
def test_a_datagram_that_is_too_large_does_not_get_through(on_excess: str, arrives: list[Datagram]) -> None:
    _, chain = one(Mtu(3, on_excess=on_excess), traffic="datagram")

    assert run(chain, [Datagram(1.0, b"abcd"), Datagram(2.0, b"abc")]) == [*arrives, Datagram(2.0, b"abc")]


def test_a_queue_takes_so_many() -> None:
    fault_set = fault_set_of(QueueLimit(3), Delay(10.0), traffic="datagram")

    assert numbers(run(link(fault_set), datagrams(20))) == [1, 2, 3, 11, 12, 13]


def test_a_queue_before_a_slow_line_keeps_it_busy() -> None:
    fault_set = fault_set_of(QueueLimit(2), Rate(1), traffic="datagram")

    out = run(link(fault_set), datagrams(40, every=1.0))

    assert [round(after - before) for before, after in zip(times(out), times(out)[1:], strict=False)] == [4] * (
        len(out) - 1
    )


def test_a_client_gets_another_address_before_the_chosen_datagram() -> None:
    installed, chain = one(Rebind(), traffic="datagram", nth=2)

    assert kinds(run(chain, datagrams(3))) == ["Datagram", "NewSource", "Datagram", "Datagram"]
    assert installed.fired == 1


def test_a_client_of_a_live_link_gets_another_address_at_once_and_once() -> None:
    fault_set = fault_set_of(traffic="datagram")
    upward, downward = link(fault_set), link(fault_set, direction="downstream")
    run(upward, datagrams(1))

    fault_set.install(Rebind())
    upward.refresh(2.0)
    downward.refresh(2.0)

    assert kinds(upward.due(2.0) + downward.due(2.0)) == ["NewSource"]
