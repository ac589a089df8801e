"""Faults that make things late: Delay, Rate, Segment, Dribble, Blackhole, Hold, CloseDelay."""

from __future__ import annotations

import statistics

import pytest

from tests.faults.helpers import datagrams, datas, fault_set_of, joined, kinds, link, numbers, one, run, settle, times
from windsock.errors import UsageError
from windsock.faults import Blackhole, CloseDelay, Delay, Dribble, Hold, Rate, Segment
from windsock.faults.items import ConnectionClose, ConnectionReset, Data, Datagram, End, Item


def test_a_delay_moves_data_and_its_end_by_its_time() -> None:
    _, chain = one(Delay(0.25))

    out = run(chain, [Data(1.0, b"a"), Data(1.1, b"b"), End(1.2)])

    assert out == [Data(1.25, b"a"), Data(1.35, b"b"), End(1.45)]


def test_a_delay_does_not_hold_back_the_sender() -> None:
    _, chain = one(Delay(10.0))

    for number in range(1000):
        chain.feed(Data(number / 1000, b"x" * 65536))

    assert chain.reads()
    assert chain.pending_bytes == 65536 * 1000


def test_a_stream_keeps_its_order_whatever_the_jitter() -> None:
    _, chain = one(Delay(0.5, jitter=0.5))
    pieces = [bytes([number]) for number in range(200)]

    out = run(chain, datas(*pieces, every=0.01))

    assert joined(out) == b"".join(pieces)
    assert times(out) == sorted(times(out))


def test_delayed_datagrams_overtake_each_other() -> None:
    _, chain = one(Delay(0.5, jitter=0.5), traffic="datagram")

    out = run(chain, datagrams(200, every=0.01))

    assert numbers(out) != list(range(1, 201))
    assert sorted(numbers(out)) == list(range(1, 201))
    assert times(out) == sorted(times(out))


def delays(fault: Delay, number: int = 4000) -> list[float]:
    installed, chain = one(fault, traffic="datagram", seed=7)
    run(chain, datagrams(number, every=100.0))
    return [float(firing.what.split()[-2]) for firing in installed.log]


@pytest.mark.parametrize(
    ("law", "mean", "spread"),
    [
        ("uniform", 1.0, 0.1 / 3**0.5),
        ("normal", 1.0, 0.1),
        ("exponential", 1.1, 0.1),
        ("lognormal", 1.1, 0.1 * 1.3108),
        ("pareto", 1.1, 0.2 * 0.75**0.5),
    ],
)
def test_a_law_has_the_mean_and_the_spread_that_the_docstring_says(law: str, mean: float, spread: float) -> None:
    drawn = delays(Delay(1.0, jitter=0.1, distribution=law))

    assert statistics.fmean(drawn) == pytest.approx(mean, abs=0.012)
    if law in ("uniform", "normal", "exponential"):  # the others have tails too long for 4,000 draws
        assert statistics.stdev(drawn) == pytest.approx(spread, rel=0.06)


@pytest.mark.parametrize("law", ["uniform", "normal", "exponential", "lognormal", "pareto"])
def test_correlation_ties_a_delay_to_the_one_before_and_leaves_the_law_as_it_is(law: str) -> None:
    free = delays(Delay(1.0, jitter=0.1, distribution=law))
    tied = delays(Delay(1.0, jitter=0.1, distribution=law, correlation=0.9))

    assert abs(statistics.correlation(free, free[1:] + free[:1])) < 0.06
    assert statistics.correlation(tied[:-1], tied[1:]) > 0.6
    assert statistics.median(tied) == pytest.approx(statistics.median(free), abs=0.03)


@pytest.mark.parametrize("law", ["exponential", "lognormal", "pareto"])
def test_the_time_is_the_least_delay_of_the_laws_with_a_tail(law: str) -> None:
    assert min(delays(Delay(1.0, jitter=0.1, distribution=law))) >= 1.0


def test_a_delay_is_never_below_nothing() -> None:
    assert min(delays(Delay(0.01, jitter=1.0))) == 0.0


