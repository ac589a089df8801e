"""PostgreSQL: what bytes mean, how values are encoded, and that other bytes are errors of decoding."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windsock import UsageError
from windsock.protocols import DecodeError, FramingError, postgresql
from windsock.protocols.postgresql import PROTOCOL

often = settings(max_examples=int(os.environ.get("WINDSOCK_EXAMPLES", "100")), database=None, deadline=None)
pytestmark = pytest.mark.timeout(1800)  # for as many as are asked for

SERIES = postgresql.ExtendedQuery(
    (
        postgresql.Parse("", "SELECT $1", (23,)),
        postgresql.Bind("", "", (1,), (b"\0\0\0\7",), (0,)),
        postgresql.Describe("P"),
        postgresql.Execute(),
        postgresql.Sync(),
    )
)
REQUESTS: list[tuple[bytes, Any]] = [
    (b"\0\0\0\x08\x04\xd2\x16\x2f", postgresql.SSLRequest()),
    (b"\0\0\0\x08\x04\xd2\x16\x30", postgresql.GSSENCRequest()),
    (b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x01\0\0\0\x02", postgresql.CancelRequest(1, b"\0\0\0\2")),
    (b"\0\0\0\x11\0\3\0\0user\0me\0\0", postgresql.StartupMessage((("user", "me"),))),
    (b"p\0\0\0\x06x\0", postgresql.AuthenticationData(b"x\0")),
    (b"Q\0\0\0\x0dSELECT 1\0", postgresql.SimpleQuery("SELECT 1")),
    (
        b"P\0\0\0\x15\0SELECT $1\0\0\1\0\0\0\x17B\0\0\0\x18\0\0\0\1\0\1\0\1\0\0\0\4\0\0\0\7\0\1\0\0"
        b"D\0\0\0\x06P\0E\0\0\0\x09\0\0\0\0\0S\0\0\0\4",
        SERIES,
    ),
    (b"H\0\0\0\4", postgresql.ExtendedQuery((postgresql.Flush(),))),
    (b"C\0\0\0\x07Sa\0S\0\0\0\4", postgresql.ExtendedQuery((postgresql.CloseStatement("S", "a"), postgresql.Sync()))),
    (b"d\0\0\0\x06hi", postgresql.CopyData(b"hi")),
    (b"c\0\0\0\4", postgresql.CopyDone()),
    (b"f\0\0\0\x07no\0", postgresql.CopyFail("no")),
    (b"F\0\0\0\x05x", postgresql.OtherMessage("F", b"x")),
    (b"X\0\0\0\4", postgresql.Terminate()),
]
REPLIES: list[tuple[bytes, Any]] = [
    (b"R\0\0\0\x08\0\0\0\0", postgresql.Authentication(0)),
    (b"S\0\0\0\x08a\0b\0", postgresql.ParameterStatus("a", "b")),
    (b"K\0\0\0\x0c\0\0\0\1\0\0\0\2", postgresql.BackendKeyData(1, b"\0\0\0\2")),
    (b"Z\0\0\0\5I", postgresql.ReadyForQuery()),
    (b"T\0\0\0\x1b\0\1id\0\0\0\0\0\0\0\0\0\0\x17\xff\xff\xff\xff\xff\xff\0\0",
     postgresql.RowDescription((postgresql.Column("id", type=23),))),
    (b"D\0\0\0\x0f\0\2\0\0\0\1x\xff\xff\xff\xff", postgresql.DataRow((b"x", None))),
    (b"C\0\0\0\x0dSELECT 1\0", postgresql.CommandComplete("SELECT 1")),
    (b"E\0\0\0\x13SERROR\0C42P01\0\0", postgresql.ErrorResponse((("S", "ERROR"), ("C", "42P01")))),
    (b"N\0\0\0\x0dSNOTICE\0\0", postgresql.NoticeResponse((("S", "NOTICE"),))),
    (b"A\0\0\0\x0c\0\0\0\1c\0p\0", postgresql.NotificationResponse(1, "c", "p")),
    (b"t\0\0\0\x0a\0\1\0\0\0\x17", postgresql.ParameterDescription((23,))),
    (b"G\0\0\0\x09\0\0\1\0\0", postgresql.CopyInResponse(0, (0,))),
    (b"1\0\0\0\4", postgresql.ParseComplete()),
    (b"s\0\0\0\4", postgresql.PortalSuspended()),
    (b"V\0\0\0\x08\xff\xff\xff\xff", postgresql.OtherMessage("V", b"\xff\xff\xff\xff")),
]  # fmt: skip
CODE = {"postgresql": postgresql, "re": re}


@pytest.mark.parametrize(("data", "message"), REQUESTS)
def test_a_message_of_a_client_is_decoded_encoded_and_written_as_code(data: bytes, message: Any) -> None:
    assert PROTOCOL.decode(data) == message
    assert bytes(message) == data
    assert eval(repr(message), CODE) == message
    assert PROTOCOL.size(data) == PROTOCOL.size(data + b"Q\0\0\0\x05\0") == len(data)
    assert PROTOCOL.describe(message)


@pytest.mark.parametrize(("data", "message"), REPLIES)
def test_a_message_of_a_server_is_decoded_encoded_and_written_as_code(data: bytes, message: Any) -> None:
    assert PROTOCOL.decode_reply(data) == message
    assert bytes(message) == data
    assert eval(repr(message), CODE) == message
    assert PROTOCOL.reply_size(data) == PROTOCOL.reply_size(data + b"Z\0\0\0\5I") == len(data)
    assert PROTOCOL.describe(message)


@pytest.mark.parametrize("data", [each[0] for each in REQUESTS])
def test_a_message_that_is_not_whole_has_no_size_or_one_that_has_not_come(data: bytes) -> None:
    for end in range(1, len(data)):
        size = PROTOCOL.size(data[:end])
        assert size is None or end < size <= len(data)


def test_a_series_ends_before_a_message_that_is_not_of_it() -> None:
    parse = bytes(postgresql.Parse("", "SELECT 1"))
    assert PROTOCOL.size(parse) is None
    assert PROTOCOL.size(parse + b"Q") == len(parse)
    assert PROTOCOL.decode(parse) == postgresql.ExtendedQuery((postgresql.Parse("", "SELECT 1"),))


def test_the_reply_to_a_request_for_encryption_is_one_byte() -> None:
    of_connection = PROTOCOL.begin()
    of_connection.passed(bytes(postgresql.SSLRequest()), is_reply=False)
    assert of_connection.reply_size(b"S") == 1
    assert PROTOCOL.decode_reply(b"S") == postgresql.EncryptionReply("S")
    of_connection.passed(b"N", is_reply=True)
    of_connection.passed(bytes(postgresql.StartupMessage((("user", "me"),))), is_reply=False)
    assert of_connection.reply_size(b"S") is None
    assert of_connection.reply_size(b"S\0\0\0\x08a\0b\0") == 9


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x07\0\0\0\4", "is no type of a message"),
        (b"\xff\0\0\0\4", "is no type of a message"),
        (b"Q\0\0\0\1", "1 is no length of a message"),
        (b"Q\xff\0\0\0", "is no length of a message"),
        (b"\0\0\0\0", "0 is no length of a message"),
        (b"GET / HTTP/1.1\r\n", "is no length of a message"),
    ],
)
def test_bytes_that_begin_no_message_are_named(data: bytes, reason: str) -> None:
    with pytest.raises(FramingError, match=reason):
        PROTOCOL.size_of(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"Q\0\0\0\x05x", "text without a zero byte behind it"),
        (b"Q\0\0\0\x07x\0y", "1 bytes behind the message"),
        (b"Q\0\0\0\x09x\0", "a message of 7 bytes with another length"),
        (b"S\0\0\0\x05x", "1 bytes behind the message"),
        (b"\0\0\0\x08\0\3\0\0", "text without a zero byte|bytes at"),
        (b"\0\0\0\x04", "a message of 4 bytes with another length"),
        (b"P\0\0\0\x07\0\0\0S\0\0\0\4", "2 bytes at"),
    ],
)
def test_a_malformed_message_is_named(data: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        PROTOCOL.decoded(data)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: postgresql.rows(["a"], [(1, 2)]), "has 2 values, expected 1"),
        (lambda: postgresql.rows(["a"], [(object(),)]), "has no type of PostgreSQL"),
        (lambda: postgresql.rows([], []), "at least one column"),
        (lambda: postgresql.rows([1], [(1,)]), "1 is no column"),  # type: ignore[list-item]
        (lambda: postgresql.command(b"INSERT 0 1"), "expected str"),  # type: ignore[arg-type]
        (lambda: postgresql.error("42", "no"), "expected a SQLSTATE"),
        (lambda: postgresql.error("42P01", "no", tip="x"), "expected detail, hint"),
        (lambda: postgresql.query(b"SELECT 1"), "expected str, or a regular expression of str"),  # type: ignore[arg-type]
        (lambda: postgresql.query(re.compile(rb"x")), "expected str"),  # type: ignore[arg-type]
        (lambda: postgresql.reply("DataRow"), "expected a message of a server, or its class"),  # type: ignore[arg-type]
        (lambda: bytes(postgresql.SimpleQuery("a\0b")), "is no text of a message"),
    ],
)
def test_a_value_that_cannot_be_sent_is_refused(make: Any, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        make()


def test_patterns_match_queries_of_both_protocols_and_replies() -> None:
    assert postgresql.query("SELECT $1")(bytes(SERIES))
    assert postgresql.query(" SELECT  $1;")(bytes(SERIES))
    assert postgresql.query(re.compile("^select", re.IGNORECASE))(bytes(postgresql.SimpleQuery("SELECT 1")))
    assert not postgresql.query()(bytes(postgresql.Terminate()))
    assert not postgresql.query("SELECT 2")(bytes(SERIES))
    assert postgresql.reply(postgresql.DataRow)(bytes(postgresql.DataRow((b"x",))))
    assert not postgresql.reply(postgresql.DataRow((b"y",)))(bytes(postgresql.DataRow((b"x",))))
    patterns = (postgresql.query(re.compile("x")), postgresql.reply(postgresql.DataRow), postgresql.reply())
    assert all(eval(repr(each), CODE) == each for each in patterns)


def test_answers_are_written_as_code() -> None:
    answers = (
        postgresql.rows(["id", "name"], [(1, "x"), (2, None)]),
        postgresql.command("INSERT 0 1"),
        postgresql.error("42P01", "no", hint="try"),
    )
    assert all(eval(repr(each), CODE) == each for each in answers)


# --- fuzz

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9)
numbers = st.integers(-(2**31), 2**31 - 1)
shorts = st.integers(-(2**15), 2**15 - 1)
columns = st.builds(postgresql.Column, texts, numbers, numbers, shorts, shorts, numbers, st.integers(0, 1))
PARTS: dict[str, st.SearchStrategy[Any]] = {
    "text": texts,
    "rest": st.binary(max_size=9),
    "letter": st.sampled_from(["S", "P", "I", "T", "\xff"]),
    "byte": st.integers(-128, 127),
    "number": numbers,
    "numbers": st.lists(numbers, max_size=3).map(tuple),
    "formats": st.lists(shorts, max_size=3).map(tuple),
    "values": st.lists(st.none() | st.binary(max_size=9), max_size=3).map(tuple),
    "columns": st.lists(columns, max_size=3).map(tuple),
    "pairs": st.lists(st.tuples(texts.filter(bool), texts), max_size=3).map(tuple),
    "fields": st.lists(st.tuples(st.sampled_from("SVCMDH"), texts), max_size=3).map(tuple),
}


def made_of(messages: list[tuple[bytes, Any]]) -> st.SearchStrategy[Any]:
    kinds = {type(each) for _, each in messages} - {postgresql.ExtendedQuery, postgresql.OtherMessage}
    kinds -= {postgresql.StartupMessage}  # its version has few values
    return st.one_of(*(st.builds(each, *(PARTS[part] for part in each.parts)) for each in sorted(kinds, key=str)))


SERIES_OF = st.lists(made_of([(b"", each) for each in SERIES.messages[:-1]]), max_size=4)


@often
@given(made_of(REQUESTS) | SERIES_OF.map(lambda found: postgresql.ExtendedQuery((*found, postgresql.Sync()))))
def test_any_message_of_a_client_is_decoded_again(message: Any) -> None:
    assert PROTOCOL.decode(bytes(message)) == message
    assert PROTOCOL.size(bytes(message)) == len(bytes(message))
    assert eval(repr(message), CODE) == message


@often
@given(made_of(REPLIES))
def test_any_message_of_a_server_is_decoded_again(message: Any) -> None:
    assert PROTOCOL.decode_reply(bytes(message)) == message
    assert PROTOCOL.reply_size(bytes(message)) == len(bytes(message))
    assert eval(repr(message), CODE) == message


@often
@given(st.sampled_from([*REQUESTS, *REPLIES]), st.data())
def test_a_mutated_message_is_a_message_or_an_error_of_decoding(whole: tuple[bytes, Any], draw: st.DataObject) -> None:
    data = bytearray(whole[0])
    for _ in range(draw.draw(st.integers(1, 3))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.sampled_from([0, 1, 4, 5, 80, 83, 255]))
    for decode, size in ((PROTOCOL.decode, PROTOCOL.size), (PROTOCOL.decode_reply, PROTOCOL.reply_size)):
        try:
            size(bytes(data))
            assert bytes(decode(bytes(data))) == data
        except DecodeError as error:
            assert error.reason  # noqa: PT017  # either is right


@often
@given(st.binary(min_size=1, max_size=60))
def test_any_bytes_are_messages_or_an_error_of_decoding(data: bytes) -> None:
    for decode, size in ((PROTOCOL.decode, PROTOCOL.size), (PROTOCOL.decode_reply, PROTOCOL.reply_size)):
        try:
            found = size(data)
            assert found is None or found >= 1
            assert bytes(decode(data)) == data
        except DecodeError as error:
            assert error.reason  # noqa: PT017  # either is right
