"""What a failed step says, word for word."""

from __future__ import annotations

import pickle
import re
import threading
from typing import Any

import pytest

from windsock.scripts import Inbox, Progress, Script, ScriptMismatch, ScriptTimeout, Transmit, Wait


class Talk:
    """A script that is played up to its failure; times are in seconds from the start."""

    def __init__(self, script: Script, *, is_datagram: bool = False, limit: float = 100.0, **options: Any) -> None:
        self.inbox = Inbox(is_datagram=is_datagram)
        self.progress = Progress(script, self.inbox, timeout=5.0, limit=limit, **options)
        self.now = 10.0

    def go(self) -> Talk:
        """Do what there is to do now."""
        while True:
            action = self.progress.next(self.now)
            if action is None or isinstance(action, Wait):
                return self
            if isinstance(action, Transmit):
                self.inbox.note_sent(action.data, self.now)
            self.now += 0.001

    def receive(self, data: bytes) -> Talk:
        self.inbox.receive(data, self.now)
        self.now += 0.001
        return self

    def receive_eof(self) -> Talk:
        self.inbox.receive_eof(self.now)
        self.now += 0.002
        return self

    def receive_reset(self) -> Talk:
        self.inbox.receive_reset(self.now)
        self.now += 0.002
        return self

    def mismatch(self) -> str:
        with pytest.raises(ScriptMismatch) as caught:
            self.go()
        return str(caught.value)

    def timeout(self, after: float = 5.0) -> str:
        self.go()
        self.now += after
        with pytest.raises(ScriptTimeout) as caught:
            self.go()
        return str(caught.value)


def text(words: str) -> str:
    """Leave out the first line's break and the last one's."""
    return words.strip("\n")


# --- bytes


def test_bytes_that_differ() -> None:
    talk = Talk(Script().send(b"EHLO\r\n").expect(b"HELO there\r\n")).go()

    assert talk.receive(b"HELP\r\n").mismatch() == text(
        r"""
step 2, expect(b'HELO there\r\n'): bytes differ at offset 3, b'P' instead of b'O'
           expected                           received
  > 000000 48 45 4c 4f 20 74 68 65  HELO the  48 45 4c 50 0d 0a        HELP..
    000008 72 65 0d 0a              re..
  unread: 6 B b'HELP\r\n'
  before:
    -0.0020 s sent 6 B b'EHLO\r\n'
    -0.0010 s received 6 B b'HELP\r\n'
"""
    )


def test_bytes_that_differ_from_the_start_on() -> None:
    assert Talk(Script().expect(b"+OK\r\n")).receive(b"-ERR no\r\n").mismatch() == text(
        r"""
step 1, expect(b'+OK\r\n'): bytes differ at offset 0, b'-' instead of b'+'
           expected                           received
  > 000000 2b 4f 4b 0d 0a           +OK..     2d 45 52 52 20 6e 6f 0d  -ERR no.
  unread: 9 B b'-ERR no\r\n'
  before:
    -0.0010 s received 9 B b'-ERR no\r\n'
"""
    )


def test_bytes_that_differ_far_away() -> None:
    expected = b"ab" * 2560
    received = expected[:4100] + b"\xff" + expected[4101:]

    message = Talk(Script().expect(b"a").expect(expected)).receive(b"a" + received).mismatch()

    start = f"b'{'ab' * 32}'... (5056 more)"
    assert message == text(
        rf"""
step 2, expect({start}): bytes differ at offset 4100, b'\xff' instead of b'a'
           expected                           received
    000ff0 61 62 61 62 61 62 61 62  abababab  61 62 61 62 61 62 61 62  abababab
    000ff8 61 62 61 62 61 62 61 62  abababab  61 62 61 62 61 62 61 62  abababab
  > 001000 61 62 61 62 61 62 61 62  abababab  61 62 61 62 ff 62 61 62  abab.bab
    001008 61 62 61 62 61 62 61 62  abababab  61 62 61 62 61 62 61 62  abababab
    001010 61 62 61 62 61 62 61 62  abababab  61 62 61 62 61 62 61 62  abababab
  unread: 5120 B {start}, after 1 B that were read
  before:
    -0.0010 s received 5121 B b'aabababababababababababa'...
"""
    )


