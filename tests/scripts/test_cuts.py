"""The way in which bytes are cut, and when somebody looks, never change what comes of a script."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.scripts.conversations import Driver, Happening, byte_by_byte, conversations, cuts
from windsock.scripts import Script


def outcome(script: Script, groups: list[list[Happening]]) -> list[Any]:
    """All of it comes at once, as far as time goes."""
    driver = Driver(script)
    for group in groups:
        driver.look(0.0)
        for each in group:
            driver.happen(each, 0.0)
    driver.look(0.0)
    return driver.run_out()


@settings(max_examples=400)
@given(st.data())
def test_the_way_the_bytes_are_cut_never_changes_the_outcome(data: st.DataObject) -> None:
    script, said, ending = data.draw(conversations())
    whole = outcome(script, [[said, *ending]] if said else [[*ending]])

    assert outcome(script, byte_by_byte(said, ending)) == whole
    assert outcome(script, data.draw(cuts(said, ending))) == whole


@settings(max_examples=100)
@given(st.data())
def test_time_matters_through_deadlines_only(data: st.DataObject) -> None:
    script, said, ending = data.draw(conversations())
    groups = data.draw(cuts(said, ending))
    times = sorted(data.draw(st.lists(st.integers(0, 40), min_size=len(groups), max_size=len(groups))))
    happenings = [(at / 4, each) for at, group in zip(times, groups, strict=True) for each in group]
    looks = data.draw(st.lists(st.integers(0, 400).map(lambda each: each / 8), max_size=20))

    assert timed(script, happenings, sorted(looks)) == timed(script, happenings, [])


def timed(script: Script, happenings: list[tuple[float, Happening]], looks: list[float]) -> list[Any]:
    """Happenings at their times; somebody looks when something happens, when it is time, and now and then besides."""
    driver = Driver(script)
    driver.look(0.0)
    coming, extra = list(happenings), list(looks)
    while driver.waits_until is not None:
        now = min([driver.waits_until, *(at for at, _ in coming[:1]), *extra[:1]])
        extra = [at for at in extra if at > now]
        while coming and coming[0][0] <= now:
            driver.happen(coming.pop(0)[1], now)
        driver.look(now)
    return driver.trace


@settings(max_examples=200)
@given(
    st.from_regex(re.compile(rb"[ab()|*+?{}2,.\n\\$^=!>]{1,12}"), fullmatch=True),
    st.lists(st.sampled_from([b"a", b"b", b"2", b"\n"]), max_size=10).map(b"".join),
)
def test_the_shortest_match_is_the_one_that_trying_each_length_finds(source: bytes, data: bytes) -> None:
    import warnings

    from windsock.scripts.shortest_match import shortest

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pattern = re.compile(source)
    except (re.error, OverflowError, RecursionError):
        return
    if pattern.fullmatch(b""):
        return

    by_trying = next((size for size in range(1, len(data) + 1) if pattern.fullmatch(data, 0, size)), None)

    assert shortest(pattern, data, 0) == by_trying
