"""Recordings that are read while they go on: the same lines as afterwards, however they are cut."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.captures.recorded import Recording
from windsock.captures.live import JSONStyle, Live, TranscriptStyle
from windsock.recording import Connection
from windsock.recording.events import Kind

STEPS: list[Callable[[Connection], None]] = [
    lambda it: it.note(Kind.UP, b"PASS sword"),
    lambda it: it.note(Kind.UP, b"fish\nab"),
    lambda it: it.note(Kind.URGENT_UP),
    lambda it: it.note(Kind.UP, b"!c"),
    lambda it: it.fail(ValueError("one")),
    lambda it: it.note(Kind.ERROR),
    lambda it: it.note(Kind.DOWN, b"\xff\xfe"),
    lambda it: it.fail(ValueError("two")),
    lambda it: it.note(Kind.ERROR),
    lambda it: it.note(Kind.CLIENT_EOF),
    lambda it: it.note(Kind.CLOSE),
]


def live_of(every: int) -> list[dict[str, object]]:
    """Return the events that are read after each `every` steps, without their times."""
    recording = Recording()
    live = Live(recording, JSONStyle(recording, 0.0))
    connection = recording.recorder.open(("127.0.0.1", 5000))
    lines: list[str] = []
    for number, step in enumerate(STEPS, 1):
        step(connection)
        if number % every == 0:
            lines += live.lines()
    lines += [*live.lines(), *live.lines(), *live.lines()]
    found = [json.loads(line) for line in lines]
    return [{key: value for key, value in each.items() if key not in ("time", "elapsed")} for each in found]


@pytest.mark.parametrize("every", [1, 2, 3])
def test_events_are_the_same_however_often_one_looks(every: int) -> None:
    whole = live_of(len(STEPS))

    assert [each["kind"] for each in whole] == [
        *("open", "data", "data", "urgent", "data", "error", "data", "error", "eof", "close", "end")
    ]
    assert live_of(every) == whole
    assert "sword" not in str(whole)
    assert (whole[3]["position"], whole[3]["text"]) == (17, "!")
    assert [each["text"] for each in whole if each["kind"] == "error"] == [
        "handler error: ValueError: one",
        "handler error: ValueError: two",
    ]


def test_what_was_not_sent_in_the_end_is_not_shown() -> None:
    recording = Recording()
    live = Live(recording, TranscriptStyle(0.0))
    connection = recording.recorder.open(("127.0.0.1", 5000))
    connection.note(Kind.DOWN, b"abc")
    connection.retract(2)

    assert [line.partition(" ")[2] for line in live.lines()] == ["#0 from 127.0.0.1:5000", "#0 < 1 B b'a'"]
    assert live.lines() == []


def test_many_pieces_between_two_looks_are_one_line() -> None:
    recording = Recording()
    live = Live(recording, TranscriptStyle(0.0))
    connection = recording.recorder.open(("127.0.0.1", 5000))
    for _ in range(100):
        connection.note(Kind.UP, b"x")

    _, line = live.lines()

    assert " > 100 B in 100 pieces, until " in line
