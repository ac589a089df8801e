"""Scripts with what the other end might say to them, drawn at random; and a driver without sockets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from hypothesis import strategies as st

from windsock.scripts import Inbox, Progress, Script, ScriptMismatch, ScriptTimeout, Transmit, Wait
from windsock.scripts import steps as kinds

Happening: TypeAlias = bytes | str
"""Bytes that come, or "EOF", or "reset"."""
Part: TypeAlias = tuple[Script, bytes]
"""A script, and bytes that meet what it expects."""

LIMIT = 60.0


def is_line(data: bytes) -> bool:
    return data.endswith(b"\n")


def is_balanced(data: bytes) -> bool:
    return data.count(b"a") == data.count(b"b")


PATTERNS = {
    rb"a+b": [b"ab", b"aaab"],
    rb"[ab]*\n": [b"\n", b"abba\n"],
    rb"(?:ab|a)b?": [b"a"],
    rb"a{2,3}": [b"aa"],
    rb"(?s).+\n$": [b"a\n", b"bb\n"],
    rb"a*b\b": [b"b", b"aab"],
    rb"a(?=b)|b+": [b"b"],
    rb"(?>ab|a)(?<=a)": [b"a"],
}
UNITS: list[tuple[Callable[[], kinds.Expect], list[bytes]]] = [
    (lambda: kinds.Expect(until=b"\n"), [b"\n", b"ab\n"]),
    (lambda: kinds.Expect(until=b"ab"), [b"ab", b"bbab"]),
    (lambda: kinds.Expect(re.compile(rb"^a"), until=b"\n"), [b"a\n", b"abb\n"]),
    (lambda: kinds.Expect(is_line, until=b"\n"), [b"a\n"]),
    (lambda: kinds.Expect(3), [b"abb", b"\n\n\n"]),
    (lambda: kinds.Expect(is_balanced, length=4), [b"abab", b"abba"]),
    (lambda: kinds.Expect(re.compile(rb"bb"), length=3), [b"abb"]),
    (lambda: kinds.Expect(is_line), [b"\n", b"ab\n"]),
    (lambda: kinds.Expect(is_balanced), [b"ab", b"\n"]),
]
MORE = st.lists(st.sampled_from([b"a", b"b", b"\n"]), min_size=1, max_size=4).map(b"".join)


@st.composite
def expectations(draw: st.DrawFn) -> Part:
    """One expectation of bytes."""
    kind = draw(st.sampled_from(["bytes", "pattern", "unit"]))
    if kind == "bytes":
        data = draw(MORE)
        return Script(kinds.Expect(data)), data
    if kind == "pattern":
        pattern = draw(st.sampled_from(sorted(PATTERNS)))
        return Script(kinds.Expect(re.compile(pattern))), draw(st.sampled_from(PATTERNS[pattern]))
    make, meeting = draw(st.sampled_from(UNITS))
    return Script(make()), draw(st.sampled_from(meeting))


@st.composite
def deeds(draw: st.DrawFn) -> Part:
    """A step of this end's own, or one about time."""
    step = draw(
        st.sampled_from(
            [
                kinds.Send(b"!"),
                kinds.Send(b"12345", pieces=2, every=0.5),
                kinds.Pause(1.0),
                kinds.Pause(0),
                kinds.ExpectSilence(1.0),
            ]
        )
    )
    return Script(step), b""


ENDS = st.sampled_from(
    [
        kinds.ExpectEof(),
        kinds.ExpectEof(discard=True),
        kinds.ExpectReset(),
        kinds.ExpectReset(discard=True),
    ]
).map(lambda step: (Script(step), b""))
ANY_END = st.sampled_from([kinds.ExpectEnd(), kinds.ExpectEnd(discard=True)]).map(lambda step: (Script(step), b""))


def joined(parts: Sequence[Part]) -> Part:
    return sum((script for script, _ in parts), Script()), b"".join(data for _, data in parts)


@st.composite
def loops(draw: st.DrawFn, parts: st.SearchStrategy[Part]) -> Part:
    body = [draw(st.one_of(expectations(), branches(parts)))]
    script, data = joined(body + draw(st.lists(parts, max_size=2)))
    times = draw(st.sampled_from([None, 1, 2, 3]))
    rounds = draw(st.integers(0, 3)) if times is None else times
    return Script(kinds.Loop(script, times=times)), data * rounds