# --- patterns, predicates, units


def is_json(data: bytes) -> bool:
    return data.startswith(b"{")


def test_a_pattern_that_matches_no_run_until_the_end() -> None:
    talk = Talk(Script().expect(re.compile(rb"\d+ OK\n"))).receive(b"250 NO\n").receive_eof()

    assert talk.mismatch() == text(
        r"""
step 1, expect(re.compile(b'\\d+ OK\\n')): the other end closed (EOF) after 7 bytes, of which no run matches
  unread: 7 B b'250 NO\n'
  before:
    -0.0030 s received 7 B b'250 NO\n'
    -0.0020 s received the end (EOF)
"""
    )


def test_a_pattern_that_matches_no_run_of_all_that_is_looked_at() -> None:
    message = Talk(Script().expect(re.compile(rb"a+b"))).receive(b"a" * 20000).mismatch()

    assert message.splitlines()[0] == (
        "step 1, expect(re.compile(b'a+b')): no run of bytes matches in the first 16384; "
        "pass until= or length= to look at more"
    )


def test_a_predicate_that_a_line_does_not_please() -> None:
    assert Talk(Script().expect(is_json, until=b"\n")).receive(b"[1]\n{}\n").mismatch() == text(
        r"""
step 1, expect(is_json, until=b'\n'): the first 4 bytes do not match
  unread: 7 B b'[1]\n{}\n'
  before:
    -0.0010 s received 7 B b'[1]\n{}\n'
"""
    )


def test_a_pattern_that_is_not_in_so_many_bytes() -> None:
    assert Talk(Script().expect(re.compile(rb"x"), length=3)).receive(b"abcd").mismatch() == text(
        r"""
step 1, expect(re.compile(b'x'), length=3): the first 3 bytes do not match
  unread: 4 B b'abcd'
  before:
    -0.0010 s received 4 B b'abcd'
"""
    )


# --- datagrams


def test_a_datagram_that_differs() -> None:
    talk = Talk(Script().expect(b"pong"), is_datagram=True).receive(b"pongs").receive(b"2").receive(b"3")

    assert talk.mismatch() == text(
        r"""
step 1, expect(b'pong'): datagrams differ at offset 4, where the expected one ends
           expected                           received
  > 000000 70 6f 6e 67              pong      70 6f 6e 67 73           pongs
  unread: 5 B b'pongs', and 2 datagrams more
  before:
    -0.0030 s received 5 B b'pongs'
    -0.0020 s received 1 B b'2'
    -0.0010 s received 1 B b'3'
"""
    )


def test_an_empty_datagram_that_was_not_expected() -> None:
    assert Talk(Script().expect(b"pong"), is_datagram=True).receive(b"").mismatch() == text(
        r"""
step 1, expect(b'pong'): datagrams differ at offset 0, where the received one ends
           expected                           received
  > 000000 70 6f 6e 67              pong
  unread: an empty datagram
  before:
    -0.0010 s received an empty datagram
"""
    )


def test_a_datagram_of_another_length() -> None:
    assert Talk(Script().expect(4), is_datagram=True).receive(b"pongs").mismatch().splitlines()[0] == (
        "step 1, expect(4): the datagram has 5 bytes"
    )


def test_a_datagram_that_does_not_match() -> None:
    message = Talk(Script().expect(re.compile(rb"\d")), is_datagram=True).receive(b"12").mismatch()

    assert message.splitlines()[0] == r"step 1, expect(re.compile(b'\\d')): the datagram does not match"


# --- ends


def test_an_end_before_anything_came() -> None:
    assert Talk(Script().send(b"PING").expect(b"PONG")).go().receive_eof().mismatch() == text(
        r"""
step 2, expect(b'PONG'): the other end closed (EOF) before it
  unread: nothing
  before:
    -0.0030 s sent 4 B b'PING'
    -0.0020 s received the end (EOF)
"""
    )


def test_an_end_in_the_middle() -> None:
    assert Talk(Script().expect(b"PONG")).receive(b"PO").receive_eof().mismatch() == text(
        r"""
step 1, expect(b'PONG'): the other end closed (EOF) after 2 of 4 bytes
           expected                           received
  > 000000 50 4f 4e 47              PONG      50 4f                    PO
  unread: 2 B b'PO'
  before:
    -0.0030 s received 2 B b'PO'
    -0.0020 s received the end (EOF)
"""
    )


