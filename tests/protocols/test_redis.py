"""RESP2 and RESP3: what bytes mean, how values are encoded, and that other bytes are errors of decoding."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.cutting import cut_all
from windsock import UsageError
from windsock.protocols import DecodeError, FramingError, redis
from windsock.protocols.redis import PROTOCOL, Command, RedisReply

often = settings(max_examples=int(os.environ.get("WINDSOCK_EXAMPLES", "100")), database=None, deadline=None)
pytestmark = pytest.mark.timeout(1800)  # for as many as are asked for

REPLIES: list[tuple[bytes, RedisReply, Any]] = [
    (b"+OK\r\n", redis.ok(), "OK"),
    (b"+\r\n", redis.simple(""), ""),
    (b"-ERR unknown\r\n", redis.error("ERR unknown"), "ERR unknown"),
    (b":1000\r\n", redis.integer(1000), 1000),
    (b":-1\r\n", redis.integer(-1), -1),
    (b"$5\r\nhe\r\no\r\n", redis.bulk(b"he\r\no"), b"he\r\no"),
    (b"$0\r\n\r\n", redis.bulk(""), b""),
    (b"$-1\r\n", redis.nil(), None),
    (b"*-1\r\n", redis.nil_array(), None),
    (b"_\r\n", redis.null(), None),
    (b"*0\r\n", redis.array(), []),
    (b"*3\r\n$1\r\na\r\n:2\r\n*1\r\n$-1\r\n", redis.array("a", 2, [None]), [b"a", 2, [None]]),
    (b"#t\r\n", redis.boolean(True), True),
    (b"#f\r\n", redis.boolean(False), False),
    (b",1.5\r\n", redis.double(1.5), 1.5),
    (b",10\r\n", redis.double(10), 10.0),
    (b",-inf\r\n", redis.double(float("-inf")), float("-inf")),
    (b"(3492890328409238509324850943850943825024385\r\n", redis.big_number(3492890328409238509324850943850943825024385),
     3492890328409238509324850943850943825024385),
    (b"!9\r\nSYNTAX\r\nx\r\n", redis.bulk_error("SYNTAX\r\nx"), b"SYNTAX\r\nx"),
    (b"=8\r\ntxt:some\r\n", redis.verbatim("txt", "some"), b"some"),
    (b"%2\r\n$1\r\na\r\n:1\r\n+b\r\n*0\r\n", redis.map([("a", 1), (redis.simple("b"), [])]), {b"a": 1, "b": []}),
    (b"~2\r\n:1\r\n:2\r\n", redis.set(1, 2), [1, 2]),
    (b">2\r\n$7\r\nmessage\r\n$1\r\nx\r\n", redis.push("message", "x"), [b"message", b"x"]),
    (b"|1\r\n+ttl\r\n:3\r\n$1\r\nv\r\n", redis.attributes([(redis.simple("ttl"), 3)], "v"), b"v"),
]  # fmt: skip
COMMANDS: list[tuple[bytes, Command]] = [
    (b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", Command("GET", "k")),
    (b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\n\r\n\r\n", Command("SET", "k", b"\r\n")),
    (b"*0\r\n", Command()),
]
INLINE: list[tuple[bytes, Command]] = [
    (b"PING\r\n", Command("PING")),
    (b"\r\n\nset  k 'it\\'s' \n", Command("set", "k", "it's")),
    (b'SET k "a\\x00\\n\\"" ""\r\n', Command("SET", "k", b'a\0\n"', "")),
]
CODE = {"redis": redis, "float": float}


@pytest.mark.parametrize(("data", "reply", "plain"), REPLIES)
def test_a_reply_is_decoded_encoded_and_written_as_code(data: bytes, reply: RedisReply, plain: Any) -> None:
    assert PROTOCOL.decode_reply(data) == reply
    assert bytes(reply) == data
    assert reply.plain == plain
    assert eval(repr(reply), CODE) == reply
    assert PROTOCOL.reply_size(data) == PROTOCOL.reply_size(data + b"+OK\r\n") == len(data)
    assert str(reply).isprintable()


@pytest.mark.parametrize(("data", "command"), COMMANDS)
def test_a_command_is_decoded_encoded_and_written_as_code(data: bytes, command: Command) -> None:
    assert PROTOCOL.decode(data) == command
    assert bytes(command) == data
    assert eval(repr(command), CODE) == command
    assert PROTOCOL.size(data) == PROTOCOL.size(data + b"PING\r\n") == len(data)


@pytest.mark.parametrize(("data", "command"), INLINE)
def test_an_inline_command_is_a_command(data: bytes, command: Command) -> None:
    assert PROTOCOL.size(data + b"*1\r\n") == len(data)
    assert PROTOCOL.decode(data) == command


@pytest.mark.parametrize("data", [each[0] for each in REPLIES])
def test_a_reply_that_is_not_whole_has_no_size_or_one_that_has_not_come(data: bytes) -> None:
    for end in range(1, len(data)):
        size = PROTOCOL.reply_size(data[:end])
        assert size is None or end < size <= len(data)


@pytest.mark.parametrize("data", [each[0] for each in [*COMMANDS, *INLINE]])
def test_a_command_that_is_not_whole_has_no_size_or_one_that_has_not_come(data: bytes) -> None:
    for end in range(1, len(data)):
        size = PROTOCOL.size(data[:end])
        assert size is None or end < size <= len(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"*1\r\n:1\r\n", "expected '\\$', got b':'"),
        (b"*x\r\n", "b'x' is no length"),
        (b"*-1\r\n", "b'-1' is no length"),
        (b"*1\r\n$99999999999\r\n", "is no length"),
        (b"*" + b"1" * 70000, "a line of more than 65536 bytes"),
        (b"x" * 70000, "a line of more than 65536 bytes"),
    ],
)
def test_bytes_that_begin_no_command_are_named(data: bytes, reason: str) -> None:
    with pytest.raises(FramingError, match=reason):
        PROTOCOL.size_of(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"?1\r\n", r"b'\?' is no type of RESP"),
        (b"?", r"b'\?' is no type of RESP"),
        (b"$?\r\n", r"b'\?' is no length"),
        (b"%-1\r\n", "b'-1' is no length"),
    ],
)
def test_bytes_that_begin_no_reply_are_named(data: bytes, reason: str) -> None:
    with pytest.raises(FramingError, match=reason):
        PROTOCOL.size_of(data, is_reply=True)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b":1.5\r\n", "b'1.5' is no value of type ':'"),
        (b":1_0\r\n", "is no value"),
        (b"#x\r\n", "is no value"),
        (b",1e\r\n", "is no value"),
        (b"$1\r\nabc\r\n", "a string of 1 bytes without a line end behind it"),
        (b"=2\r\nab\r\n", "a verbatim string without its format"),
        (b"+OK\r\n+OK\r\n", "expected the end, and found 5 bytes more"),
        (b"*1\r\n" * 100 + b":1\r\n", "more than 64 levels within each other"),
    ],
)
def test_a_malformed_reply_is_named(data: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        PROTOCOL.decoded(data, is_reply=True)


@pytest.mark.parametrize("data", [b'SET "a\r\n', b"SET 'a'b\r\n", b"*1\r\n$-1\r\n", b"PING"])
def test_a_malformed_command_is_named(data: bytes) -> None:
    with pytest.raises(DecodeError):
        PROTOCOL.decoded(data)


@pytest.mark.parametrize(
    "make",
    [
        lambda: redis.simple("a\r\n"),
        lambda: redis.error(b"ERR"),  # type: ignore[arg-type]
        lambda: redis.integer(2**63),
        lambda: redis.integer(True),
        lambda: redis.bulk(7),  # type: ignore[arg-type]
        lambda: redis.double("1"),  # type: ignore[arg-type]
        lambda: redis.big_number(1.5),  # type: ignore[arg-type]
        lambda: redis.verbatim("text", ""),
        lambda: redis.map([1]),  # type: ignore[list-item]
        lambda: redis.array(object()),
        lambda: redis.command("GET", None),  # type: ignore[arg-type]
    ],
)
def test_a_value_that_redis_cannot_say_is_refused(make: Any) -> None:
    with pytest.raises(UsageError, match="redis"):
        make()


def test_patterns_match_by_name_and_first_arguments() -> None:
    pattern = redis.command("SET", "k")
    assert pattern(bytes(Command("SET", "k", "v")))
    assert pattern(b"set k v\r\n")
    assert pattern(b"*3\r\n$3\r\nsEt\r\n$1\r\nk\r\n$1\r\nv\r\n")
    assert pattern(b"*3\r\n$03\r\nset\r\n$01\r\nk\r\n$1\r\nv\r\n")
    assert not pattern(b"*0\r\n")
    assert not pattern(bytes(Command("SET", "other", "v")))
    assert not pattern(b"*1\r\n:1\r\n")
    assert redis.command()(b"PING\r\n")
    assert repr(pattern) == "redis.command('SET', 'k')"
    assert redis.reply(b"v")(b"$1\r\nv\r\n")
    assert redis.reply()(b"+OK\r\n")
    assert not redis.reply(None)(b"+OK\r\n")
    assert repr(redis.reply(redis.ok())) == "redis.reply(redis.ok())"


# --- fuzz

texts = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=9)
leaves: st.SearchStrategy[RedisReply] = st.one_of(
    st.builds(redis.simple, texts),
    st.builds(redis.error, texts),
    st.builds(redis.integer, st.integers(-(2**63), 2**63 - 1)),
    st.builds(redis.big_number, st.integers()),
    st.builds(redis.bulk, st.binary(max_size=40)),
    st.builds(redis.bulk_error, st.binary(max_size=9)),
    st.builds(redis.verbatim, st.sampled_from(["txt", "mkd"]), st.binary(max_size=9)),
    st.builds(redis.boolean, st.booleans()),
    st.builds(redis.double, st.floats(allow_nan=False)),
    st.sampled_from([redis.nil(), redis.nil_array(), redis.null()]),
)


def composed(inner: st.SearchStrategy[RedisReply]) -> st.SearchStrategy[RedisReply]:
    items = st.lists(inner, max_size=4)
    pairs = st.lists(st.tuples(inner, inner), max_size=3)
    return st.one_of(
        items.map(lambda found: redis.array(*found)),
        items.map(lambda found: redis.set(*found)),
        items.map(lambda found: redis.push(*found)),
        pairs.map(redis.map),
        st.builds(redis.attributes, pairs, inner),
    )


replies = st.recursive(leaves, composed, max_leaves=12)
commands = st.lists(st.binary(max_size=20), max_size=5).map(lambda words: Command(*words))


@often
@given(replies)
def test_every_reply_is_decoded_to_what_was_encoded(reply: RedisReply) -> None:
    data = bytes(reply)
    assert PROTOCOL.reply_size(data) == len(data)
    assert PROTOCOL.decode_reply(data) == reply
    assert eval(repr(reply), CODE) == reply


@often
@given(commands)
def test_every_command_is_decoded_to_what_was_encoded(command: Command) -> None:
    data = bytes(command)
    assert PROTOCOL.size(data) == len(data)
    assert PROTOCOL.decode(data) == command


@often
@given(replies, commands, st.data())
def test_mutated_bytes_are_messages_or_errors_of_decoding(reply: RedisReply, command: Command, data: Any) -> None:
    for whole, is_reply in ((bytearray(bytes(reply)), True), (bytearray(bytes(command)), False)):
        for _ in range(3):
            at = data.draw(st.integers(0, len(whole)))
            whole[at : at + data.draw(st.integers(0, 2))] = data.draw(
                st.sampled_from([b"", b"9", b"\r\n", b"*", b"\xff"])
            )
        for found in cut_all(PROTOCOL, bytes(whole), is_reply=is_reply):
            assert isinstance(found, RedisReply if is_reply else Command)


@often
@given(st.binary(min_size=1, max_size=200), st.booleans())
def test_any_bytes_are_messages_or_errors_of_decoding(data: bytes, is_reply: bool) -> None:
    for found in cut_all(PROTOCOL, data, is_reply=is_reply):
        assert isinstance(found, RedisReply if is_reply else Command)
