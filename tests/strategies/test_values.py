"""What strategies draw: values whose repr is code, without chance, and what they shrink to."""

from __future__ import annotations

import dataclasses
import random
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

import windsock
from windsock import Script, faults, strategies
from windsock.faults import Delay, Drop, FaultSet, HalfClose, Reset, Stall, Truncate
from windsock.scripts import steps

CONVERSATION = Script().expect(b"HELO\r\n").send(b"250 ok\r\n").expect(b"QUIT\r\n").send(b"221 bye\r\n").close()
WITHIN = [b"221 bye\r\n"[:size] for size in range(1, 9)]
NAMES = {**vars(faults), "Script": Script}


def smallest(strategy: st.SearchStrategy[Any], condition: Any) -> Any:
    phases = (Phase.generate, Phase.shrink)
    options = settings(max_examples=500, database=None, deadline=None, phases=phases)
    return find(strategy, condition, settings=options, random=random.Random(1))


@settings(max_examples=50, deadline=None, database=None)
@given(weather=st.one_of(strategies.weather(damage=True), strategies.weather(streams=False)))
def test_the_repr_of_a_weather_is_code_that_makes_it(weather: Any) -> None:
    assert eval(repr(weather), NAMES) == weather


@settings(max_examples=50, deadline=None, database=None)
@given(script=strategies.scripts(CONVERSATION))
def test_the_repr_of_a_script_is_code_that_makes_it(script: Script) -> None:
    assert eval(repr(script), NAMES) == script


@settings(max_examples=50, deadline=None, database=None)
@given(weather=strategies.weather(damage=True, most=5))
def test_a_weather_of_streams_suits_streams(weather: Any) -> None:
    fault_set = FaultSet()
    for fault, where in weather:
        fault_set.install(fault, **where)

    assert len(fault_set.handles) == len(weather)


@settings(max_examples=50, deadline=None, database=None)
@given(weather=strategies.weather(streams=False, damage=True, most=5))
def test_a_weather_of_datagrams_suits_datagrams(weather: Any) -> None:
    fault_set = FaultSet(traffic="datagram")
    for fault, where in weather:
        fault_set.install(fault, **where)

    assert len(fault_set.handles) == len(weather)


@settings(max_examples=50, deadline=None, database=None)
@given(weather=st.one_of(strategies.weather(most=5), strategies.weather(streams=False, most=5)))
def test_nothing_in_a_weather_is_left_to_chance(weather: Any) -> None:
    chances = ("probability", "jitter", "p")

    for fault, where in weather:
        values = {each.name: getattr(fault, each.name) for each in dataclasses.fields(fault)} | where
        assert not any(values.get(name) for name in chances)


@settings(max_examples=50, deadline=None, database=None)
@given(weather=strategies.weather(connections=2, largest=5, slowest=0.1, most=2))
def test_a_weather_keeps_to_its_bounds(weather: Any) -> None:
    assert len(weather) <= 2
    for fault, where in weather:
        assert where.get("connections", 0) in (0, 1)
        assert 0 <= (where.get("after_bytes") or getattr(fault, "after_bytes", 0)) <= 5
        assert getattr(fault, "time", 0) <= 0.1


def test_the_smallest_weather_is_no_fault() -> None:
    assert smallest(strategies.weather(), lambda _: True) == []


@pytest.mark.parametrize(
    ("is_found", "expected"),
    [
        (lambda fault: True, (Delay(0.025), {"connections": 0, "direction": "downstream"})),
        (lambda fault: isinstance(fault, Reset), (Reset(0), {"connections": 0, "direction": "downstream"})),
        (
            lambda fault: isinstance(fault, HalfClose | Truncate | Stall) and (fault.after_bytes or 0) > 3,
            (HalfClose(4), {"connections": 0, "direction": "downstream"}),
        ),
    ],
    ids=["any", "a reset", "a mild one late"],
)
def test_a_weather_shrinks_to_one_fault_of_the_mildest_kind(is_found: Any, expected: Any) -> None:
    found = smallest(strategies.weather(), lambda weather: any(is_found(fault) for fault, _ in weather))

    assert found == [expected]


def test_a_fault_of_datagrams_shrinks_to_the_first_datagram() -> None:
    assert smallest(strategies.faults(streams=False), lambda fault: isinstance(fault, Drop)) == Drop(1)


@settings(max_examples=50, deadline=None, database=None)
@given(data=st.data(), size=st.integers(1, 20))
def test_cuts_are_the_sizes_of_pieces_that_make_up_the_data(data: st.DataObject, size: int) -> None:
    sizes = data.draw(strategies.cuts(size, most=3))

    assert sum(sizes) == size
    assert min(sizes) >= 1
    assert len(sizes) <= 4


def test_the_smallest_cuts_are_none() -> None:
    assert smallest(strategies.cuts(b"hello"), lambda _: True) == (5,)
    assert smallest(strategies.cuts(b"hello"), lambda sizes: len(sizes) > 1) == (1, 4)


@settings(max_examples=50, deadline=None, database=None)
@given(script=strategies.scripts(CONVERSATION))
def test_a_script_that_is_drawn_can_be_played(script: Script) -> None:
    script.check(is_datagram=False)


def test_the_smallest_script_is_the_one_that_was_given() -> None:
    assert smallest(strategies.scripts(CONVERSATION), lambda _: True) == CONVERSATION


@pytest.mark.parametrize("end", [steps.HalfClose, steps.Close, steps.Reset])
def test_a_script_may_end_within_a_message(end: type[steps.Step]) -> None:
    def is_cut(script: Script) -> bool:
        *_, sent, last = (steps.Pause(1), *script)
        return isinstance(last, end) and isinstance(sent, steps.Send) and sent.data in WITHIN

    found = smallest(strategies.scripts(CONVERSATION), is_cut)

    assert found == Script(*CONVERSATION.steps[:3]).send(b"221 bye\r") + Script(end())


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: strategies.weather(most=0), "most=0"),
        (lambda: strategies.weather(connections=0), "connections=0"),
        (lambda: strategies.weather(largest=-1), "largest=-1"),
        (lambda: strategies.weather(slowest=0), "slowest=0"),
        (lambda: strategies.faults(slowest="long"), "slowest='long'"),  # type: ignore[arg-type]
        (lambda: strategies.selectors(connections=True), "connections=True"),
        (lambda: strategies.cuts(b""), "data=0"),
        (lambda: strategies.cuts(b"x", most=0), "most=0"),
        (lambda: strategies.scripts(Script()), "Script()"),
        (lambda: strategies.scripts(b"hello"), "b'hello'"),  # type: ignore[arg-type]
        (lambda: strategies.scripts(CONVERSATION, slowest=-1), "slowest=-1"),
    ],
)
def test_a_value_that_cannot_work_is_named(call: Any, said: str) -> None:
    with pytest.raises(windsock.UsageError) as caught:
        call()

    assert said in str(caught.value)


def test_without_hypothesis_the_error_names_the_extra_and_under_works() -> None:
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "import windsock\n"
        "with windsock.serving() as server, windsock.under([], server): pass\n"
        "try: windsock.explore(print)\n"
        "except windsock.UsageError as error: print(error)\n"
    )

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)

    assert "pip install pytest-windsock[hypothesis]" in result.stdout


def test_hypothesis_is_not_imported_before_it_is_used() -> None:
    code = "import sys, windsock; windsock.under; print('hypothesis' in sys.modules)"

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)

    assert result.stdout == "False\n"
