"""What a script asks of its driver, and when it is over."""

from __future__ import annotations

import math
import re
import threading

import pytest

from windsock.errors import UsageError
from windsock.recording import Delimiter, FixedSize, Framing, LengthPrefix, Lines
from windsock.scripts import Act, Inbox, Progress, Script, ScriptMismatch, ScriptTimeout, Transmit, Wait
from windsock.scripts import steps as kinds


def begin(script: Script, inbox: Inbox | None = None, *, limit: float = math.inf, first: int = 1) -> Progress:
    return Progress(script, Inbox() if inbox is None else inbox, timeout=5.0, limit=limit, first=first)


def done_at(progress: Progress, now: float) -> list[object]:
    """All it asks for at this time, up to what it waits for or its end."""
    asked: list[object] = []
    while len(asked) < 100:
        action = progress.next(now)
        if action is None:
            return asked
        asked.append(action)
        if isinstance(action, Wait):
            return asked
    raise AssertionError("it asks for ever")


# --- actions


def test_what_is_sent_is_sent_at_once_until_its_deadline() -> None:
    progress = begin(Script().send(b"a").send(b"b", timeout=2).urgent(b"c"))

    assert done_at(progress, 10.0) == [Transmit(b"a", 15.0), Transmit(b"b", 12.0), Transmit(b"c", 15.0, True)]
    assert progress.cursor.is_done


def test_time_may_start_at_zero() -> None:
    progress = begin(Script().pause(1).send(b"a").expect(b"b"))

    assert done_at(progress, 0.0) == [Wait(1.0)]
    assert done_at(progress, 0.5) == [Wait(1.0)]
    assert done_at(progress, 1.0) == [Transmit(b"a", 6.0), Wait(6.0)]
    assert done_at(progress, 5.9) == [Wait(6.0)]
    with pytest.raises(ScriptTimeout):
        progress.next(6.0)


def test_pieces_are_sent_one_by_one() -> None:
    progress = begin(Script().send(b"abc", every=0.5).half_close())

    assert done_at(progress, 0.0) == [Transmit(b"a", 5.0), Wait(0.5)]
    assert done_at(progress, 0.25) == [Wait(0.5)]
    assert done_at(progress, 0.5) == [Transmit(b"b", 5.5), Wait(1.0)]
    assert done_at(progress, 1.0) == [Transmit(b"c", 6.0), Act(kinds.HalfClose(), 6.0)]


def test_pieces_that_are_late_do_not_make_the_next_ones_early() -> None:
    progress = begin(Script().send(b"abc", every=0.5))
    done_at(progress, 0.0)

    assert done_at(progress, 2.0) == [Transmit(b"b", 7.0), Transmit(b"c", 7.0)]


def test_pieces_without_time_between_them_are_single_actions() -> None:
    progress = begin(Script().send(b"abcd", pieces=2))

    assert done_at(progress, 0.0) == [Transmit(b"ab", 5.0), Transmit(b"cd", 5.0)]


def test_no_piece_is_waited_for_when_there_is_no_time_left() -> None:
    progress = begin(Script().send(b"ab", every=8), limit=5.0)

    assert done_at(progress, 0.0) == [Transmit(b"a", 5.0), Wait(5.0)]
    with pytest.raises(ScriptTimeout):
        progress.next(5.0)


@pytest.mark.parametrize(
    "step",
    [
        kinds.HalfClose(),
        kinds.Close(),
        kinds.Reset(timeout=3),
        kinds.Stall(),
        kinds.Resume(),
        kinds.ReadRate(10),
        kinds.StartTLS(),
        kinds.StopTLS(),
    ],
    ids=repr,
)
def test_acts_are_for_the_driver(step: kinds.Step) -> None:
    progress = begin(Script(step))

    assert progress.next(1.0) == Act(step, 1.0 + (step.timeout or 5.0))
    assert progress.cursor.step == step
    assert progress.next(1.0) is None


def test_an_action_that_failed_is_the_step_that_is_named() -> None:
    progress = begin(Script().send(b"a").close())
    progress.next(0.0)

    assert str(progress.timed_out(5.0, "no")).startswith("step 1, send(b'a'): no within 5 s\n")
    progress.next(5.0)
    assert str(progress.stopped("no", 5.0)).startswith("step 2, close(): no\n")


# --- waiting


def test_an_event_ends_a_wait() -> None:
    event = threading.Event()
    progress = begin(Script().wait_for(event, timeout=3).send(b"a"))

    assert done_at(progress, 0.0) == [Wait(3.0, event)]
    event.set()
    assert done_at(progress, 0.0) == [Transmit(b"a", 5.0)]