def test_an_end_before_a_delimiter() -> None:
    message = Talk(Script().expect(until=b"\r\n")).receive(b"2").receive_eof().mismatch()

    assert message.splitlines()[0] == (
        r"step 1, expect(until=b'\r\n'): the other end closed (EOF) after 1 byte without b'\r\n'"
    )


def test_an_end_before_so_many_bytes() -> None:
    message = Talk(Script().expect(10)).receive(b"abc").receive_eof().mismatch()

    assert message.splitlines()[0] == "step 1, expect(10): the other end closed (EOF) after 3 of 10 bytes"


def test_a_reset_in_the_middle() -> None:
    assert Talk(Script().expect(b"hello").expect(4)).receive(b"helloab").receive_reset().mismatch() == text(
        r"""
step 2, expect(4): the connection was reset after 2 of 4 bytes
  unread: 2 B b'ab', after 5 B that were read
  before:
    -0.0030 s received 7 B b'helloab'
    -0.0020 s was reset
"""
    )


def test_bytes_instead_of_an_end() -> None:
    assert Talk(Script().expect(b"bye").expect_eof()).receive(b"bye\r\n").mismatch() == text(
        r"""
step 2, expect_eof(): bytes came instead
  unread: 2 B b'\r\n', after 3 B that were read
  before:
    -0.0010 s received 5 B b'bye\r\n'
"""
    )


def test_a_reset_instead_of_an_end() -> None:
    assert Talk(Script().expect_eof()).receive_reset().mismatch() == text(
        r"""
step 1, expect_eof(): the connection was reset
  unread: nothing
  before:
    -0.0020 s was reset
"""
    )


# --- time


def test_nothing_in_time() -> None:
    assert Talk(Script().send(b"PING").expect(b"PONG")).go().timeout() == text(
        r"""
step 2, expect(b'PONG'): nothing came within 5 s
  unread: nothing
  before:
    -5.0010 s sent 4 B b'PING'
"""
    )


def test_not_enough_in_time() -> None:
    assert Talk(Script().expect(b"PONG", timeout=0.25)).receive(b"PO").timeout(0.25) == text(
        r"""
step 1, expect(b'PONG', timeout=0.25): 2 of 4 B came within 0.25 s
           expected                           received
  > 000000 50 4f 4e 47              PONG      50 4f                    PO
  unread: 2 B b'PO'
  before:
    -0.2510 s received 2 B b'PO'
"""
    )


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (Script().expect(500), "step 1, expect(500): 2 of 500 B came within 5 s"),
        (Script().expect(until=b"\n"), r"step 1, expect(until=b'\n'): 2 B came within 5 s without b'\n'"),
        (
            Script().expect(re.compile(rb"P.+G")),
            "step 1, expect(re.compile(b'P.+G')): 2 B came within 5 s, of which no run matches",
        ),
        (
            Script().one_of(Script().expect(b"PONG"), Script().expect(b"POST")),
            "step 1, one_of(Script().expect(b'PONG'), Script().expect(b'POST')): "
            "2 B came within 5 s, which meet none of the branches",
        ),
    ],
)
def test_what_came_and_was_not_enough(script: Script, words: str) -> None:
    assert Talk(script).receive(b"PO").timeout().splitlines()[0] == words


def test_no_end_in_time() -> None:
    talk = Talk(Script().expect_eof(discard=True)).receive(b"x" * 30)

    assert talk.timeout() == text(
        r"""
step 1, expect_eof(discard=True): the other end did not close within 5 s
  unread: nothing, after 30 B that were read
  before:
    -5.0010 s received 30 B b'xxxxxxxxxxxxxxxxxxxxxxxx'...
"""
    )


def test_no_reset_in_time() -> None:
    assert Talk(Script().expect_reset()).timeout().splitlines()[0] == "step 1, expect_reset(): no reset came within 5 s"