@st.composite
def branches(draw: st.DrawFn, parts: st.SearchStrategy[Part]) -> Part:
    firsts = st.lists(st.one_of(expectations(), expectations(), ENDS), min_size=1, max_size=3)
    options = [joined([first, *draw(st.lists(parts, max_size=2))]) for first in draw(firsts)]
    chosen = draw(st.sampled_from(options))
    return Script(kinds.OneOf(tuple(script for script, _ in options))), chosen[1]


PARTS: st.SearchStrategy[Part] = st.recursive(
    st.one_of(expectations(), expectations(), deeds()),
    lambda inner: st.one_of(loops(inner), branches(inner)),
    max_leaves=4,
)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Script, bytes, list[str]]:
    """A script, what the other end says, mostly to the script's liking, and how it ends."""
    script, data = joined(
        draw(st.lists(PARTS, min_size=1, max_size=4)) + draw(st.lists(st.one_of(ENDS, ANY_END), max_size=1))
    )
    if draw(st.booleans()):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.one_of(st.just(b""), MORE)) + data[at + draw(st.integers(0, 2)) :]
    ending = draw(st.sampled_from([[], ["EOF"], ["reset"], ["EOF", "reset"]]))
    return script, data, ending


@st.composite
def cuts(draw: st.DrawFn, data: bytes, ending: list[str]) -> list[list[Happening]]:
    """The same happenings, the bytes cut anyhow, in groups between which nobody looks."""
    edges = sorted(draw(st.sets(st.integers(1, len(data) - 1)))) if len(data) > 1 else []
    pieces: list[Happening] = [
        data[start:end] for start, end in zip([0, *edges], [*edges, len(data)], strict=True) if data
    ]
    groups: list[list[Happening]] = [[]]
    for each in [*pieces, *ending]:
        groups[-1].append(each)
        if draw(st.booleans()):
            groups.append([])
    return groups


def byte_by_byte(data: bytes, ending: list[str]) -> list[list[Happening]]:
    happenings: list[Happening] = [*(data[at : at + 1] for at in range(len(data))), *ending]
    return [[each] for each in happenings]


class Driver:
    """Plays a script over happenings; `trace` is what it was told to do, and when, and how it ended."""

    def __init__(self, script: Script) -> None:
        self.inbox = Inbox()
        self.progress = Progress(script, self.inbox, timeout=5.0, limit=LIMIT)
        self.trace: list[Any] = []
        self.waits_until: float | None = 0.0

    def happen(self, what: Happening, now: float) -> None:
        if isinstance(what, bytes):
            self.inbox.receive(what, now)
        elif what == "EOF":
            self.inbox.receive_eof(now)
        else:
            self.inbox.receive_reset(now)

    def look(self, now: float) -> None:
        """Do all there is to do at this time."""
        if self.waits_until is None:
            return
        try:
            for action in self._actions(now):
                self.trace.append((now, self.inbox.taken, action))
        except (ScriptMismatch, ScriptTimeout) as error:
            failure = error.failure
            facts = failure.number, failure.step, failure.why, failure.offset, failure.taken
            self.trace.append((now, type(error), *facts))
            self.waits_until = None

    def _actions(self, now: float) -> Iterator[Any]:
        for _ in range(1000):
            action = self.progress.next(now)
            if isinstance(action, Wait):
                self.waits_until = action.until
                return
            if action is None:
                yield "done"
                self.waits_until = None
                return
            yield action
        raise AssertionError("it goes on for ever")

    def run_out(self) -> list[Any]:
        """Let time pass until it is over."""
        while self.waits_until is not None:
            self.look(self.waits_until)
        return self.trace


def sent_by(script: Script, data: bytes, *, joined: bool = True) -> Any:
    """Return what a script sends once all of the data has come: joined, or as a list of parts."""
    inbox = Inbox()
    inbox.receive(data, 0.0)
    inbox.receive_eof(0.0)
    progress = Progress(script, inbox, timeout=1.0)
    sent = []
    while (action := progress.next(0.0)) is not None:
        assert isinstance(action, Transmit)
        sent.append(action.data)
    return b"".join(sent) if joined else sent