def test_silence_lasts_as_long_as_it_should() -> None:
    progress = begin(Script().expect_silence(2).send(b"a"))

    assert done_at(progress, 0.0) == [Wait(2.0)]
    assert done_at(progress, 1.9) == [Wait(2.0)]
    assert done_at(progress, 2.0) == [Transmit(b"a", 7.0)]


def test_what_comes_after_the_silence_does_not_break_it_though_it_is_seen_late() -> None:
    progress = begin(Script().expect_silence(2).expect(b"a"))
    progress.next(0.0)
    progress.inbox.receive(b"a", 2.5)

    assert done_at(progress, 3.0) == []


@pytest.mark.parametrize("at", [0.0, 1.9])
def test_what_comes_before_its_end_does(at: float) -> None:
    progress = begin(Script().expect_silence(2))
    progress.next(0.0)
    progress.inbox.receive(b"a", at)

    with pytest.raises(ScriptMismatch, match="something came"):
        progress.next(3.0)


def test_bytes_that_nobody_expected_before_break_a_silence() -> None:
    progress = begin(Script().expect(b"a").expect_silence(2))
    progress.inbox.receive(b"ab", 0.0)

    with pytest.raises(ScriptMismatch, match="something came"):
        progress.next(1.0)


def test_no_step_lasts_longer_than_the_test() -> None:
    progress = begin(Script().expect(b"a", timeout=60), limit=12.0)

    assert done_at(progress, 10.0) == [Wait(12.0)]


def test_a_pause_that_the_test_has_no_time_for_lasts_until_the_test_is_over() -> None:
    progress = begin(Script().pause(3), limit=12.0)

    assert done_at(progress, 10.0) == [Wait(12.0)]
    with pytest.raises(ScriptTimeout, match="only 2 s were left"):
        progress.next(12.0)


def test_what_is_there_at_the_deadline_counts() -> None:
    progress = begin(Script().expect(b"a"))
    progress.next(0.0)
    progress.inbox.receive(b"a", 5.0)

    assert progress.next(6.0) is None


# --- ends


def test_bytes_before_an_end_are_dropped_as_they_come() -> None:
    progress = begin(Script().expect_eof(discard=True))
    for _ in range(10):
        progress.inbox.receive(b"x" * 1000, 0.0)
        assert progress.next(0.0) == Wait(5.0)
        assert len(progress.inbox.unread) == 0
    progress.inbox.receive(b"x", 1.0)
    progress.inbox.receive_eof(1.0)

    assert progress.next(1.0) is None
    assert progress.inbox.taken == 10001


def test_bytes_that_keep_coming_do_not_put_the_end_off() -> None:
    progress = begin(Script().expect_eof(discard=True))
    progress.next(0.0)
    progress.inbox.receive(b"x", 4.9)

    with pytest.raises(ScriptTimeout, match="the other end did not close within 5 s"):
        progress.next(5.0)


def test_a_reset_may_come_after_an_end() -> None:
    progress = begin(Script().expect_eof().expect_reset())
    progress.inbox.receive_eof(0.0)
    assert progress.next(0.0) == Wait(5.0)
    progress.inbox.receive_reset(1.0)

    assert progress.next(1.0) is None


@pytest.mark.parametrize("ending", ["EOF", "reset"])
@pytest.mark.parametrize("discard", [True, False])
def test_an_end_is_expected_whichever_it_is(ending: str, discard: bool) -> None:
    progress = begin(Script().expect_end(discard=discard))
    assert progress.next(0.0) == Wait(5.0)
    if discard:
        progress.inbox.receive(b"the rest", 0.0)
    if ending == "EOF":
        progress.inbox.receive_eof(1.0)
    else:
        progress.inbox.receive_reset(1.0)

    assert progress.next(1.0) is None


def test_bytes_before_an_end_are_no_end() -> None:
    progress = begin(Script().expect_end())
    progress.inbox.receive(b"x", 0.0)
    progress.inbox.receive_eof(0.0)

    with pytest.raises(ScriptMismatch, match=r"expect_end\(\): bytes came instead"):
        progress.next(0.0)


def test_an_end_that_does_not_come_is_named() -> None:
    progress = begin(Script().expect_end())
    progress.next(0.0)

    with pytest.raises(ScriptTimeout, match="the other end did not end the connection within 5 s"):
        progress.next(5.0)


