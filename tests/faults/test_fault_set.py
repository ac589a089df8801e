"""What is installed changes at any time, and what it held goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import pytest

from tests.faults.helpers import datas, fault_set_of, joined, link, one, run
from windsock.errors import UsageError
from windsock.faults import (
    AcceptDelay,
    AcceptError,
    Blackhole,
    Corrupt,
    Delay,
    Fault,
    FaultContext,
    FaultHandle,
    FaultSet,
    ForkError,
    Hold,
    MaxConnections,
    Rate,
    Refuse,
    Replace,
    Reset,
    Selector,
    Stage,
    TLSStall,
    Truncate,
    first,
    items,
    profiles,
)
from windsock.faults.handle import LONGEST_LOG
from windsock.faults.items import Data, End, Item


def test_without_faults_a_link_is_idle_and_carries_everything() -> None:
    chain = link(fault_set_of())

    assert chain.is_idle()
    assert run(chain, [Data(1.0, b"a"), End(2.0)]) == [Data(1.0, b"a"), End(2.0)]
    assert chain.reads()


def test_a_link_is_not_idle_from_the_moment_a_fault_is_installed() -> None:
    fault_set = fault_set_of()
    chain = link(fault_set)

    installed = fault_set.install(Delay(1.0))
    assert not chain.is_idle()
    chain.refresh(0.0)
    assert not chain.is_idle()
    installed.heal()
    assert not chain.is_idle()
    chain.refresh(0.0)
    assert chain.is_idle()


def test_a_link_is_not_idle_while_something_waits() -> None:
    installed, chain = one(Delay(1.0))
    chain.feed(Data(1.0, b"a"))
    installed.heal()
    chain.refresh(1.5)

    assert not chain.is_idle()
    assert chain.due(1.5) == [Data(1.5, b"a")]
    assert chain.is_idle()


@pytest.mark.parametrize("fault", [Delay(9.0), Rate(1), Blackhole(), Hold(), Replace(b"abcdef", b"")], ids=repr)
@pytest.mark.parametrize("switch", ["pause", "heal"])
def test_what_a_fault_holds_goes_on_when_it_is_switched_off(fault: object, switch: str) -> None:
    installed, chain = one(fault)  # type: ignore[arg-type]  # they are faults
    run(chain, [Data(1.0, b"abc")], until=1.0)
    assert chain.pending_bytes == 3

    getattr(installed, switch)()
    chain.refresh(1.25)

    assert joined(chain.due(1.25)) == b"abc"
    assert chain.pending_bytes == 0


def test_order_is_kept_when_several_faults_are_healed_at_once() -> None:
    fault_set = fault_set_of(Delay(1.0), Hold(), Rate(10))
    chain = link(fault_set)
    run(chain, datas(*[bytes([number]) for number in range(30)], every=0.1), until=2.9)

    fault_set.heal()
    chain.refresh(2.9)

    assert joined(chain.due(2.9)) == bytes(range(30))
    assert fault_set.handles == ()


def test_what_is_healed_does_not_act_again_and_cannot_be_resumed() -> None:
    installed, chain = one(Corrupt("zero"))
    installed.heal()
    installed.heal()

    assert run(chain, [Data(1.0, b"a")]) == [Data(1.0, b"a")]
    with pytest.raises(UsageError, match="was healed"):
        installed.resume()
    with pytest.raises(UsageError, match="was healed"):
        installed.pause()


def test_a_fault_ends_with_its_block() -> None:
    fault_set = fault_set_of()

    with fault_set.install(Delay(1.0)) as installed:
        assert installed.is_active
    assert installed.is_healed


def test_a_paused_fault_can_be_resumed() -> None:
    installed, chain = one(Corrupt("zero"))

    installed.pause()
    assert joined(run(chain, [Data(1.0, b"a")])) == b"a"
    installed.resume()
    assert joined(run(chain, [Data(2.0, b"a")])) == b"\0"


def test_a_fault_that_comes_later_stops_what_is_still_on_its_way() -> None:
    fault_set = fault_set_of(Delay(1.0))
    chain = link(fault_set)
    chain.feed(Data(0.0, b"a"))

    hold = fault_set.install(Hold())
    chain.refresh(0.5)

    assert run(chain) == []
    hold.heal()
    assert joined(run(chain, [Data(5.0, b"b")])) == b"ab"


def test_bytes_are_counted_from_when_the_fault_came_and_logged_from_the_beginning() -> None:
    fault_set = fault_set_of()
    chain = link(fault_set)
    run(chain, [Data(0.0, b"x" * 100)])
    chain.carried(900)

    installed = fault_set.install(Truncate(5))
    run(chain, [Data(1.0, b"abcdefgh")])

    assert [(firing.offset, firing.what[:14]) for firing in installed.log] == [(1005, "cut the stream")]


def test_subscribers_hear_of_each_change() -> None:
    fault_set = fault_set_of()
    heard: list[int] = []
    fault_set.subscribe(lambda: heard.append(fault_set.version))

    installed = fault_set.install(Hold())
    installed.deliver()
    installed.release()
    installed.pause()
    installed.resume()
    fault_set.remove(installed)

    assert heard == [1, 2, 3, 4, 5, 6]


def test_who_unsubscribed_hears_nothing() -> None:
    fault_set = fault_set_of()
    heard: list[int] = []

    def callback() -> None:
        heard.append(1)

    fault_set.subscribe(callback)
    fault_set.unsubscribe(callback)
    fault_set.unsubscribe(callback)
    fault_set.install(Delay(1.0))

    assert heard == []


def test_a_fault_that_never_fired_is_known() -> None:
    fault_set = fault_set_of(Delay(1.0))
    idle = fault_set.install(Corrupt(), match=b"never")
    fault_set.install(Corrupt(), match=b"nor this", allow_unfired=True)
    run(link(fault_set), [Data(1.0, b"a")])
    idle.heal()

    assert fault_set.unfired == [idle]


def test_the_log_keeps_the_latest_and_counts_all() -> None:
    installed, chain = one(Corrupt())

    run(chain, datas(*[b"x"] * (LONGEST_LOG + 5)))

    assert installed.fired == LONGEST_LOG + 5
    assert [installed.log[0].number, installed.log[-1].number] == [6, LONGEST_LOG + 5]


def test_the_log_of_all_faults_is_in_order_of_time() -> None:
    fault_set = fault_set_of(Delay(0.1), Corrupt())

    run(link(fault_set), datas(b"a", b"b"))

    assert [(firing.fault, firing.at) for firing in fault_set.log] == [
        ("Delay(0.1)", 0.0),
        ("Corrupt()", 0.1),
        ("Delay(0.1)", 1.0),
        ("Corrupt()", 1.1),
    ]
    assert str(fault_set.log[0]) == "Delay(0.1) on connection #0 upstream at byte 0: delayed 1 B by 0.100000 s"


def test_firings_after_a_certain_one_can_be_had() -> None:
    installed, chain = one(Corrupt())
    run(chain, datas(b"a", b"b", b"c"))

    assert [firing.number for firing in installed.since(1)] == [2, 3]
    assert installed.since(3) == []


def test_what_is_installed_says_how_it_is() -> None:
    fault_set = fault_set_of(Corrupt())
    installed = fault_set.handles[0]

    assert repr(fault_set) == "<FaultSet seed=1: [<Corrupt(): active, fired 0 times>]>"
    installed.pause()
    assert repr(installed) == "<Corrupt(): paused, fired 0 times>"
    installed.heal()
    assert repr(installed) == "<Corrupt(): healed, fired 0 times>"
    assert repr(link(fault_set)) == "<Chain of connection #0 upstream: []>"


def test_a_link_has_one_of_two_directions() -> None:
    with pytest.raises(UsageError, match="direction='both'"):
        fault_set_of().chain(connection=0, direction="both", now=0.0)


def test_every_other_connection_is_refused() -> None:
    fault_set = fault_set_of(AcceptDelay(1.0), every=2)

    assert [bool(fault_set.at_accept(connection=index, now=0.0)) for index in range(4)] == [False, True, False, True]


def test_a_fault_of_no_chain_does_not_act_in_one() -> None:
    with pytest.raises(NotImplementedError, match=r"Refuse\(\).apply"):
        Refuse().apply(Data(0.0, b""), None)  # type: ignore[arg-type]  # it is not looked at


def test_when_a_connection_is_over_nothing_is_kept() -> None:
    installed, chain = one(Hold())
    run(chain, datas(b"a", b"b"))

    chain.close(9.0)

    assert chain.pending_bytes == 0
    assert chain.next_time() is None
    installed.heal()
    assert chain.due(9.0) == []


def test_what_comes_after_a_reset_is_dropped() -> None:
    chain = link(fault_set_of(Delay(1.0)))

    assert run(chain, [items.ConnectionReset(0.0), Data(2.0, b"a")]) == [items.ConnectionReset(1.0)]
    assert not chain.is_idle()


def test_faults_at_accept_are_those_that_are_chosen() -> None:
    fault_set = fault_set_of()
    fault_set.install(AcceptDelay(0.5), connections=first(1))
    fault_set.install(AcceptError("EMFILE"), nth=2, times=1)
    fault_set.install(TLSStall())

    assert fault_set.at_accept(connection=0, now=1.0) == [AcceptDelay(0.5)]
    assert fault_set.at_accept(connection=1, now=2.0) == [AcceptError("EMFILE")]
    assert fault_set.at_accept(connection=2, now=3.0) == []
    assert [each.fired for each in fault_set.handles] == [1, 1, 0]
    assert fault_set.handles[1].log[0].at == 2.0


def test_faults_at_handshake_and_of_the_process_are_asked_for_by_themselves() -> None:
    fault_set = fault_set_of(TLSStall(), ForkError(), Refuse())

    assert fault_set.at_handshake(connection=0, now=1.0) == [TLSStall()]
    assert fault_set.at_process(connection=0, now=1.0) == [ForkError()]


def test_one_connection_too_many() -> None:
    fault_set = fault_set_of(MaxConnections(2))
    chains = [link(fault_set, connection=index) for index in range(2)]

    assert fault_set.at_accept(connection=2, now=1.0) == [MaxConnections(2)]
    chains[0].close(1.0)
    assert fault_set.at_accept(connection=3, now=2.0) == []
    assert fault_set.at_accept(connection=4, now=2.0, active=2) == [MaxConnections(2)]


def test_chances_at_accept_are_drawn_for_each_connection_by_itself() -> None:
    def refused(order: list[int]) -> set[int]:
        fault_set = fault_set_of(Refuse(), seed=5, probability=0.5)
        return {index for index in order if fault_set.at_accept(connection=index, now=0.0)}

    chosen = refused(list(range(100)))

    assert refused(list(reversed(range(100)))) == chosen
    assert 30 < len(chosen) < 70


def test_a_profile_is_installed_whole_or_not_at_all() -> None:
    fault_set = fault_set_of()

    with pytest.raises(UsageError, match="acts on accept"):
        FaultSet(traffic="datagram").install_all([Delay(1.0), Refuse()])
    with pytest.raises(UsageError, match="expected a fault"):
        fault_set.install_all([(Delay(1.0), Selector()), ("Delay", Selector())])  # type: ignore[list-item]  # the test
    assert fault_set.handles == ()


@pytest.mark.parametrize(
    "name", [name for name in profiles.__all__ if isinstance(getattr(profiles, name), profiles.Profile)]
)
def test_every_profile_can_be_had(name: str) -> None:
    profile: profiles.Profile = getattr(profiles, name)
    fault_set = fault_set_of()
    installed = fault_set.install_all(profile)

    out = run(link(fault_set, direction="downstream"), datas(*[b"x" * 100] * 5), until=60.0)

    assert len(installed) == len(profile)
    assert joined(out) == b"x" * 500
    if name != "slow_client":
        assert FaultSet(traffic="datagram").install_all(profile)


def test_a_line_takes_half_of_its_latency_each_way() -> None:
    fault_set = fault_set_of()
    fault_set.install_all(profiles.dsl)

    out = run(link(fault_set), [Data(0.0, bytes(1000))])

    assert out[-1].at == pytest.approx(0.04 / 2 + 1000 / (8000 * 125))


def test_the_first_connections_fail_and_the_next_are_well() -> None:
    fault_set = fault_set_of()
    fault_set.install_all(profiles.fail_first(2))

    outcomes = [link(fault_set, connection=index).due(0.0) for index in range(4)]

    assert outcomes == [[items.ConnectionReset(0.0)], [items.ConnectionReset(0.0)], [], []]


def test_a_pulled_cable_is_put_in_again() -> None:
    fault_set = fault_set_of()
    fault_set.install_all(profiles.cable_pull)

    out = run(link(fault_set), datas(*[b"x"] * 8, every=1.0, start=0.5))

    assert [item.at for item in out] == [0.5, 6.0, 6.0, 6.0, 6.0, 6.0, 6.5, 7.5]


def test_weather_changes_while_many_links_carry() -> None:
    fault_set = fault_set_of()
    is_over = threading.Event()
    wrong: list[str] = []

    def traffic(index: int) -> None:
        chain = link(fault_set, connection=index)
        sent, got, now = b"", b"", 0.0
        while not is_over.is_set():
            now += 0.01
            sent += bytes([int(now * 100) % 256])
            chain.feed(Data(now, sent[-1:]))
            got += joined(chain.due(now))
        now += 100.0
        chain.refresh(now)
        got += joined(chain.due(now))
        if got != sent:
            wrong.append(f"connection {index}: {len(sent)} B in, {len(got)} B out")
        chain.close(now)

    threads = [threading.Thread(target=traffic, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(100):
            with fault_set.install(Delay(0.05)), fault_set.install(Hold()) as hold:
                hold.deliver(3)
                hold.pause()
    finally:
        is_over.set()
        for thread in threads:
            thread.join(30)

    assert wrong == []


@dataclass(frozen=True, slots=True, repr=False)
class Healing(Fault):
    """It heals another fault just when a link looks at what has changed, as another thread may do."""

    chain_stage: ClassVar[Stage] = Stage.DELAY
    chain_order: ClassVar[int] = 0

    other: FaultHandle

    def apply(self, item: Item, link: FaultContext) -> Iterable[Item]:
        return (item,)

    def release(self, link: FaultContext) -> Iterable[Item]:
        self.other.heal()
        return ()


def test_a_fault_that_is_healed_while_a_link_looks_loses_nothing() -> None:
    fault_set = fault_set_of(Delay(9.0))
    healing = fault_set.install(Healing(fault_set.handles[0]))
    chain = link(fault_set)
    chain.feed(Data(0.0, b"a"))

    healing.pause()
    chain.refresh(1.0)
    chain.refresh(2.0)

    assert joined(chain.due(2.0)) == b"a"


def test_a_reset_fault_that_is_told_twice_resets_once() -> None:
    installed, chain = one(Reset())
    assert len(chain.due(0.0)) == 1

    installed.pause()
    installed.resume()
    chain.refresh(1.0)

    assert chain.due(1.0) == []
    assert installed.fired == 1
