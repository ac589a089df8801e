"""What is random is repeatable, and nobody's business but its own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.helpers import datagrams, datas, link, run
from tests.support.processes import run_python
from windsock.faults import Corrupt, Delay, FaultHandle, FaultSet, Firing, Inject, Loss, Reset, derive, profiles
from windsock.faults.items import Item


def firings(fault_set: FaultSet, *, connections: int = 5) -> list[tuple[Firing, ...]]:
    """Return what each fault did to the same traffic."""
    for index in range(connections):
        for direction in ("upstream", "downstream"):
            traffic: list[Item] = datas(*[b"x" * 100] * 50, every=0.01)
            run(link(fault_set, connection=index, direction=direction), traffic)
    return [tuple(each.log) for each in fault_set.handles]


def stormy(seed: int) -> FaultSet:
    fault_set = FaultSet(seed=seed)
    fault_set.install(Delay(0.1, jitter=0.1, distribution="pareto", correlation=0.5))
    fault_set.install(Corrupt(bits=3), probability=0.2)
    fault_set.install(Reset(after_bytes=3000), probability=0.3)
    return fault_set


def test_the_same_seed_and_traffic_make_the_same_firings() -> None:
    assert firings(stormy(1)) == firings(stormy(1))
    assert firings(stormy(1)) != firings(stormy(2))


@pytest.mark.parametrize("profile", [profiles.flaky, profiles.mobile_3g, profiles.edge])
def test_a_profile_is_repeatable(profile: profiles.Profile) -> None:
    first, second = FaultSet(seed=3), FaultSet(seed=3)
    first.install_all(profile)
    second.install_all(profile)

    assert firings(first) == firings(second)
    assert any(firings(first))


def draws(installed: FaultHandle) -> list[tuple[Any, ...]]:
    return [(firing.connection, firing.direction, firing.offset, firing.what) for firing in installed.log]


def corrupted(*, before: int = 0, behind: int = 0, name: str | None = None) -> list[tuple[Any, ...]]:
    """Return what Corrupt did, among other faults that draw too."""
    fault_set = FaultSet(seed=9)
    for _ in range(before):
        fault_set.install(Delay(0.1, jitter=0.1))
    installed = fault_set.install(Corrupt(), probability=0.5, name=name)
    for _ in range(behind):
        fault_set.install(Delay(0.1, jitter=0.1))
    firings(fault_set)
    return draws(installed)


def test_another_fault_before_or_behind_changes_no_draw() -> None:
    assert corrupted() == corrupted(before=1) == corrupted(behind=1) == corrupted(before=3, behind=2)
    assert corrupted() != corrupted(name="another one")


def test_the_order_of_installation_changes_no_draw() -> None:
    one, other = FaultSet(seed=4), FaultSet(seed=4)
    delay_first = one.install(Delay(0.1, jitter=0.1)), one.install(Corrupt(), probability=0.5)
    corrupt_first = other.install(Corrupt(), probability=0.5), other.install(Delay(0.1, jitter=0.1))
    firings(one)
    firings(other)

    assert draws(delay_first[0]) == draws(corrupt_first[1])
    assert draws(delay_first[1]) == draws(corrupt_first[0])


def test_a_fault_that_is_switched_off_and_on_changes_no_draw_of_another() -> None:
    fault_set = FaultSet(seed=9)
    toggled = fault_set.install(Delay(0.0, jitter=0.0001))
    installed = fault_set.install(Corrupt(), probability=0.5)
    for index in range(5):
        for direction in ("upstream", "downstream"):
            chain = link(fault_set, connection=index, direction=direction)
            for number, item in enumerate(datas(*[b"x" * 100] * 50, every=0.01)):
                if number % 7 == 3:
                    toggled.pause()
                if number % 7 == 5:
                    toggled.resume()
                run(chain, [item])

    assert [what for _, _, _, what in draws(installed)] == [what for _, _, _, what in corrupted()]
    assert draws(installed) == corrupted()


def test_a_fault_that_is_switched_off_and_on_goes_on_with_its_own_draws() -> None:
    def lost(*, is_toggled: bool) -> list[Any]:
        fault_set = FaultSet(seed=2, traffic="datagram")
        installed = fault_set.install(Loss(0.5))
        chain = link(fault_set)
        run(chain, datagrams(20))
        if is_toggled:
            installed.pause()
            run(chain, datagrams(7))
            installed.resume()
        run(chain, datagrams(20))
        return [firing.what for firing in installed.log]

    assert lost(is_toggled=True) == lost(is_toggled=False)


def test_connections_and_directions_draw_each_their_own() -> None:
    fault_set = FaultSet(seed=1)
    installed = fault_set.install(Corrupt(), probability=0.5)
    firings(fault_set, connections=2)

    seen: dict[tuple[Any, Any], list[Any]] = {}
    for connection, direction, offset, _ in draws(installed):
        seen.setdefault((connection, direction), []).append(offset)
    assert len({tuple(offsets) for offsets in seen.values()}) == 4


def test_equal_faults_draw_each_their_own() -> None:
    fault_set = FaultSet(seed=1)
    fault_set.install(Corrupt(), probability=0.5)
    fault_set.install(Corrupt(), probability=0.5)

    first, second = firings(fault_set)

    assert [each.offset for each in first] != [each.offset for each in second]


def test_bytes_that_are_put_in_do_not_change_what_a_delay_draws() -> None:
    def delays(*others: Any) -> list[str]:
        fault_set = FaultSet(seed=6)
        installed = fault_set.install(Delay(0.1, jitter=0.1))
        for other in others:
            fault_set.install(other, every=3)
        firings(fault_set)
        return [firing.what for firing in installed.log]

    assert delays() == delays(Inject(b"nobody said this"))


def test_a_seed_is_derived_alike_in_every_process() -> None:
    code = "from windsock.faults import derive; print(derive(7, 'a', 3, 'ä'))"
    seen = {run_python(code, PYTHONHASHSEED=seed) for seed in ("1", "2")}

    assert seen == {f"{derive(7, 'a', 3, 'ä')}\n"}
    assert derive(7, "a", 3) == 15296254314590150480


def test_names_are_told_apart() -> None:
    assert len({derive(1), derive(1, ""), derive(1, "ab"), derive(1, "a", "b"), derive(11, "a"), derive(1, "1a")}) == 6