def test_an_end_instead_of_a_reset() -> None:
    assert Talk(Script().expect_reset()).receive_eof().timeout() == text(
        r"""
step 1, expect_reset(): the other end closed (EOF), but no reset came within 5 s
  unread: nothing
  before:
    -5.0020 s received the end (EOF)
"""
    )


def test_an_event_that_is_not_set() -> None:
    message = Talk(Script().wait_for(threading.Event(), timeout=2)).timeout(2)

    assert re.sub(r"<.*>", "<event>", message) == text(
        """
step 1, wait_for(<event>, timeout=2): the event was not set within 2 s
  unread: nothing
"""
    )


def test_a_silence_that_is_broken() -> None:
    assert Talk(Script().send(b"DATA").expect_silence(0.5)).go().receive(b"354").mismatch() == text(
        r"""
step 2, expect_silence(0.5): something came
  unread: 3 B b'354'
  before:
    -0.0020 s sent 4 B b'DATA'
    -0.0010 s received 3 B b'354'
"""
    )


def test_a_silence_that_an_end_breaks() -> None:
    assert Talk(Script().expect_silence(0.5)).go().receive_eof().mismatch() == text(
        r"""
step 1, expect_silence(0.5): the other end closed (EOF)
  unread: nothing
  before:
    -0.0020 s received the end (EOF)
"""
    )


def test_the_time_of_the_test_is_over() -> None:
    assert Talk(Script().expect(b"PONG", timeout=3), limit=12.0).timeout(2) == text(
        """
step 1, expect(b'PONG', timeout=3): nothing came within 3 s (cut short: the time of the test is over)
  unread: nothing
"""
    )


def test_a_pause_lasts_until_the_time_of_the_test_is_over() -> None:
    talk = Talk(Script().pause(3), limit=12.0)
    assert talk.progress.next(10.0) == Wait(12.0)

    assert talk.timeout(2) == text(
        """
step 1, pause(3): only 2 s were left of the time of the test
  unread: nothing
"""
    )


def test_a_pause_that_begins_after_the_time_of_the_test() -> None:
    with pytest.raises(ScriptTimeout) as caught:
        Talk(Script().pause(3), limit=9.0).go()

    assert str(caught.value) == text(
        """
step 1, pause(3): the time of the test is over
  unread: nothing
"""
    )


def test_a_silence_lasts_until_the_time_of_the_test_is_over() -> None:
    assert Talk(Script().expect_silence(3), limit=12.0).timeout(2) == text(
        """
step 1, expect_silence(3): only 2 s were left of the time of the test
  unread: nothing
"""
    )


@pytest.mark.parametrize("script", [Script().pause(3), Script().expect_silence(3)], ids=str)
def test_a_pause_that_can_be_stopped_outlasts_the_time_of_the_test(script: Script) -> None:
    talk = Talk(script, limit=12.0, can_be_stopped=True).go()

    assert talk.progress.next(12.5) == Wait(13.0)
    assert talk.progress.next(13.0) is None


def test_a_wait_between_pieces_that_can_be_stopped_outlasts_the_time_of_the_test() -> None:
    talk = Talk(Script().send(b"ab", every=3), limit=12.0, can_be_stopped=True).go()

    assert talk.progress.next(12.5) == Wait(13.0)


def test_the_time_of_the_test_is_over_between_two_pieces() -> None:
    talk = Talk(Script().send(b"abc", every=1.5), limit=12.0).go()
    talk.now = 11.5
    talk.go()
    talk.now = 12.5

    with pytest.raises(ScriptTimeout) as caught:
        talk.go()

    assert str(caught.value) == text(
        r"""
step 1, send(b'abc', pieces=3, every=1.5): the time of the test is over, and 1 piece is left to send
  unread: nothing
  before:
    -2.5000 s sent 1 B b'a'
    -1.0000 s sent 1 B b'b'
"""
    )


def test_an_action_that_took_too_long() -> None:
    talk = Talk(Script().send(b"x" * 100))
    talk.progress.next(10.0)

    assert str(talk.progress.timed_out(15.0, "the other end took 3 of 100 bytes")) == text(
        f"""
step 1, send({b"x" * 64!r}... (36 more)): the other end took 3 of 100 bytes within 5 s
  unread: nothing
"""
    )
    assert str(talk.progress.timed_out(15.0)).splitlines()[0].endswith("it was not finished within 5 s")