@pytest.mark.parametrize(
    ("framing", "data", "why"),
    [
        (LengthPrefix(2), b"", "closed (EOF) before it"),
        (LengthPrefix(2), b"\0", "closed (EOF) after 1 byte without the end of a message"),
        (LengthPrefix(2), b"\0\4abc", "closed (EOF) after 5 of 6 bytes"),
        (Lines(), b"half a line", "closed (EOF) after 11 bytes without the end of a message"),
    ],
)
def test_a_message_that_is_cut_off_is_named(framing: Framing, data: bytes, why: str) -> None:
    progress = begin(Script().expect(framing))
    if data:
        progress.inbox.receive(data, 0.0)
    progress.inbox.receive_eof(0.0)

    with pytest.raises(ScriptMismatch) as caught:
        progress.next(0.0)
    assert why in str(caught.value)


def test_a_message_that_is_late_is_named() -> None:
    progress = begin(Script().expect(LengthPrefix(2)))
    progress.inbox.receive(b"\0\4ab", 0.0)
    progress.next(0.0)

    with pytest.raises(ScriptTimeout, match="4 B came within 5 s without the end of a message"):
        progress.next(5.0)


def test_what_came_before_a_reset_can_still_be_expected() -> None:
    progress = begin(Script().expect(b"ab").expect_reset())
    progress.inbox.receive(b"ab", 0.0)
    progress.inbox.receive_reset(0.0)

    assert progress.next(0.0) is None


# --- what is expected


@pytest.mark.parametrize(
    ("step", "data", "size"),
    [
        (kinds.Expect(b"ab"), b"abc", 2),
        (kinds.Expect(2), b"abc", 2),
        (kinds.Expect(until=b"\r\n"), b"a\rb\r\n\r\n", 5),
        (kinds.Expect(re.compile(rb"a+")), b"aaa", 1),
        (kinds.Expect(re.compile(rb"a+b?c")), b"aabcc", 4),
        (kinds.Expect(re.compile(rb"a$")), b"aa", 1),
        (kinds.Expect(re.compile(rb"\w+\b ")), b"ab c", 3),
        (kinds.Expect(lambda data: data.count(b"a") == 2), b"abaa", 3),
        (kinds.Expect(re.compile(rb"b"), until=b"c"), b"abc", 3),
        (kinds.Expect(bytes.isdigit, length=2), b"123", 2),
        (kinds.Expect(LengthPrefix(1)), b"\2ab\1c", 3),
        (kinds.Expect(LengthPrefix(2, "little", includes_prefix=True)), b"\2\0\2", 2),
        (kinds.Expect(Lines()), b"a\r\nb\n", 3),
        (kinds.Expect(Delimiter(b"--")), b"a-b--c", 5),
        (kinds.Expect(FixedSize(2)), b"abc", 2),
    ],
)
def test_the_shortest_run_is_taken(step: kinds.Expect, data: bytes, size: int) -> None:
    progress = begin(Script(step))
    progress.inbox.receive(data, 0.0)

    assert progress.next(0.0) is None
    assert bytes(progress.inbox.unread) == data[size:]


def test_a_delimiter_is_looked_for_in_so_many_bytes() -> None:
    most = 16 * 1024 * 1024
    progress = begin(Script(kinds.Expect(until=b"\n")))
    progress.inbox.receive(bytes(most), 0.0)
    assert isinstance(progress.next(0.0), Wait)
    progress.inbox.receive(b"x\n", 0.0)

    with pytest.raises(ScriptMismatch, match=rf"no b'\\n' in the first {most} bytes; pass length= to take more"):
        progress.next(0.0)


@pytest.mark.parametrize(
    ("step", "data"),
    [
        (kinds.Expect(b"ab"), b"ab"),
        (kinds.Expect(re.compile(rb"a+b+")), b"aabb"),
        (kinds.Expect(re.compile(rb"a"), length=2), b"ba"),
        (kinds.Expect(3), b"abc"),
        (kinds.Expect(lambda data: True), b""),
        (kinds.Expect(b""), b""),
    ],
)
def test_a_datagram_is_taken_as_a_whole(step: kinds.Expect, data: bytes) -> None:
    progress = begin(Script(step), Inbox(is_datagram=True))
    progress.inbox.receive(data, 0.0)
    progress.inbox.receive(b"next", 0.0)

    assert progress.next(0.0) is None
    assert list(progress.inbox.datagrams) == [b"next"]
    assert progress.inbox.unread == b"next"


@pytest.mark.parametrize(
    "step",
    [kinds.Expect(b"a"), kinds.Expect(re.compile(rb"a")), kinds.Expect(1), kinds.Expect(re.compile(rb"b"), length=2)],
)
def test_the_beginning_of_a_datagram_is_not_enough(step: kinds.Expect) -> None:
    progress = begin(Script(step), Inbox(is_datagram=True))
    progress.inbox.receive(b"aa", 0.0)

    with pytest.raises(ScriptMismatch):
        progress.next(0.0)


