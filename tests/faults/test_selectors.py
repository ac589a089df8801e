"""Where a fault applies."""

from __future__ import annotations

import re
import threading
from typing import Any

import pytest

from tests.faults.helpers import datagrams, datas, fault_set_of, joined, link, numbers, one, run
from windsock.errors import UsageError
from windsock.faults import (
    ConnectionInfo,
    Corrupt,
    Delay,
    FaultSet,
    Loss,
    MaxConnections,
    Refuse,
    Reset,
    Selector,
    Truncate,
    first,
)
from windsock.faults.items import Data


def hit(*pieces: bytes, **selector: Any) -> bytes:
    """Return which of the bytes of a stream were selected, as 0 and 1."""
    _, chain = one(Corrupt("replace", data=b"1"), **selector)
    out = joined(run(chain, datas(*pieces)))
    return bytes(ord("1") if byte == ord("1") else ord("0") for byte in out)


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ({}, b"111111"),
        ({"nth": 2}, b"010000"),
        ({"nth": [1, 6]}, b"100001"),
        ({"nth": slice(2, 6, 2)}, b"010100"),
        ({"nth": slice(None, 3)}, b"110000"),
        ({"nth": range(3, 7)}, b"001111"),
        ({"every": 3}, b"001001"),
        ({"times": 2}, b"110000"),
        ({"every": 2, "times": 1}, b"010000"),
        ({"after": 3.0}, b"000111"),
        ({"after_bytes": 4}, b"000011"),
        ({"match": b"c"}, b"001000"),
        ({"match": re.compile(b"[b-d]")}, b"011100"),
        ({"match": lambda data: data > b"d"}, b"000011"),
        ({"match": re.compile(b"[b-e]"), "nth": 2}, b"001000"),
        ({"probability": 0.0}, b"000000"),
        ({"probability": 1.0}, b"111111"),
        ({"direction": "downstream"}, b"000000"),
        ({"direction": "upstream"}, b"111111"),
        ({"connections": 1}, b"000000"),
    ],
)
def test_what_a_selector_selects(selector: dict[str, Any], selected: bytes) -> None:
    assert hit(b"a", b"b", b"c", b"d", b"e", b"f", **selector) == selected


def test_a_piece_is_split_where_the_bytes_say() -> None:
    assert hit(b"abcdef", b"gh", after_bytes=4) == b"00001111"


def test_a_match_is_found_across_pieces_and_takes_the_one_it_ends_in() -> None:
    assert hit(b"xab", b"cx", b"abc", b"x", match=b"abc") == b"00011111" + b"0"
    assert hit(b"xab", b"cx", b"x", match=re.compile(b"abc")) == b"000110"


def test_a_match_is_not_found_twice() -> None:
    assert hit(b"abc", b"x", b"y", match=b"abc") == b"11100"
    assert hit(b"abc", b"x", b"y", match=re.compile(b"abc")) == b"11100"


def test_exact_numbers_are_looked_at_before_chances_are_drawn() -> None:
    chosen = set()
    for seed in range(200):
        _, chain = one(Corrupt("zero"), seed=seed, traffic="datagram", nth=3, probability=0.5)
        chosen |= {number for number, seen in enumerate(numbers(run(chain, datagrams(5))), start=1) if seen == 0}

    assert chosen == {3}


@pytest.mark.parametrize(
    ("connections", "chosen"),
    [
        (None, [0, 1, 2, 3, 4]),
        (2, [2]),
        (slice(1, 4, 2), [1, 3]),
        (slice(3, None), [3, 4]),
        ([0, 4], [0, 4]),
        (range(2), [0, 1]),
        (first(2), [0, 1]),
        (lambda met: met.index == 3, [3]),
        (lambda met: met.peer == "friend 1", [1]),
    ],
)
def test_which_connections_a_selector_selects(connections: Any, chosen: list[int]) -> None:
    fault_set = fault_set_of(Delay(1.0), connections=connections)
    chains = [
        fault_set.chain(connection=index, direction="upstream", now=0.0, peer=f"friend {index}") for index in range(5)
    ]

    assert [chain.connection for chain in chains if not chain.is_idle()] == chosen


def test_the_first_connections_are_those_that_the_fault_meets() -> None:
    fault_set = fault_set_of()
    over = link(fault_set, connection=0)
    over.close(1.0)
    live = link(fault_set, connection=1)

    fault_set.install(Delay(1.0), connections=first(2))
    later = [link(fault_set, connection=index) for index in (2, 3)]

    live.refresh(2.0)
    assert [chain.is_idle() for chain in (live, *later)] == [False, False, True]


