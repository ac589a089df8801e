"""Functions of what was taken before: what they are given, and what they may return."""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.scripts.conversations import sent_by
from windsock import Conversation, Repeat, Script, Template, UsageError

TEXT: Any = "text"
SCRIPT: Any = Script().send(b"x")
HELLO = re.compile(rb"HELLO (?P<name>\w+)")
LINES = Script().expect(HELLO, until=b"\n").expect(re.compile(rb"(\d+)"), until=b"\n")


def of_the_message(message: bytes) -> bytes:
    return message.upper()


def of_the_match(match: re.Match[bytes]) -> bytes:
    return match[1]


def of_the_conversation(conversation: Conversation) -> bytes:
    return conversation.groups["name"]


def of_everything(conversation: Conversation, *, match: re.Match[bytes], message: bytes) -> bytes:
    return conversation.groups["name"] + match[1] + message


@pytest.mark.parametrize(
    ("function", "sent"),
    [
        (of_the_message, b"42\n"),
        (of_the_match, b"42"),
        (of_the_conversation, b"ann"),
        (of_everything, b"ann4242\n"),
        (lambda data, times=2: data * times, b"42\n42\n"),
        (functools.partial(bytes.replace, b"a-b", b"-"), b"a42\nb"),
        (bytes.upper, b"42\n"),
        (lambda *args: b"%d" % len(args), b"1"),
        (lambda message: None, b""),
        (lambda message: [b"a", message], b"a42\n"),
        (lambda message: iter([b"a", b"b"]), b"ab"),
        (lambda message: io.BytesIO(message), b"42\n"),
        (lambda message: Repeat(b"ab", 3), b"ababab"),
        (lambda message: Template(b"%(name)s!"), b"ann!"),
    ],
)
def test_a_function_gets_what_its_parameters_name(function: Callable[..., Any], sent: bytes) -> None:
    assert sent_by(LINES.send(function), b"HELLO ann\n42\n") == sent


def test_the_match_is_that_of_the_latest_expression() -> None:
    script = Script().expect(HELLO, until=b"\n").expect(b"+\n").send(lambda match, message: match["name"] + message)

    assert sent_by(script, b"HELLO ann\n+\n") == b"ann+\n"


def test_the_latest_value_of_a_group_counts() -> None:
    script = Script().loop(Script().expect(HELLO, until=b"\n").send(Template(b"<%(name)s>")), times=2)

    assert sent_by(script, b"HELLO ann\nHELLO bob\n") == b"<ann><bob>"


def test_a_group_that_took_no_part_keeps_its_value() -> None:
    either = re.compile(rb"a(?P<one>\d)|b(?P<two>\d)")
    script = Script().expect(either, length=2).expect(either, length=2).send(Template(b"%(one)s%(two)s"))

    assert sent_by(script, b"a1b2") == b"12"


def test_pieces_cut_what_a_function_returns() -> None:
    script = Script().expect(b"x").send(lambda message: b"abcd", pieces=2)

    assert sent_by(script, b"x", joined=False) == [b"ab", b"cd"]


def test_a_length_may_be_a_function() -> None:
    size = re.compile(rb"(?P<size>\d+)")
    script = Script().expect(size, until=b"\n").expect(length=lambda match: int(match["size"])).send(bytes.upper)

    assert sent_by(script, b"3\nabc") == b"ABC"
    assert sent_by(script + Script().expect(b"."), b"0\n.") == b""


def test_a_function_is_called_once_for_each_time_that_it_sends() -> None:
    calls: list[bytes] = []
    once = Script().expect(1).send(lambda message: calls.append(message))

    sent_by(Script().loop(once, times=2), b"ab")

    assert calls == [b"a", b"b"]


def test_a_function_that_raises_is_named_at_its_step() -> None:
    def broken(message: bytes) -> bytes:
        raise KeyError(message)

    with pytest.raises(KeyError) as caught:
        sent_by(Script().expect(b"x").send(broken), b"x")

    assert caught.value.__notes__ == ["raised by the function of step 2, send(broken)"]


def test_a_generator_that_raises_is_named_at_its_step() -> None:
    def broken() -> Iterator[bytes]:
        yield b"a"
        raise KeyError("b")

    with pytest.raises(KeyError) as caught:
        sent_by(Script().send(lambda message: broken()), b"")

    where = "step 1, send(<lambda>)"
    assert caught.value.__notes__ == [f"raised by the generator of {where}", f"raised while {where} was sent"]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (
            Script().send(lambda message: TEXT),
            "step 1, send(<lambda>): the function returned 'text'; expected bytes, several of them, a file, or None",
        ),
        (
            Script().send(lambda message: SCRIPT),
            "step 1, send(<lambda>): the function returned Script().send(b'x'); "
            "expected bytes, several of them, a file, or None",
        ),
        (
            Script().send(lambda message: [b"a", TEXT]),
            "step 1, send(<lambda>): item 2 of [b'a', 'text'] is 'text'; expected bytes; encode text first",
        ),
        (
            Script().send(lambda message: [b"a"], pieces=2),
            "step 1, send(<lambda>, pieces=2): the function returned [b'a']; pieces= and every= are for bytes",
        ),
        (
            Script().send(Template(b"%(name)s")),
            "step 1, send(Template(b'%(name)s')): no group 'name' has matched on this connection; known: none",
        ),
        (
            Script().expect(length=lambda message: TEXT),
            "step 1, expect(length=<lambda>): the function returned 'text'; expected a number of bytes, 0 or more",
        ),
        (
            Script().expect(length=lambda message: -1),
            "step 1, expect(length=<lambda>): the function returned -1; expected a number of bytes, 0 or more",
        ),
    ],
)
def test_what_a_function_may_not_return(script: Script, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        sent_by(script, b"x")

    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Script().send(TEXT), "send('text'): expected bytes; encode text first"),
        (
            lambda: Script().send(lambda: b""),
            "send(<lambda>): it takes no arguments; "
            "expected a function of the message, or one with parameters named message, value, match or conversation",
        ),
        (
            lambda: Script().send(lambda one, two: b""),
            "send(<lambda>): it takes (one, two); "
            "expected a function of the message, or one with parameters named message, value, match or conversation",
        ),
        (
            lambda: Script().send(lambda match, data: b""),
            "send(<lambda>): its parameter 'data' would get nothing; "
            "expected a function of the message, or one with parameters named message, value, match or conversation",
        ),
        (lambda: Template(TEXT), "Template('text'): expected bytes, as in Template(b'+OK %(id)s\\r\\n')"),
        (
            lambda: Template(b"100%"),
            "Template(b'100%'): incomplete format; expected %(name)s for a group, and %% for a percent sign",
        ),
    ],
)
def test_what_can_never_be_sent_is_refused_at_once(make: Callable[[], object], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        make()

    assert str(caught.value) == words