def test_a_rate_is_exact_and_neither_early_nor_late_by_more_than_a_piece() -> None:
    _, chain = one(Rate(1_000_000))
    size = 3_000_000

    out = run(chain, [Data(10.0, bytes(65536)) for _ in range(size // 65536)])

    passed = 0
    for item in out:
        assert isinstance(item, Data)
        assert abs(item.at - 10.0 - passed / 1e6) <= 0.005
        passed += len(item.data)
        assert item.at - 10.0 == pytest.approx(passed / 1e6, abs=1e-6)


def test_a_rate_does_not_drift_when_data_comes_little_by_little() -> None:
    _, chain = one(Rate(1000))

    out = run(chain, datas(*[b"x" * 10] * 5000, every=0.001))

    assert out[-1].at == pytest.approx(50.0)


def test_an_idle_line_saves_up_no_more_than_its_burst() -> None:
    _, chain = one(Rate(1000, burst=500))

    out = run(chain, [Data(100.0, b"x" * 400), Data(100.0, b"x" * 200)])

    assert max(item.at for item in out if item.at == 100.0) == 100.0
    assert out[-1].at == pytest.approx(100.1)
    assert sum(len(item.data) for item in out if isinstance(item, Data) and item.at == 100.0) == 500


def test_a_slow_line_holds_its_sender_back_and_takes_more_when_there_is_room() -> None:
    _, chain = one(Rate(100_000))

    chain.feed(Data(0.0, bytes(100_000)))

    assert not chain.reads()
    chain.due(0.5)
    assert chain.reads()


def test_a_line_with_a_delay_holds_what_is_on_the_way_as_well() -> None:
    chain = link(fault_set_of(Rate(1_000_000), Delay(1.0)))

    chain.feed(Data(0.0, bytes(1_000_000)))

    assert chain.reads()
    chain.feed(Data(0.0, bytes(200_000)))
    assert not chain.reads()


def test_a_very_slow_line_does_not_cut_data_into_dust() -> None:
    _, chain = one(Rate(1))

    chain.feed(Data(0.0, bytes(65536)))

    assert chain.waiting == 1024


def test_datagrams_stay_whole_on_a_slow_line() -> None:
    _, chain = one(Rate(1000), traffic="datagram")

    out = run(chain, [Datagram(1.0, bytes(500)), Datagram(1.0, bytes(500))])

    assert [(item.at, len(item.data)) for item in out if isinstance(item, Datagram)] == [(1.5, 500), (2.0, 500)]


def test_segments_have_their_size_and_their_distance() -> None:
    _, chain = one(Segment(3, interval=0.5))

    out = run(chain, [Data(1.0, b"abcdefgh"), Data(1.0, b"ij")])

    assert out == [Data(1.0, b"abc"), Data(1.5, b"def"), Data(2.0, b"gh"), Data(2.5, b"ij")]


def test_a_dribble_ends_when_it_was_said_to() -> None:
    _, chain = one(Dribble(4, over=2.0))

    out = run(chain, [Data(1.0, b"abcdefgh"), Data(1.5, b"xy"), End(1.6)])

    assert out == [
        *(Data(1.5 + 0.5 * number, part) for number, part in enumerate((b"ab", b"cd", b"ef", b"gh"))),
        Data(4.0, b"x"),
        Data(5.0, b"y"),
        End(5.0),
    ]


def test_a_stream_goes_on_after_the_dark() -> None:
    installed, chain = one(Blackhole())

    assert run(chain, [Data(1.0, b"a"), Data(2.0, b"b"), End(3.0)]) == []
    assert chain.pending_bytes == 2
    installed.heal()
    chain.refresh(9.0)

    assert chain.due(9.0) == [Data(9.0, b"a"), Data(9.0, b"b"), End(9.0)]
    assert installed.fired == 3


def test_a_schedule_goes_dark_and_light_so_often() -> None:
    _, chain = one(Blackhole(1.0, 2.0, 2), after=10.0)

    out = run(chain, datas(*[b"x"] * 20, every=1.0, start=0.5))

    late = {item.at for item in out} - {0.5 + number for number in range(20)}
    assert late == {11.0, 14.0}
    assert len(out) == 20


def test_a_schedule_without_an_end_goes_on() -> None:
    _, chain = one(Blackhole(1.0, 1.0))

    assert times(run(chain, [Data(1000.5, b"x"), Data(1001.5, b"x")])) == [1001.0, 1001.5]


def test_datagrams_are_lost_in_the_dark_and_bytes_too_if_said_so() -> None:
    _, datagram_link = one(Blackhole(10.0), traffic="datagram")
    _, stream = one(Blackhole(10.0, discard=True))

    assert numbers(run(datagram_link, datagrams(15))) == [10, 11, 12, 13, 14, 15]
    assert run(stream, [Data(1.0, b"lost"), End(2.0)]) == [End(10.0)]


def test_a_chosen_item_brings_the_dark_down() -> None:
    installed, chain = one(Blackhole(), match=b"STOP")

    out = run(chain, datas(b"go", b"ST", b"OP", b"more"))

    assert joined(out) == b"goST"
    installed.heal()
    chain.refresh(9.0)
    assert joined(chain.due(9.0)) == b"OPmore"


def test_what_is_held_is_delivered_one_by_one_and_then_all() -> None:
    installed, chain = one(Hold())

    assert run(chain, datas(b"a", b"b", b"c")) == []
    installed.deliver(2)
    chain.refresh(10.0)
    assert joined(chain.due(10.0)) == b"ab"
    installed.release()
    chain.refresh(11.0)
    assert joined(chain.due(11.0)) == b"c"
    assert joined(run(chain, [Data(12.0, b"d")])) == b"d"


def test_what_was_delivered_in_advance_is_not_held() -> None:
    installed, chain = one(Hold())
    installed.deliver()

    assert joined(run(chain, datas(b"a", b"b"))) == b"a"


def test_a_hold_holds_again_when_it_is_resumed() -> None:
    installed, chain = one(Hold())
    installed.release()
    assert joined(run(chain, [Data(1.0, b"a")])) == b"a"

    installed.resume()

    assert run(chain, [Data(2.0, b"b")]) == []


def test_behind_a_chosen_piece_a_stream_waits_and_datagrams_do_not() -> None:
    _, stream = one(Hold(), nth=2)
    _, other = one(Hold(), traffic="datagram", nth=2)

    assert joined(run(stream, datas(b"a", b"b", b"c"))) == b"a"
    assert numbers(run(other, datagrams(3))) == [1, 3]


def test_only_a_hold_can_be_released() -> None:
    installed, _ = one(Delay(1.0))

    with pytest.raises(UsageError, match=r"expected a Hold\(\), this is Delay\(1.0\)"):
        installed.release()
    with pytest.raises(UsageError, match="deliver"):
        installed.deliver(1)


@pytest.mark.parametrize("end", [End(1.0), ConnectionClose(1.0), ConnectionReset(1.0)])
def test_an_end_is_late_and_the_data_is_not(end: Item) -> None:
    installed, chain = one(CloseDelay(2.0))

    out = run(chain, [Data(1.0, b"a"), end])

    assert times(out) == [1.0, 3.0]
    assert kinds(out) == ["Data", type(end).__name__]
    assert installed.fired == 1


def test_what_waits_comes_out_the_same_however_late_it_is_asked_for() -> None:
    items = [*datas(*[b"x" * 50] * 20, every=0.1), End(3.0)]
    faults = (Delay(0.2, jitter=0.2), Rate(400), Segment(7, interval=0.01))
    prompt, late = link(fault_set_of(*faults)), link(fault_set_of(*faults))

    for item in items:
        late.feed(item)

    assert late.due(1e9) == run(prompt, items)


def test_nothing_comes_before_its_time() -> None:
    _, chain = one(Delay(1.0))
    chain.feed(Data(5.0, b"a"))

    assert chain.next_time() == 6.0
    assert chain.due(5.999) == []
    assert settle(chain, 6.0) == [Data(6.0, b"a")]
    assert chain.next_time() is None
