"""Faults that end a stream, cut it, or change what it says."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.faults.helpers import datagrams, datas, fault_set_of, joined, kinds, link, numbers, one, run
from windsock.faults import CloseDelay, Corrupt, Delay, Fault, HalfClose, Inject, Replace, Reset, Stall, Truncate, items
from windsock.faults.items import ConnectionClose, Data, Datagram, End, Item, ResumeReading


def test_a_reset_comes_as_soon_as_its_bytes_have_passed() -> None:
    installed, chain = one(Reset(after_bytes=10))

    out = run(chain, datas(b"12345", b"67890"))

    assert out == [Data(0.0, b"12345"), Data(1.0, b"67890"), items.ConnectionReset(1.0)]
    assert (installed.log[0].offset, installed.log[0].connection, installed.log[0].direction) == (10, 0, "upstream")


def test_a_reset_in_the_middle_of_a_piece_loses_the_rest() -> None:
    installed, chain = one(Reset(after_bytes=3, flush=True))

    out = run(chain, [Data(1.0, b"abcdef"), Data(2.0, b"more"), End(3.0)])

    assert out == [Data(1.0, b"abc"), items.ConnectionReset(1.0, flush=True)]
    assert installed.log[0].offset == 3
    assert "3 B that had come are lost" in installed.log[0].what


def test_a_reset_without_a_point_comes_at_once() -> None:
    installed, chain = one(Reset())

    assert chain.due(0.0) == [items.ConnectionReset(0.0)]
    assert installed.fired == 1


def test_a_reset_after_seconds_needs_no_traffic() -> None:
    _, chain = one(Reset(), after=2.5)

    assert chain.next_time() == 2.5
    assert run(chain, [Data(1.0, b"a")]) == [Data(1.0, b"a"), items.ConnectionReset(2.5)]


def test_a_connection_is_reset_once_whichever_direction_comes_first() -> None:
    fault_set = fault_set_of(Reset(after_bytes=1))
    upward, downward = link(fault_set), link(fault_set, direction="downstream")

    first, second = run(downward, [Data(1.0, b"a")]), run(upward, [Data(1.0, b"a")])

    assert kinds(first) == ["Data", "ConnectionReset"]
    assert kinds(second) == ["Data"]
    assert [each.fired for each in fault_set.handles] == [1]


def test_a_live_connection_is_reset_when_the_fault_comes() -> None:
    fault_set = fault_set_of()
    upward, downward = link(fault_set), link(fault_set, direction="downstream")
    run(upward, [Data(1.0, b"a")])

    fault_set.install(Reset())
    upward.refresh(2.0)
    downward.refresh(2.0)

    assert upward.due(2.0) + downward.due(2.0) == [items.ConnectionReset(2.0)]


def test_the_nth_piece_is_what_a_reset_takes_the_place_of() -> None:
    _, chain = one(Reset(), nth=2)

    assert run(chain, datas(b"a", b"b")) == [Data(0.0, b"a"), items.ConnectionReset(1.0)]


@pytest.mark.parametrize(
    ("then", "after"),
    [
        ("close", [ConnectionClose(1.0)]),
        ("reset", [items.ConnectionReset(1.0)]),
        ("stall", [items.StopReading(1.0)]),
        ("discard", [End(3.0)]),
    ],
)
def test_a_cut_stream_ends_as_was_said(then: str, after: list[Item]) -> None:
    installed, chain = one(Truncate(4, then=then))

    out = run(chain, [Data(1.0, b"abcdef"), Data(2.0, b"gh"), End(3.0)])

    assert out == [Data(1.0, b"abcd"), *after]
    assert chain.reads() == (then != "stall")
    assert installed.fired == 1


def test_a_cut_at_nothing_ends_at_once() -> None:
    _, chain = one(Truncate(0))

    assert chain.due(0.0) == [ConnectionClose(0.0)]


def test_a_stalled_cut_that_is_healed_reads_on() -> None:
    installed, chain = one(Truncate(1, then="stall"))
    run(chain, [Data(1.0, b"ab")])

    installed.heal()
    chain.refresh(2.0)

    assert chain.due(2.0) == [ResumeReading(2.0)]
    assert chain.reads()


def test_a_half_close_ends_one_direction_and_nothing_follows() -> None:
    fault_set = fault_set_of(HalfClose(after_bytes=2), direction="downstream")
    upward, downward = link(fault_set), link(fault_set, direction="downstream")

    assert run(downward, [Data(1.0, b"abc"), Data(2.0, b"d"), End(3.0)]) == [Data(1.0, b"ab"), End(1.0)]
    assert run(upward, [Data(2.0, b"abc")]) == [Data(2.0, b"abc")]


def test_a_stall_stops_reading_and_loses_nothing() -> None:
    installed, chain = one(Stall(after_bytes=2))

    assert run(chain, [Data(1.0, b"abc"), Data(2.0, b"d"), End(3.0)]) == [Data(1.0, b"ab"), items.StopReading(1.0)]
    assert not chain.reads()
    installed.pause()
    chain.refresh(4.0)

    assert chain.due(4.0) == [Data(4.0, b"c"), Data(4.0, b"d"), End(4.0), ResumeReading(4.0)]
    assert chain.reads()


def test_nothing_follows_a_reset_of_a_late_kind() -> None:
    chain = link(fault_set_of(Reset(after_bytes=1), CloseDelay(5.0)))

    assert run(chain, [Data(1.0, b"ab"), Data(2.0, b"c"), End(3.0)]) == [Data(1.0, b"a"), items.ConnectionReset(6.0)]


def test_a_reset_of_the_sender_passes_a_stall() -> None:
    _, chain = one(Stall())

    assert kinds(run(chain, [Data(1.0, b"a"), items.ConnectionReset(2.0)])) == ["StopReading", "ConnectionReset"]


def test_at_its_byte_a_fault_has_one_chance() -> None:
    fault_set = fault_set_of(Reset(after_bytes=150), probability=0.3)
    outcomes = [run(link(fault_set, connection=index), datas(*[b"x" * 100] * 10)) for index in range(300)]

    cut = [out for out in outcomes if "ConnectionReset" in kinds(out)]
    assert {len(joined(out)) for out in cut} == {150}
    assert {len(joined(out)) for out in outcomes if out not in cut} == {1000}
    assert 60 < len(cut) < 120


def test_a_byte_that_passed_before_its_time_counts_when_the_time_has_come() -> None:
    _, chain = one(Truncate(2), after=5.0)

    assert run(chain, datas(b"abc", b"d", every=6.0)) == [Data(0.0, b"abc"), ConnectionClose(6.0)]


@pytest.mark.parametrize(
    ("fault", "selector", "upstream", "downstream"),
    [
        (Truncate(0), {"direction": "downstream", "nth": 1}, [Data(1.0, b"get")], [ConnectionClose(2.0)]),
        (HalfClose(), {"direction": "downstream", "nth": 1}, [Data(1.0, b"get")], [End(2.0)]),
        (Truncate(0, then="discard"), {"direction": "downstream"}, [Data(1.0, b"get")], []),
        (Stall(), {"direction": "upstream"}, [items.StopReading(0.0)], [Data(2.0, b"reply")]),
        (Truncate(0), {"after": 1.5}, [Data(1.0, b"get"), ConnectionClose(1.5)], [Data(2.0, b"reply")]),
    ],
)
def test_what_other_tools_call_by_another_name(
    fault: Fault, selector: dict[str, Any], upstream: list[Item], downstream: list[Item]
) -> None:
    fault_set = fault_set_of(fault, **selector)
    upward, downward = link(fault_set), link(fault_set, direction="downstream")

    assert run(upward, [Data(1.0, b"get")]) == upstream
    assert run(downward, [Data(2.0, b"reply")]) == downstream


def test_bytes_are_put_in_at_their_place() -> None:
    _, at_three = one(Inject(b"!!", after_bytes=3))
    _, at_once = one(Inject(b"hello "))
    _, before = one(Inject(b"-"), match=b"b")

    assert joined(run(at_three, datas(b"ab", b"cd"))) == b"abc!!d"
    assert joined(run(at_once, [Data(1.0, b"you")])) == b"hello you"
    assert joined(run(before, datas(b"a", b"b", b"a", b"b"))) == b"a-ba-b"


def test_a_datagram_is_put_in() -> None:
    _, chain = one(Inject(b"\0\0\0\7"), traffic="datagram", nth=2)

    assert numbers(run(chain, datagrams(3))) == [1, 7, 2, 3]


def test_nothing_is_put_in_after_the_end() -> None:
    _, chain = one(Inject(b"late"), after=9.0)

    assert run(chain, [Data(1.0, b"a"), End(2.0)]) == [Data(1.0, b"a"), End(2.0)]


@pytest.mark.parametrize("mode", ["bitflip", "zero", "replace", "shuffle"])
def test_damage_keeps_the_size(mode: str) -> None:
    data = bytes(range(1, 101))
    _, chain = one(Corrupt(mode, data=b"xyz" if mode == "replace" else b""))

    out = joined(run(chain, [Data(1.0, data)]))

    assert len(out) == len(data)
    assert out != data


def test_so_many_bits_are_turned_over() -> None:
    _, chain = one(Corrupt("bitflip", bits=5))

    out = joined(run(chain, [Data(1.0, bytes(100))]))

    assert sum(byte.bit_count() for byte in out) == 5


def test_damage_is_what_it_is_called() -> None:
    assert joined(run(one(Corrupt("zero"))[1], [Data(1.0, b"abc")])) == b"\0\0\0"
    assert joined(run(one(Corrupt("replace", data=b"xy"))[1], [Data(1.0, b"abc")])) == b"xyx"
    assert sorted(joined(run(one(Corrupt("shuffle"))[1], [Data(1.0, b"abcdef")]))) == list(b"abcdef")


def test_more_bits_than_there_are_turn_over_all() -> None:
    assert joined(run(one(Corrupt(bits=100))[1], [Data(1.0, b"\0")])) == b"\xff"


def test_a_pattern_is_replaced_wherever_the_bytes_are_cut() -> None:
    text = b"one two tw two twotwotwo t"
    whole = text.replace(b"two", b"2")
    cutter = random.Random(3)

    for _ in range(200):
        _, chain = one(Replace(b"two", b"2", patience=None))
        cuts = sorted(cutter.sample(range(len(text)), 6))
        pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        assert joined(run(chain, [*datas(*pieces), End(99.0)])) == whole


def test_what_may_be_the_beginning_of_a_pattern_is_not_held_for_ever() -> None:
    _, chain = one(Replace(b"two", b"2", patience=0.5))

    assert run(chain, [Data(1.0, b"one t")]) == [Data(1.0, b"one "), Data(1.5, b"t")]


def test_each_replacement_is_a_firing() -> None:
    installed, chain = one(Replace(b"aa", b"b"))

    assert joined(run(chain, datas(b"aaa", b"a", every=0.01))) == b"bb"
    assert installed.fired == 2


def test_datagrams_are_searched_one_by_one() -> None:
    _, chain = one(Replace(b"ab", b"c"), traffic="datagram")

    out = run(chain, [Datagram(1.0, b"xaby"), Datagram(1.1, b"a"), Datagram(1.2, b"b")])

    assert [item.data for item in out if isinstance(item, Datagram)] == [b"xcy", b"a", b"b"]


def test_faults_act_in_their_order_whatever_the_order_of_installation() -> None:
    first = run(link(fault_set_of(Truncate(2), Replace(b"a", b"xyz"), Delay(1.0))), [Data(0.0, b"ab")])
    second = run(link(fault_set_of(Delay(1.0), Replace(b"a", b"xyz"), Truncate(2))), [Data(0.0, b"ab")])

    assert first == second == [Data(1.0, b"xy"), ConnectionClose(1.0)]


def test_a_function_is_a_fault() -> None:
    installed, chain = one(lambda item, link: item.data.upper() if link.seen else None)

    out = run(chain, [Data(1.0, b"lost"), Data(2.0, b"loud"), End(3.0)])

    assert out == [Data(2.0, b"LOUD"), End(3.0)]
    assert [firing.what for firing in installed.log] == ["took 4 B away", "made 1 item(s) of 4 B"]


def test_a_function_may_answer_with_items() -> None:
    _, chain = one(lambda item, link: [item, Data(item.at + 1.0, b"echo")])

    assert run(chain, [Data(1.0, b"a")]) == [Data(1.0, b"a"), Data(2.0, b"echo")]


def test_a_function_that_leaves_it_as_it_is_has_not_fired() -> None:
    installed, chain = one(lambda item, link: item)

    run(chain, [Data(1.0, b"a")])

    assert installed.fired == 0
