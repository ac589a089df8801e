"""Steps are values: checked when they are made, equal when they say the same, written as the code that makes them."""

from __future__ import annotations

import math
import pickle
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windsock.errors import UsageError
from windsock.recording import LengthPrefix, Lines
from windsock.scripts import Script
from windsock.scripts import steps as kinds
from windsock.scripts.conversation import Conversation
from windsock.scripts.repr import wrapped


def says(action: Callable[[], object]) -> str:
    with pytest.raises(UsageError) as caught:
        action()
    return str(caught.value)


NOT_A_STEP: Any = "send(b'x')"
NOT_BYTES: Any = "text"

REFUSED: list[tuple[Callable[[], object], str]] = [
    # --- send
    (lambda: Script().send(NOT_BYTES), "send('text'): expected bytes; encode text first"),
    (
        lambda: Script().send(b"abc", pieces=0),
        "send(pieces=0): expected a number of pieces, 1 or more, or a list of sizes",
    ),
    (
        lambda: Script().send(b"abc", pieces=[1, -1]),
        "send(pieces=(1, -1)): expected a number of pieces, 1 or more, or a list of sizes",
    ),
    (
        lambda: Script().send(b"abc", pieces=[]),
        "send(pieces=()): expected a number of pieces, 1 or more, or a list of sizes",
    ),
    (
        lambda: Script().send(b"abc", pieces=True),
        "send(pieces=True): expected a number of pieces, 1 or more, or a list of sizes",
    ),
    (
        lambda: Script().send(b"abc", pieces=[2, 2]),
        "send(pieces=(2, 2)): 4 bytes in all, but there are 3 to send",
    ),
    (lambda: Script().send(b"abc", every=-0.1), "send(every=-0.1): expected seconds, 0 or more"),
    (lambda: Script().send(b"abc", timeout=0), "send(timeout=0): expected seconds, more than 0"),
    (lambda: Script().urgent(b""), "urgent(b''): urgent data needs at least one byte"),
    # --- expect
    (
        lambda: Script().expect(re.compile(rb"a*")),
        "expect(re.compile(b'a*')): it would match before anything comes; pass what to expect, or until=",
    ),
    (
        lambda: Script().expect(re.compile("a")),  # type: ignore[arg-type]  # that is the mistake
        "expect(re.compile('a')): expected a pattern over bytes, as in re.compile(rb'...')",
    ),
    (
        lambda: Script().expect(NOT_BYTES),
        "expect('text'): expected bytes, a compiled regular expression over bytes, a predicate, "
        "a framing, or a number of bytes",
    ),
    (
        lambda: Script().expect(True),
        "expect(True): expected bytes, a compiled regular expression over bytes, a predicate, "
        "a framing, or a number of bytes",
    ),
    (
        lambda: Script().expect(),
        "expect(): pass what to expect: bytes, a pattern, a predicate, a length, or until=",
    ),
    (lambda: Script().expect(0), "expect(0): expected a whole number, 1 or more"),
    (lambda: Script().expect(3, length=4), "expect(3, length=4): two lengths; use one of them"),
    (
        lambda: Script().expect(until=b"\n", length=4),
        "expect(until=..., length=...): two ways to find the end; use one of them",
    ),
    (
        lambda: Script().expect(until=b""),
        "expect(until=b''): an empty delimiter ends nothing; pass the bytes that end the message",
    ),
    (
        lambda: Script().expect(b"a", until=b"\n"),
        "expect(b'a', ...): bytes have a length of their own; leave until= and length= out",
    ),
    (
        lambda: Script().expect(Lines(), length=3),
        "expect(Lines(), ...): a framing finds the end of a message itself; leave until= and length= out",
    ),
    (lambda: Script().expect(b"a", timeout=-1), "expect(timeout=-1): expected seconds, more than 0"),
    (lambda: Script().expect_eof(timeout=0), "expect_eof(timeout=0): expected seconds, more than 0"),
    (lambda: Script().expect_silence(0), "expect_silence(0): expected seconds, more than 0"),
    (lambda: Script().expect_silence(math.inf), "expect_silence(inf): expected seconds, more than 0"),
    # --- time and reading
    (lambda: Script().pause(-1), "pause(-1): expected seconds, 0 or more"),
    (lambda: Script().pause(math.nan), "pause(nan): expected seconds, 0 or more"),
    (lambda: kinds.Pause(1, timeout=2), "pause(timeout=2): this step does not wait; leave timeout= out"),
    (lambda: Script().wait_for(NOT_A_STEP), "wait_for(\"send(b'x')\"): expected an event, such as threading.Event()"),
    (lambda: Script().stall(buffer=0), "stall(buffer=0): expected a whole number, 1 or more"),
    (lambda: Script().read_rate(0), "read_rate(0): expected bytes a second, more than 0"),
    # --- loops and branches
    (
        lambda: Script().loop(Script()),
        "loop(Script()): it has no steps, so it would never end",
    ),
    (lambda: Script().loop(NOT_A_STEP), "loop(\"send(b'x')\"): expected a Script"),
    (lambda: Script().loop(Script().send(b"x"), times=0), "loop(times=0): expected a whole number, 1 or more"),
    (
        lambda: Script().loop(Script().pause(0)),
        "loop(Script().pause(0)): a round takes no time and nothing from the other end; pass times=",
    ),
    (lambda: Script().one_of(), "one_of(): expected scripts to choose from"),
    (
        lambda: Script().one_of(Script().send(b"x")),
        "one_of(): each script must begin with expect(), expect_eof() or expect_reset(); "
        "this one begins with send(b'x')",
    ),
    (
        lambda: Script().one_of(Script()),
        "one_of(): each script must begin with expect(), expect_eof() or expect_reset(); this one begins with nothing",
    ),
    (lambda: Script(NOT_A_STEP), "Script(\"send(b'x')\"): expected steps, such as Send(b'...')"),
]