def test_pieces_on_a_datagram_socket_are_datagrams() -> None:
    progress = begin(Script().send(b"").send(b"ab", pieces=2), Inbox(is_datagram=True))

    assert [each.data for each in done_at(progress, 0.0) if isinstance(each, Transmit)] == [b"", b"a", b"b"]


# --- loops


def test_a_loop_goes_round_so_many_times() -> None:
    progress = begin(Script().loop(Script().expect(b"a").send(b"b"), times=2).send(b"c"))
    progress.inbox.receive(b"aaa", 0.0)

    assert done_at(progress, 0.0) == [Transmit(b"b", 5.0), Transmit(b"b", 5.0), Transmit(b"c", 5.0)]


def test_each_step_of_a_loop_has_its_own_time() -> None:
    progress = begin(Script().loop(Script().expect(b"a", timeout=2), times=3))
    progress.next(0.0)
    for now in (0.0, 1.5, 3.0):
        assert progress.next(now + 0.25) == Wait(now + 2.0)
        progress.inbox.receive(b"a", now + 1.5)
        progress.next(now + 1.5)

    assert progress.cursor.is_done


def test_a_loop_that_ends_too_early_says_in_which_round() -> None:
    progress = begin(Script().loop(Script().expect(b"a"), times=3))
    progress.inbox.receive(b"aa", 0.0)
    progress.inbox.receive_eof(0.0)

    with pytest.raises(ScriptMismatch, match=r"step 1\.1 \(round 3\), expect\(b'a'\): the other end closed"):
        progress.next(0.0)


def test_an_endless_loop_ends_with_the_other_end() -> None:
    progress = begin(Script().loop(Script().expect(b"a").send(b"b")).send(b"c"))
    progress.inbox.receive(b"a", 0.0)
    assert done_at(progress, 0.0) == [Transmit(b"b", 5.0), Wait(5.0)]
    progress.inbox.receive_eof(1.0)

    assert done_at(progress, 1.0) == [Transmit(b"c", 6.0)]


def test_an_endless_loop_does_not_end_in_the_middle_of_a_round() -> None:
    for said in (b"ab", b"abca", b"x"):
        progress = begin(Script().loop(Script().expect(b"ab").expect(b"c")))
        progress.inbox.receive(said, 0.0)
        progress.inbox.receive_eof(0.0)

        with pytest.raises(ScriptMismatch):
            progress.next(0.0)


def test_an_endless_loop_around_another_loop_ends_as_well() -> None:
    progress = begin(Script().loop(Script().loop(Script().expect(b"a"), times=2).send(b"b")))
    progress.inbox.receive(b"aa", 0.0)
    progress.inbox.receive_eof(0.0)

    assert done_at(progress, 0.0) == [Transmit(b"b", 5.0)]


def test_an_endless_loop_does_not_end_between_the_rounds_of_an_inner_one() -> None:
    progress = begin(Script().loop(Script().loop(Script().expect(b"a"), times=2)))
    progress.inbox.receive(b"aaa", 0.0)
    progress.inbox.receive_eof(0.0)

    with pytest.raises(ScriptMismatch, match=r"step 1\.1\.1 \(round 2, inner round 2\)"):
        progress.next(0.0)


def test_an_endless_loop_does_not_end_in_an_inner_one_that_is_not_what_it_begins_with() -> None:
    progress = begin(Script().loop(Script().send(b"x").loop(Script().expect(b"a"), times=2)))
    progress.inbox.receive_eof(0.0)
    assert progress.next(0.0) == Transmit(b"x", 5.0)

    with pytest.raises(ScriptMismatch, match=r"step 1\.2\.1 \(round 1, inner round 1\)"):
        progress.next(0.0)


@pytest.mark.parametrize(
    "body",
    [
        Script().expect_eof(),
        Script().one_of(Script().expect(b"a"), Script().expect_eof()),
        Script().loop(Script().expect(b"a")),
        Script().loop(Script().expect(b"a")).expect_eof(),
        Script().expect_eof(discard=True).pause(0),
    ],
)
def test_a_loop_whose_round_meets_the_end_is_over_after_it(body: Script) -> None:
    progress = begin(Script().loop(body))
    progress.inbox.receive_eof(0.0)

    assert done_at(progress, 0.0) == []


def test_a_loop_of_empty_datagrams_goes_on() -> None:
    progress = begin(Script().loop(Script().expect(lambda data: True).send(b"!")), Inbox(is_datagram=True))
    for _ in range(2):
        progress.inbox.receive(b"", 0.0)

    assert done_at(progress, 0.0) == [Transmit(b"!", 5.0), Transmit(b"!", 5.0), Wait(5.0)]