# --- loops and branches


def test_none_of_several() -> None:
    script = (
        Script()
        .send(b"GO")
        .one_of(
            Script().expect(b"+OK").send(b"1"), Script().expect(re.compile(rb"-\d"), until=b"\n"), Script().expect_eof()
        )
    )

    assert Talk(script).go().receive(b"-?\n").mismatch() == text(
        r"""
step 2, one_of(3 scripts): none of these matched
    expect(b'+OK'): bytes differ at offset 0, b'-' instead of b'+'
    expect(re.compile(b'-\\d'), until=b'\n'): the first 3 bytes do not match
    expect_eof(): bytes came instead
  unread: 3 B b'-?\n'
  before:
    -0.0020 s sent 2 B b'GO'
    -0.0010 s received 3 B b'-?\n'
"""
    )


def test_a_step_in_a_loop_in_a_branch_in_a_loop() -> None:
    inner = Script().loop(Script().expect(b"b").expect(b"c"), times=3)
    script = Script().pause(0).loop(Script().one_of(Script().expect(b"x"), Script().expect(b"a") + inner), times=2)

    message = Talk(script, whose="the fake's ").receive(b"abcbcbc" + b"abcb!").mismatch()

    assert message == text(
        r"""
the fake's step 2.1.2.2.2 (round 2, inner round 2), expect(b'c'): bytes differ at offset 0, b'!' instead of b'c'
           expected                           received
  > 000000 63                       c         21                       !
  unread: 1 B b'!', after 11 B that were read
  before:
    -0.0010 s received 12 B b'abcbcbcabcb!'
"""
    )


def test_the_last_eight_things_are_shown() -> None:
    script = sum((Script().send(b"%d" % each).expect(b"k") for each in range(6)), Script())
    talk = Talk(script)
    for _ in range(5):
        talk.go().receive(b"k")

    assert talk.go().receive(b"n").mismatch().splitlines()[-9:] == [
        "  before:",
        "    -0.0080 s sent 1 B b'2'",
        "    -0.0070 s received 1 B b'k'",
        "    -0.0060 s sent 1 B b'3'",
        "    -0.0050 s received 1 B b'k'",
        "    -0.0040 s sent 1 B b'4'",
        "    -0.0030 s received 1 B b'k'",
        "    -0.0020 s sent 1 B b'5'",
        "    -0.0010 s received 1 B b'n'",
    ]


# --- as values


def test_the_error_has_the_facts() -> None:
    with pytest.raises(ScriptMismatch) as caught:
        Talk(Script().expect(b"a").expect(b"bcd")).receive(b"abx").go()

    failure = caught.value.failure
    assert (failure.number, failure.step.text, failure.offset) == ("2", "expect(b'bcd')", 1)
    assert (failure.unread, failure.taken) == (b"bx", 1)
    assert [(deed.what, deed.size, deed.data) for deed in failure.deeds] == [("received", 3, b"abx")]


def test_the_errors_can_be_sent_to_another_process() -> None:
    for talk in (Talk(Script().expect(b"a")).receive(b"b"), Talk(Script().expect(b"a"), limit=1.0)):
        with pytest.raises((ScriptMismatch, ScriptTimeout)) as caught:
            talk.go()

        error = caught.value
        again = pickle.loads(pickle.dumps(error))

        assert isinstance(error, ScriptMismatch | ScriptTimeout)
        assert (type(again), str(again), again.failure) == (type(error), str(error), error.failure)


def test_a_handshake_that_takes_too_long() -> None:
    talk = Talk(Script().start_tls())
    talk.progress.next(10.0)

    assert str(talk.progress.timed_out(15.0, "no handshake")).splitlines()[0] == (
        "step 1, start_tls(): no handshake within 5 s"
    )


def test_an_end_that_no_reset_can_follow() -> None:
    talk = Talk(Script().expect_reset()).receive_eof()
    talk.inbox.is_sealed = True

    assert talk.mismatch().splitlines()[0] == (
        "step 1, expect_reset(): the other end closed (EOF); "
        "on a Unix socket that is a reset only if it left data unread (unix(7))"
    )