@pytest.mark.parametrize(("make", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_what_cant_work_is_refused_at_once_with_the_way_out(make: Callable[[], object], words: str) -> None:
    assert says(make) == words


LOOP = Script().send(b"x")
MISPLACED: list[tuple[Script, bool, str]] = [
    (
        Script().expect(b"a").reset(),
        True,
        "step 2, reset(): that is for streams, and this peer's socket carries datagrams; leave it out",
    ),
    (
        Script().loop(Script().expect(1).half_close(), times=2),
        True,
        "step 1.2, half_close(): that is for streams, and this peer's socket carries datagrams; leave it out",
    ),
    (
        Script().one_of(Script().expect(1), Script().expect(2).expect_eof()),
        True,
        "step 1.2.2, expect_eof(): that is for streams, and this peer's socket carries datagrams; leave it out",
    ),
    (Script().expect(until=b"\n"), True, "step 1, expect(until=b'\\n'): a datagram ends by itself; leave until= out"),
    (
        Script().send(b""),
        False,
        "step 1, send(b''): an empty message can be sent only as a datagram; on a stream it sends nothing",
    ),
    (
        Script().pause(1).expect(b""),
        False,
        "step 2, expect(b''): an empty pattern would match before anything comes; pass what to expect",
    ),
    (
        Script().half_close().expect(b"a").send(b"b"),
        False,
        "step 3, send(b'b'): nothing can be sent after half_close(); send it before",
    ),
    (
        Script().close().expect_eof(),
        False,
        "step 2, expect_eof(): this end is gone after close(); let the script end there",
    ),
    (
        Script().reset(flush=True).send(b"a"),
        False,
        "step 2, send(b'a'): this end is gone after reset(flush=True); let the script end there",
    ),
]


@pytest.mark.parametrize(("script", "is_datagram", "words"), MISPLACED, ids=[words for *_, words in MISPLACED])
def test_a_step_in_the_wrong_place_is_named(script: Script, is_datagram: bool, words: str) -> None:
    assert says(lambda: script.check(is_datagram=is_datagram)) == words


@pytest.mark.parametrize(
    "script",
    [
        Script().loop(LOOP),
        Script().loop(Script().loop(LOOP, times=3).expect(b"a")),
        Script().one_of(Script().expect(b"a").loop(LOOP)),
    ],
)
def test_a_loop_without_an_end_is_refused_where_one_is_needed(script: Script) -> None:
    script.check(is_datagram=False)

    assert says(lambda: script.check(is_datagram=False, has_to_end=True)).endswith(
        "this never ends; pass times=, or begin the loop with an expectation"
    )


@pytest.mark.parametrize(
    "body",
    [
        Script().expect(1),
        Script().expect_silence(1).send(b"x"),
        Script().one_of(Script().expect(b"a"), Script().expect_eof()),
        Script().loop(Script().expect(1), times=2),
    ],
)
def test_a_loop_that_begins_with_an_expectation_has_an_end(body: Script) -> None:
    Script().loop(body).check(is_datagram=False, has_to_end=True)


def test_what_datagrams_can_do_is_not_refused() -> None:
    script = (
        Script()
        .send(b"")
        .expect(b"")
        .expect(b"a")
        .expect(3)
        .stall()
        .pause(1)
        .resume()
        .expect_silence(1)
        .close()
        .pause(1)
    )

    script.check(is_datagram=True, has_to_end=True)


# --- values


def test_bytes_may_be_any_kind_of_bytes() -> None:
    written: Any = bytearray(b"a")
    viewed: Any = memoryview(b"b")

    assert Script().send(written).expect(viewed) == Script().send(b"a").expect(b"b")


def test_pieces_may_be_any_sequence() -> None:
    assert kinds.Send(b"abc", pieces=[1, 2]) == kinds.Send(b"abc", pieces=(1, 2))  # type: ignore[arg-type]  # allowed


def test_a_number_is_a_length() -> None:
    assert kinds.Expect(5) == kinds.Expect(length=5)


@pytest.mark.parametrize(
    ("step", "pieces"),
    [
        (kinds.Send(b"abcdef"), [b"abcdef"]),
        (kinds.Send(b""), [b""]),
        (kinds.Send(b"abcdef", pieces=1), [b"abcdef"]),
        (kinds.Send(b"abcdef", pieces=4), [b"a", b"bc", b"d", b"ef"]),
        (kinds.Send(b"abc", pieces=10), [b"a", b"b", b"c"]),
        (kinds.Send(b"abcdef", pieces=(1, 2)), [b"a", b"bc", b"def"]),
        (kinds.Send(b"abcdef", pieces=(1, 2, 3)), [b"a", b"bc", b"def"]),
        (kinds.Send(b"abc", every=0.1), [b"a", b"b", b"c"]),
    ],
    ids=repr,
)
def test_data_is_cut_into_pieces(step: kinds.Send, pieces: list[bytes]) -> None:
    assert list(step.parts("", Conversation())) == pieces


def is_even(data: bytes) -> bool:
    return len(data) % 2 == 0


EVENT = threading.Event()
EVERYTHING = (
    Script()
    .send(b"a'\"\x00\n")
    .send(b"abc", pieces=2, every=0.25, timeout=3)
    .send(b"abc", pieces=[1, 2])
    .send(b"ab", every=1)
    .urgent(b"!")
    .expect(b"")
    .expect(b"OK\r\n")
    .expect(b"OK", timeout=0.5)
    .expect(re.compile(rb"a+\d'\""))
    .expect(re.compile(rb"a. # b", re.DOTALL | re.IGNORECASE | re.VERBOSE | re.ASCII))
    .expect(re.compile(rb"(?i)a"), until=b"\r\n")
    .expect(is_even)
    .expect(is_even, length=4, timeout=1)
    .expect(until=b"\n", timeout=2.5)
    .expect(7)
    .expect(length=8)
    .expect(LengthPrefix(2, "little"))
    .expect_silence(0.5)
    .pause(0)
    .pause(1.5)
    .stall()
    .stall(buffer=4096)
    .resume()
    .read_rate(100)
    .read_rate(None)
    .start_tls()
    .start_tls(server_hostname="example.org", timeout=1)
    .stop_tls()
    .stop_tls(timeout=2)
    .loop(Script().expect(1))
    .loop(Script().expect(until=b"\n").send(b"x" * 200), times=3)
    .one_of(Script().expect(b"a").send(b"b"), Script().expect_eof(discard=True))
    .one_of(Script().expect_reset(discard=True), timeout=4)
    .half_close()
    .expect_eof()
    .expect_eof(discard=True, timeout=1)
    .expect_reset(timeout=1)
    .expect_end(discard=True, timeout=1)
    .reset()
    .reset(flush=True, timeout=2)
    .close()
)
NAMES = {each: getattr(kinds, each) for each in kinds.__all__} | {"Script": Script, "re": re, "is_even": is_even}
NAMES["LengthPrefix"] = LengthPrefix


def test_a_script_is_the_code_that_makes_it() -> None:
    assert eval(repr(EVERYTHING), NAMES) == EVERYTHING


@pytest.mark.parametrize("step", EVERYTHING.steps, ids=repr)
def test_a_step_is_the_code_that_makes_it(step: kinds.Step) -> None:
    assert eval(repr(step), NAMES) == step
    if not re.search(r"Script\(\) of|\d scripts", step.text):
        assert eval(f"Script().{step.text}", NAMES) == Script(step)


def test_a_script_of_one_line_is_written_in_one() -> None:
    assert repr(Script().send(b"PING\r\n").expect(b"PONG\r\n")) == r"Script().send(b'PING\r\n').expect(b'PONG\r\n')"
    assert repr(Script()) == "Script()"


def test_a_longer_one_has_a_line_for_each_step_and_for_each_line_of_long_bytes() -> None:
    request = (
        b"POST /upload HTTP/1.1\r\nHost: example.org\r\nUser-Agent: windsock\r\nContent-Length: 90\r\n\r\n" + b"x" * 90
    )
    script = Script().send(request, pieces=3).one_of(Script().expect(b"A"), ANSWERS)

    assert repr(script) == EXPECTED_CODE
    assert eval(EXPECTED_CODE, NAMES) == script


ANSWERS = (
    Script().expect(b"B").loop(Script().expect(until=b"\r\n").send(b"250 OK\r\n"), times=20).send(b"bye").expect_eof()
)
EXPECTED_CODE = r"""(
    Script()
    .send(
        b'POST /upload HTTP/1.1\r\n'
        b'Host: example.org\r\n'
        b'User-Agent: windsock\r\n'
        b'Content-Length: 90\r\n'
        b'\r\n'
        b'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'
        b'x',
        pieces=3,
    )
    .one_of(Script().expect(b'A'), (
        Script()
        .expect(b'B')
        .loop(Script().expect(until=b'\r\n').send(b'250 OK\r\n'), times=20)
        .send(b'bye')
        .expect_eof()
    ))
)"""


def test_the_text_of_a_step_is_one_line_of_bounded_length() -> None:
    assert kinds.Send(b"x" * 1000).text == f"send({b'x' * 64!r}... (936 more))"
    assert kinds.Loop(EVERYTHING, times=2).text == "loop(Script() of 41 steps, times=2)"
    assert kinds.OneOf((Script().expect(1), EVERYTHING + LOOP)[:1]).text == "one_of(Script().expect(1))"


def test_functions_are_written_by_their_names() -> None:
    def is_odd(data: bytes) -> bool:
        return len(data) % 2 == 1

    script = Script().expect(is_odd).expect(bytes.isdigit, length=2).expect(lambda data: True)

    assert repr(script) == "Script().expect(is_odd).expect(bytes.isdigit, length=2).expect(<lambda>)"


# --- equality, and use


def test_scripts_that_say_the_same_are_equal() -> None:
    assert Script().send(b"a").expect(b"b") == Script(kinds.Send(b"a"), kinds.Expect(b"b"))
    assert Script().send(b"a") != Script().send(b"b")
    assert Script().send(b"a") != Script().urgent(b"a")
    assert Script().expect_eof() != Script().expect_eof(discard=True)
    assert Script().loop(LOOP, times=2) != Script().loop(LOOP, times=3)
    assert Script().wait_for(EVENT) == Script().wait_for(EVENT)
    assert Script().wait_for(EVENT) != Script().wait_for(threading.Event())


def test_equal_scripts_are_one_key() -> None:
    one = EVERYTHING.wait_for(EVENT)
    other = Script(*EVERYTHING.steps).wait_for(EVENT)

    assert hash(one) == hash(other)
    assert {one: 1}[other] == 1


def test_a_script_stays_as_it_was_when_another_is_made_of_it() -> None:
    first = Script().send(b"a")

    longer = first.expect(b"b")

    assert first == Script().send(b"a")
    assert longer == Script().send(b"a").expect(b"b")
    assert first + Script().expect(b"b") == longer
    assert (len(first), len(longer)) == (1, 2)
    assert list(longer) == [kinds.Send(b"a"), kinds.Expect(b"b")]


def test_nothing_but_a_script_can_be_added() -> None:
    with pytest.raises(TypeError):
        Script() + b"x"


def test_a_script_cant_be_changed() -> None:
    with pytest.raises(AttributeError):
        Script().send(b"a").steps = ()  # type: ignore[misc]  # that is the mistake


def test_a_script_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(EVERYTHING)) == EVERYTHING


@given(st.binary(max_size=300), st.integers(10, 40))
def test_long_bytes_are_wrapped_into_literals_that_make_them(data: bytes, columns: int) -> None:
    lines = list(wrapped(data, columns))

    assert b"".join(map(eval, lines)) == data
    assert all(len(line) <= columns for line in lines)
    assert all(b"\n" not in eval(line)[:-1] for line in lines)


def test_a_script_of_megabytes_is_written_in_lines_that_are_full() -> None:
    lines = list(wrapped(b"\xff" * 10_000 + b"x" * 10_000, 92))

    assert lines[0] == repr(b"\xff" * 22)
    assert lines[-2] == repr(b"x" * 89)
    assert len(lines) < 10_000 / 22 + 10_000 / 89 + 3
