"""Long work shows on a terminal how far it is, and is quiet in a pipe."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tests.commands.test_cassettes import NEEDS_DPKT
from windsock import import_capture, serving
from windsock.captures import subject_of, write_capture
from windsock.exploration.progress_line import ProgressLine


class Terminal(io.StringIO):
    """A terminal; it shows what was written last."""

    def isatty(self) -> bool:
        return True

    def line(self) -> str:
        return self.getvalue().rpartition("\r")[2].removesuffix("\x1b[K")


class Clock:
    """The time, moved by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


def test_short_work_has_no_estimate(terminal: Terminal, clock: Clock) -> None:
    progress = ProgressLine("reading", terminal, clock=clock)

    clock.now += 2.2
    progress.show(0.25, "a.pcap")

    assert terminal.line() == "reading: 25%, a.pcap"


def test_there_is_no_estimate_after_a_moment(terminal: Terminal, clock: Clock) -> None:
    progress = ProgressLine("reading", terminal, clock=clock)

    clock.now += 0.5
    progress.show(0.0001)

    assert terminal.line() == "reading: 0%"


@pytest.mark.parametrize(("seconds", "left"), [(5, "about 15 s left"), (100, "about 5 min left")])
def test_long_work_has_an_estimate(terminal: Terminal, clock: Clock, seconds: int, left: str) -> None:
    progress = ProgressLine("reading", terminal, clock=clock)

    clock.now += seconds
    progress.show(0.25, "a.pcap")

    assert terminal.line() == f"reading: 25%, {left}, a.pcap"


def test_the_line_is_gone_at_the_end(terminal: Terminal, clock: Clock) -> None:
    with ProgressLine("reading", terminal, clock=clock) as progress:
        progress.show(0)
        assert terminal.line() == "reading: 0%"

    assert terminal.line() == ""


def test_a_line_fits_and_comes_ten_times_a_second_at_most(terminal: Terminal, clock: Clock) -> None:
    progress = ProgressLine("reading", terminal, clock=clock)

    for number in range(1000):
        clock.now += 0.001
        progress.show(number / 1000, "x" * 100)

    assert len(terminal.line()) == 79
    assert terminal.getvalue().count("\r") == 10


def test_a_pipe_gets_nothing(clock: Clock) -> None:
    pipe = io.StringIO()

    with ProgressLine("reading", pipe, clock=clock) as progress:
        progress.show(0.5)

    assert pipe.getvalue() == ""


@NEEDS_DPKT
def test_an_import_says_how_far_it_is(tmp_path: Path) -> None:
    with serving(framing="lines") as server:
        server.on(b"PING").reply(b"PONG\n")
        with server.connect() as client:
            client.send(b"PING\n" * 1500).expect(b"PONG\n" * 1500)
    write_capture(str(tmp_path / "talk.pcapng"), [subject_of(server)])
    shares: list[float] = []

    import_capture(tmp_path / "talk.pcapng", tmp_path / "talk.txt", framing="lines", progress=shares.append)

    assert shares == sorted(shares)
    assert 0 < shares[0] < 0.2  # the capture is read
    assert 0.2 < shares[-1] < 1  # the cassette is written
