"""What each fault does to records: they pass whole, change, or end with the connection; none is cut in two."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

import windsock
from tests.support.servers import RECORDS
from windsock import FaultProxy, RunningServer, Script, UsageError, serving
from windsock.faults import (
    Blackhole,
    CloseDelay,
    Corrupt,
    Delay,
    Dribble,
    Drop,
    Duplicate,
    Fault,
    HalfClose,
    Hold,
    Inject,
    Loss,
    Mtu,
    QueueLimit,
    Rate,
    Rebind,
    Reorder,
    Replace,
    Reset,
    Segment,
    Stall,
    Truncate,
)

UP: dict[str, Any] = {"direction": "upstream"}


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with serving(transport=RECORDS, relay=True).echo() as server:
        yield server


@pytest.mark.parametrize(
    ("fault", "arrived"),
    [
        (Delay(0.001), [b"one", b"two three", b"four"]),
        (Rate(100_000), [b"one", b"two three", b"four"]),
        (CloseDelay(0.001), [b"one", b"two three", b"four"]),
        (Replace(b"t", b"TT"), [b"one", b"TTwo TThree", b"four"]),
        (Replace(b"onetwo", b"lost"), [b"one", b"two three", b"four"]),
        (Corrupt("zero"), [bytes(3), bytes(9), bytes(4)]),
        (Inject(b"extra", after_bytes=5), [b"one", b"two three", b"extra", b"four"]),
        (Truncate(after_bytes=6, then="discard"), [b"one", b"two"]),
        (HalfClose(after_bytes=5), [b"one", b"two three"]),
    ],
    ids=lambda each: str(each),
)
def test_records_arrive_whole_changed_or_not_at_all(server: RunningServer, fault: Fault, arrived: list[bytes]) -> None:
    server.fault(fault, allow_unfired=fault in (CloseDelay(0.001), Replace(b"onetwo", b"lost")), **UP)

    with server.connect() as client:
        client.send(b"one").send(b"two three").send(b"four")
        for each in arrived:
            client.expect(each)
        client.half_close().expect_end()

    assert [each.data for each in server.requests] == arrived


@pytest.mark.parametrize("fault", [Reset(after_bytes=4), Truncate(after_bytes=4)], ids=str)
def test_a_fault_ends_the_connection_at_its_point(server: RunningServer, fault: Fault) -> None:
    server.fault(fault, direction="downstream")

    with server.connect() as client:
        client.send(b"first").expect_end(discard=True)


@pytest.mark.parametrize("fault", [Stall(), Blackhole(), Hold()], ids=str)
def test_a_fault_that_keeps_records_gives_them_back_one_by_one(server: RunningServer, fault: Fault) -> None:
    keeps = server.fault(fault, allow_unfired=True, **UP)

    with server.connect() as client:
        client.send(b"one").send(b"two").expect_silence(0.02)
        keeps.heal()
        client.expect(b"one").expect(b"two").send(b"three").expect(b"three")


def test_a_selector_counts_and_matches_records(server: RunningServer) -> None:
    matching: dict[str, Any] = {"match": re.compile(rb"b$"), **UP}
    server.fault(Corrupt("zero"), nth=2, **UP)
    server.fault(Inject(b"!"), **matching)

    with server.connect() as client:
        client.send(b"a").send(b"b").send(b"ab").send(b"a").send(b"xb")
        for each in (b"a", b"\0", b"!", b"ab", b"a", b"!", b"xb"):
            client.expect(each)


def test_a_match_does_not_span_two_records(server: RunningServer) -> None:
    spanning = server.fault(Inject(b"!"), match=b"ab", allow_unfired=True, **UP)

    with server.connect() as client:
        client.send(b"a").send(b"b").expect(b"a").expect(b"b")

    assert spanning.fired == 0


def test_a_function_is_given_records(server: RunningServer) -> None:
    seen = []

    def upper(item: Any, context: Any) -> bytes:
        seen.append(item.data)
        return bytes(item.data.upper())

    server.fault(upper, **UP)
    with server.connect() as client:
        client.send(b"one").send(b"two").expect(b"ONE").expect(b"TWO")

    assert seen == [b"one", b"two"]


@pytest.mark.parametrize("fault", [Segment(2), Dribble(3, over=1)], ids=str)
def test_a_fault_that_would_split_records_is_a_wrong_call(server: RunningServer, fault: Fault) -> None:
    with pytest.raises(UsageError, match="splits data, and a record stays whole"):
        server.fault(fault)


OF_DATAGRAMS = [Loss(0.5), Drop(1), Duplicate(), Reorder(gap=2), Mtu(100), QueueLimit(2), Rebind()]


@pytest.mark.parametrize("fault", OF_DATAGRAMS, ids=str)
def test_a_fault_of_datagrams_is_a_wrong_call(server: RunningServer, fault: Fault) -> None:
    with FaultProxy(server.address, transport=RECORDS) as proxy:
        installs: list[Any] = [proxy.fault, server.fault]
        for install in installs:
            with pytest.raises(UsageError, match="acts on datagram, this is a record: expected a fault for records"):
                install(fault)


def test_a_client_has_faults_on_its_own_line(server: RunningServer) -> None:
    with server.connect(faults=[(Inject(b"!", after_bytes=2), UP)]) as client:
        client.send(b"abc").send(b"d").expect(b"abc").expect(b"!").expect(b"d")

    with windsock.scripted_client(server.address, transport=RECORDS, faults=[Delay(0.001)]) as client:
        client.play(Script().send(b"x").expect(b"x"))
