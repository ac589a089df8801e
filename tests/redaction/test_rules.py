"""`redact=`: bytes, regular expressions and functions; what cannot work; functions that fail later."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import windsock
from windsock import UsageError, redaction
from windsock.redaction import MaskedStream


class Owner:
    """What rules are given to."""

    is_stopped = False


@pytest.fixture
def give() -> Iterator[Callable[[Any], None]]:
    """Have rules apply for the length of a test."""
    owners = []

    def give(value: Any) -> None:
        owners.append(Owner())
        redaction.keep(owners[-1], redaction.rules_from(value))

    yield give
    owners.clear()


def without_digits(data: bytes) -> bytes:
    return re.sub(rb"\d", b"#", data)


def shorter(data: bytes) -> bytes:
    return data.replace(b"alpha", b"?")


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        (b"alpha", b"id ***** 42, key beta"),
        ([b"alpha", b"beta"], b"id ***** 42, key ****"),
        (re.compile(rb"\w+a\b"), b"id ***** 42, key ****"),
        (re.compile(rb"key (\w+)|id (\w)"), b"id *lpha 42, key ****"),
        (re.compile(rb"^"), b"id alpha 42, key beta"),
        (without_digits, b"id alpha **, key beta"),
        (shorter, b"id ***** 42, key beta"),
        (lambda data: data[:5], b"id al[redacted 16 B]*"),
    ],
)
def test_what_is_given_is_masked(give: Callable[[Any], None], value: Any, masked: bytes) -> None:
    give(value)

    assert redaction.masked(b"id alpha 42, key beta") == masked


def test_rules_of_several_servers_overlap_and_end_with_them(give: Callable[[Any], None]) -> None:
    give(b"alpha")
    give(b"phabet")
    assert redaction.masked(b"alphabet") == b"*" * 8

    other = Owner()
    redaction.keep(other, redaction.rules_from(b"gamma"))
    redaction.forget()
    assert redaction.masked(b"gamma") == b"*****"
    other.is_stopped = True
    assert redaction.masked(b"gamma") == b"*****"
    redaction.forget()
    assert redaction.masked(b"gamma, alpha") == b"gamma, *****"


def test_bytes_that_text_shows_as_escapes_are_found(give: Callable[[Any], None]) -> None:
    give(b"\xff\x00key")

    assert redaction.text(r"got b'\xff\x00key'") == "got b'[redacted]*'"


def raising(_: bytes) -> bytes:
    raise KeyError("hunt7")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("alpha", "redact=<str>: expected bytes, regular expressions of bytes (re.compile(rb'...')), and functions"),
        (7, "redact=<int>: expected bytes, regular expressions of bytes"),
        ([b"x", None], "redact=<NoneType>: expected bytes, regular expressions"),
        (b"", "redact=b'': expected bytes, regular"),
        (re.compile("x"), "redact=<Pattern>: expected bytes, regular expressions of bytes"),
        (raising, "redact=raising: raising(b'') raised KeyError; expected a function that takes any bytes and returns"),
        (repr, "redact=repr: repr(b'') returned str; expected a function that takes any bytes"),
        (lambda: b"", "redact=<lambda>: <lambda>(b'') raised TypeError; expected a function"),
    ],
)
@pytest.mark.parametrize("how", [windsock.serving, lambda **options: windsock.proxy(("127.0.0.1", 9), **options)])
def test_what_cannot_work_is_refused_where_it_is_given(how: Any, value: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        how(redact=value)

    assert str(caught.value).startswith(message)


def late(data: bytes) -> bytes:
    if data:
        raise KeyError("hunt7")
    return data


def wordy(data: bytes) -> Any:
    return data.decode() if data else data


@pytest.mark.parametrize(("function", "what"), [(late, "raised KeyError"), (wordy, "returned str")])
def test_what_a_function_fails_on_later_is_withheld_as_a_whole(
    give: Callable[[Any], None], function: Callable[[bytes], Any], what: str
) -> None:
    give(function)
    words = f"withheld: redact={function.__name__} {what}"

    message = b"a message that holds hunt7 somewhere, and is long enough"
    assert redaction.masked(message) == f"[{words}]".encode().ljust(len(message), b"*")
    assert redaction.masked(b"hunt7") == b"*****"
    assert redaction.text("hunt7 is secret") == f"({words})"
    assert MaskedStream(iter([message, b"hunt7"])).take(7) == b"[withhe"


def test_a_server_whose_function_fails_is_shown_without_its_traffic() -> None:
    message = b"hunt7 and more, as long as the sentence that stands for it\n"

    with windsock.serving(framing="lines", redact=late, allow_unused=True) as server:
        server.echo()
        with server.connect() as client:
            client.send(message).expect(message)
        transcript = "\n".join(server.transcript())

    assert server.requests[0].data == message
    assert "hunt7" not in transcript
    assert transcript.count("[withheld: redact=late raised KeyError]") == 2