def test_a_loop_that_only_sends_ends_when_nobody_is_there() -> None:
    progress = begin(Script().loop(Script().send(b"tick").pause(1)))
    progress.inbox.receive(b"never read", 0.0)
    assert done_at(progress, 0.0) == [Transmit(b"tick", 5.0), Wait(1.0)]
    progress.inbox.receive_reset(0.5)

    assert done_at(progress, 1.0) == []


@pytest.mark.parametrize(
    "body", [Script().expect(b"ab"), Script().one_of(Script().expect(b"ab"), Script().expect(b"c"))], ids=repr
)
def test_it_knows_whether_it_rests_between_two_rounds(body: Script) -> None:
    progress = begin(Script().loop(body.send(b"!")).pause(1))

    for said, rests in ((b"", True), (b"a", False), (b"b", True)):
        progress.inbox.receive(said, 0.0)
        done_at(progress, 0.0)
        assert progress.cursor.is_between_rounds is rests
    progress.inbox.receive_eof(0.0)
    done_at(progress, 0.0)
    assert not progress.cursor.is_between_rounds


# --- branches


def test_the_branch_with_the_fewest_bytes_is_taken() -> None:
    script = Script().one_of(Script().expect(b"ab").send(b"1"), Script().expect(b"a").send(b"2")).send(b"3")
    progress = begin(script)
    progress.inbox.receive(b"ab", 0.0)

    assert done_at(progress, 0.0) == [Transmit(b"2", 5.0), Transmit(b"3", 5.0)]


def test_of_equals_the_first_one_is_taken() -> None:
    progress = begin(Script().one_of(Script().expect(1).send(b"1"), Script().expect(b"a").send(b"2")))
    progress.inbox.receive(b"a", 0.0)

    assert done_at(progress, 0.0) == [Transmit(b"1", 5.0)]


@pytest.mark.parametrize("is_reset_first", [False, True])
def test_what_ended_it_first_decides(is_reset_first: bool) -> None:
    options = [Script().expect_eof().send(b"eof"), Script().expect_reset().send(b"reset")]
    progress = begin(Script().one_of(*options[:: -1 if is_reset_first else 1]))
    progress.inbox.receive_eof(0.0)
    progress.inbox.receive_reset(0.0)

    assert done_at(progress, 0.0) == [Transmit(b"eof", 5.0)]


def test_the_time_for_a_branch_is_that_of_all() -> None:
    progress = begin(Script().one_of(Script().expect(b"a", timeout=1), Script().expect(b"b"), timeout=3))

    assert progress.next(0.0) == Wait(3.0)


def test_a_branch_in_a_loop_is_chosen_anew_in_each_round() -> None:
    branch = Script().one_of(Script().expect(b"a").send(b"A"), Script().expect(b"b").send(b"B"))
    progress = begin(Script().loop(branch))
    progress.inbox.receive(b"abba", 0.0)
    progress.inbox.receive_eof(0.0)

    assert [each.data for each in done_at(progress, 0.0) if isinstance(each, Transmit)] == [b"A", b"B", b"B", b"A"]


# --- where it is


def test_it_says_where_it_is() -> None:
    progress = begin(Script().send(b"a").expect(b"b"), first=3)

    assert progress.cursor.where == "step 3 of 4, send(b'a')"
    progress.next(0.0)
    progress.next(0.0)
    assert progress.cursor.where == "step 4 of 4, expect(b'b')"
    assert repr(progress) == "<Progress at step 4 of 4, expect(b'b')>"
    progress.inbox.receive(b"b", 0.0)
    progress.next(0.0)
    assert progress.cursor.where == "the end of its 2 steps"
    assert progress.cursor.step is None


def test_an_empty_script_is_over_at_once() -> None:
    progress = begin(Script())

    assert progress.cursor.is_done
    assert progress.next(0.0) is None
    assert progress.cursor.where == "the end of its 0 steps"


def test_one_script_can_be_played_many_times_at_once() -> None:
    script = Script().loop(Script().expect(b"a").send(b"ab", every=1), times=2)
    one, other = begin(script), begin(script)
    one.inbox.receive(b"a", 0.0)

    assert done_at(one, 0.0) == [Transmit(b"a", 5.0), Wait(1.0)]
    assert done_at(other, 0.0) == [Wait(5.0)]


def test_what_the_socket_cant_do_is_refused_before_anything_is_done() -> None:
    with pytest.raises(UsageError, match=r"step 2, reset\(\): that is for streams"):
        begin(Script().send(b"a").reset(), Inbox(is_datagram=True))