def test_a_predicate_is_asked_once_for_each_direction() -> None:
    asked: list[ConnectionInfo] = []

    def is_friend(met: ConnectionInfo) -> bool:
        asked.append(met)
        return False

    fault_set = fault_set_of(Delay(1.0), connections=is_friend)
    chain = link(fault_set)

    for _ in range(3):
        fault_set.install(Delay(1.0), direction="downstream")
        chain.refresh(1.0)

    assert asked == [ConnectionInfo(0, None)]


def test_a_connection_is_reset_by_chance_once() -> None:
    fired = 0
    fault_set = fault_set_of(Reset(), probability=0.3)
    for index in range(1000):
        upward, downward = link(fault_set, connection=index), link(fault_set, connection=index, direction="downstream")
        run(upward, datas(*[b"x"] * 5))
        run(downward, datas(*[b"x"] * 5))
        fired = fault_set.handles[0].fired

    assert 250 < fired < 350


def test_times_counts_over_all_connections_and_threads() -> None:
    fault_set = fault_set_of(Corrupt(), times=50)
    barrier = threading.Barrier(8)

    def traffic(index: int) -> None:
        chain = link(fault_set, connection=index)
        barrier.wait(10)
        run(chain, datas(*[b"x"] * 100))

    threads = [threading.Thread(target=traffic, args=(index,)) for index in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert fault_set.handles[0].fired == 50
    assert [firing.number for firing in fault_set.handles[0].log] == list(range(1, 51))


@pytest.mark.parametrize(
    ("selector", "said"),
    [
        ({"nth": 1, "every": 2}, "nth=1 with every=2"),
        ({"nth": 0}, "nth=0"),
        ({"nth": []}, "empty"),
        ({"nth": "2"}, "nth='2'"),
        ({"nth": slice(-1, None)}, "nth=slice"),
        ({"nth": slice(1, None, 0)}, "nth=slice"),
        ({"nth": True}, "nth=True"),
        ({"every": 0}, "every=0"),
        ({"times": 0}, "times=0"),
        ({"times": 1.5}, "times=1.5"),
        ({"after": -1}, "after=-1"),
        ({"after": float("nan")}, "after=nan"),
        ({"after_bytes": -1}, "after_bytes=-1"),
        ({"probability": 2}, "probability=2"),
        ({"probability": "often"}, "probability='often'"),
        ({"match": "text"}, "match='text'"),
        ({"match": b""}, "at least one byte"),
        ({"match": re.compile("text")}, "match=re.compile"),
        ({"connections": -1}, "connections=-1"),
        ({"connections": "first"}, "connections='first'"),
        ({"direction": "sideways"}, "direction='sideways'"),
        ({"probabilty": 0.5}, "probabilty=0.5"),
        ({"selector": Selector(), "nth": 1}, "selector="),
    ],
)
def test_a_selector_that_cannot_work_is_refused(selector: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)) as caught:
        fault_set_of(Delay(1.0), **selector)

    assert "expected" in str(caught.value)


def test_bytes_are_said_once() -> None:
    with pytest.raises(UsageError, match="given twice"):
        fault_set_of(Truncate(5), after_bytes=6)


@pytest.mark.parametrize("selector", [{"match": b"x"}, {"after": 1.0}, {"after_bytes": 1}, {"direction": "upstream"}])
def test_what_happens_before_any_byte_cannot_be_selected_by_bytes(selector: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="nothing passes yet"):
        fault_set_of(Refuse(), **selector)


def test_a_fault_is_refused_where_it_cannot_act() -> None:
    with pytest.raises(UsageError, match=r"Loss\(0.1\) acts on datagram, this is a stream"):
        fault_set_of(Loss(0.1))
    with pytest.raises(UsageError, match=r"Truncate\(3\) acts on stream, this is a datagram"):
        fault_set_of(Truncate(3), traffic="datagram")
    with pytest.raises(UsageError, match=r"MaxConnections\(1\) acts on accept, this is a datagram"):
        fault_set_of(MaxConnections(1), traffic="datagram")


def test_weather_is_for_streams_or_datagrams() -> None:
    with pytest.raises(UsageError, match="traffic='pigeons'"):
        FaultSet(traffic="pigeons")  # type: ignore[arg-type]  # that is the test


def test_first_takes_at_least_one() -> None:
    with pytest.raises(UsageError, match="n=0"):
        first(0)


def test_a_selected_piece_waits_behind_those_before_it() -> None:
    _, chain = one(Delay(5.0), nth=1)

    assert run(chain, datas(b"a", b"b")) == [Data(5.0, b"a"), Data(5.0, b"b")]
