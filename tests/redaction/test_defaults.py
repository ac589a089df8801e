"""The usual secrets, as they pass and as text shows them."""

from __future__ import annotations

import pytest

from tests.redaction.forms import FORMS, SECRET
from windsock import redaction
from windsock.fakes.errors import FramingMissing
from windsock.redaction import MaskedStream

on_every_form = pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))


@on_every_form
def test_a_secret_is_masked_and_what_is_around_it_is_not(form: bytes) -> None:
    message = form % SECRET

    masked = redaction.masked(message)

    assert SECRET not in masked
    assert len(masked) == len(message)
    assert masked.split(b"\r\n")[-2:] == message.split(b"\r\n")[-2:] or b"next" in masked or b"dbname=z" in masked


@on_every_form
def test_a_secret_is_masked_wherever_the_stream_is_cut(form: bytes) -> None:
    message = b"first\r\n" + form % SECRET
    whole = redaction.masked(message)

    for cut in range(len(message) + 1):
        stream = MaskedStream(iter([message[:cut], message[cut:]]))
        assert stream.take(cut) + stream.take(len(message) - cut) == whole
    bytewise = MaskedStream(message[at : at + 1] for at in range(len(message)))
    assert b"".join(bytewise.take(1) for _ in message) == whole


@on_every_form
def test_text_that_shows_a_secret_as_a_literal_has_it_masked_and_the_rest_is_kept(form: bytes) -> None:
    literal = repr(form % SECRET)

    shown = redaction.text(f"received {literal}, which no rule answers")

    assert SECRET.decode() not in shown
    assert shown.startswith(f"received {literal[:2]}")
    assert shown.endswith(f"{literal[-1]}, which no rule answers")


@on_every_form
def test_what_is_masked_already_stays_as_it_is(form: bytes) -> None:
    masked = redaction.masked(form % SECRET)

    assert redaction.masked(masked) == masked


@pytest.mark.parametrize(
    "message",
    [
        b"250-smtp.example\r\n250-AUTH PLAIN LOGIN\r\n250 OK\r\n",
        b"SMTP AUTH extension not supported by server\r\n",
        b"530 Login incorrect.\r\n",
        b"230 Login successful, current directory is /pub\r\n",
        b"the author has passed all authorities\r\n",
        b"a pass: PASSED 3 tests\r\n",
        b"tokens = 7, keys = 3\r\n",
        b'{"password": null, "token": "", "secret": None}\r\n',
        b"user=x&password=&token=true&next=/\r\n",
        b"Authorization: \r\nCookie:\r\nSet-Cookie: null\r\nHost: x\r\n",
        bytes(range(256)),
    ],
)
def test_what_only_looks_like_a_secret_is_shown(message: bytes) -> None:
    assert redaction.masked(message) == message


def test_the_number_of_bytes_is_shown_where_there_is_room() -> None:
    shown = [redaction.masked(b"PASS " + b"x" * size) for size in (3, 10, 14, 24)]

    assert shown == [b"PASS ***", b"PASS [redacted]", b"PASS [redacted]****", b"PASS [redacted 24 B]*********"]


@pytest.mark.parametrize(
    "sentence",
    [
        "received b'x', which is not b'password=', and so on",
        'received b"x", which is not b"it\'s password=", see "x"',
        "assert b'Authorization: ' in b'GET', or so",
        'assert b"AUTH PLAIN " in data, or so',
        "assert 'token=' in body",
        "User(name='x', password=None, token='', next=1)",
        "{'Cookie': None, 'next': 1}",
    ],
)
def test_a_key_at_the_end_of_a_literal_hides_nothing_of_the_sentence(sentence: str) -> None:
    assert redaction.text(sentence) == sentence


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("assert [b'AUTH secre...b'GET d', ...] == []", "assert [b'AUTH *****...b'GET d', ...] == []"),
        ("assert [b'AUTH secre...'GET d', ...] == []", "assert [b'AUTH *****...'GET d', ...] == []"),
        ('assert ["AUTH secre..."it\'s d", 3] == []', 'assert ["AUTH *****..."it\'s d", 3] == []'),
        ("assert ['AUTH secre...\"d\", 'x'] == ['y']", "assert ['AUTH *****...\"d\", 'x'] == ['y']"),
        ("assert 'AUTH secre...hunt7' == ''", "assert 'AUTH *****...*****' == ''"),
        ("assert \"AUTH secre...n't7\" == ''", "assert \"AUTH *****...****\" == ''"),
        ("assert {'password': 'secre...'b': 1} == {}", "assert {'password': '*****...'b': 1} == {}"),
        ("assert <Login password=secre...hunt7> is None", "assert <Login password=*****...*****> is None"),
        ("AUTH secre...", "AUTH *****..."),
    ],
)
def test_what_pytest_leaves_out_of_a_long_text_is_not_masked_with_what_follows(sentence: str, shown: str) -> None:
    assert redaction.text(sentence) == shown


@pytest.mark.parametrize("sign", ["-", "+"])
def test_a_login_in_a_line_of_a_diff_is_masked(sign: str) -> None:
    assert redaction.text(f"          {sign} PASS hunt7") == f"          {sign} PASS *****"


def test_an_error_of_ours_is_not_taken_for_a_login() -> None:
    message = str(FramingMissing("on(b'PING')"))

    assert redaction.text(f"E   {message}") == f"E   {message}"


@pytest.mark.parametrize("name", ["Failed", "app.errors.LoginFailed", "       ValueError", "  | ValueError"])
def test_a_login_that_an_exception_begins_with_is_masked(name: str) -> None:
    assert redaction.text(f"{name}: PASS {SECRET.decode()}") == f"{name}: PASS *********"
