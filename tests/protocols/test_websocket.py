"""WebSocket: what frames mean, how values are encoded, beside wsproto, and that other bytes are errors of decoding."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from tests.support.cutting import cut_all
from windsock import UsageError
from windsock.protocols import DecodeError, FramingError, http, websocket
from windsock.protocols.websocket import PROTOCOL, WebSocketMessage

EXAMPLES = int(os.environ.get("WINDSOCK_EXAMPLES", "2000" if os.environ.get("CI") else "100"))
often = settings(max_examples=EXAMPLES, database=None, deadline=None)
pytestmark = pytest.mark.timeout(1800)  # for as many as are asked for
CODE = {"websocket": websocket, "http": http}
any_: Any = websocket
"""The module without types, for wrong values."""

MESSAGES: list[tuple[bytes, WebSocketMessage, str]] = [
    # the examples of RFC 6455, 5.7
    (b"\x81\x05Hello", WebSocketMessage("text", b"Hello"), "text 'Hello'"),
    (b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
     WebSocketMessage("text", b"Hello", mask=b"\x37\xfa\x21\x3d"), "text 'Hello'"),
    (b"\x01\x03Hel\x80\x02lo", WebSocketMessage("text", b"Hello", fragments=(3, 2)), "text 'Hello'"),
    (b"\x89\x05Hello", WebSocketMessage("ping", b"Hello"), "ping b'Hello'"),
    (b"\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",
     WebSocketMessage("pong", b"Hello", mask=b"\x37\xfa\x21\x3d"), "pong b'Hello'"),
    (b"\x82\x7e\x01\x00" + bytes(256), WebSocketMessage("binary", bytes(256)), "binary (256 B)"),
    (b"\x82\x7f" + (65536).to_bytes(8, "big") + bytes(65536), WebSocketMessage("binary", bytes(65536)),
     "binary (65536 B)"),
    # others
    (b"\x88\x00", WebSocketMessage("close"), "close"),
    (b"\x88\x05\x03\xe8bye", WebSocketMessage("close", b"\x03\xe8bye"), "close 1000 bye"),
    (b"\x81\x2d" + b"x" * 45, WebSocketMessage("text", b"x" * 45), f"text '{'x' * 40}'... (45 B)"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "message", "line"), MESSAGES)
def test_a_message_is_decoded_encoded_and_written_as_code(data: bytes, message: WebSocketMessage, line: str) -> None:
    for is_reply in (False, True):
        assert PROTOCOL.decoded(data, is_reply=is_reply) == message
        assert PROTOCOL.size_of(data + data, is_reply=is_reply) == len(data)
    assert bytes(message) == data
    assert eval(repr(message), CODE) == message
    assert str(message) == line
    for end in [*range(1, min(len(data), 20)), len(data) - 1]:
        size = PROTOCOL.size_of(data[:end])
        assert size is None or end < size <= len(data)


def test_a_ping_between_fragments_belongs_to_their_message() -> None:
    data = b"\x01\x03Hel" + b"\x89\x01!" + b"\x80\x02lo"

    assert PROTOCOL.size_of(data + b"\x81\x00") == len(data)
    assert PROTOCOL.decode(data) == WebSocketMessage("text", b"Hello", fragments=(3, 2))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xc1\x00", "reserved bits are set in 0xc1: there is no extension"),
        (b"\x83\x00", "3 is no opcode"),
        (b"\x80\x00", "a continuation without a message before it"),
        (b"\x09\x00", "a ping with no FIN; expected one frame of at most 125 bytes"),
        (b"\x89\x7e\x00\x7e" + bytes(126), "a ping with 126 bytes"),
        (b"\x01\x01a", "the message is not finished: its last frame has no FIN"),
        (b"\x01\x01a\x89\x02a", "a frame is not complete"),
        (b"\x81\x01\xff", "the text is no UTF-8"),
        (b"\x88\x01\x03", "a close with 1 byte"),
        (b"\x88\x02\x03\xed", "a close with the code 1005, which is not sent"),
        (b"\x88\x03\x03\xe8\xff", "the text is no UTF-8"),
        (b"hello", "is not a request line"),
    ],
)  # fmt: skip
def test_a_malformed_message_is_named(data: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        PROTOCOL.decoded(data)


def test_a_message_within_another_one_ends_that() -> None:
    assert PROTOCOL.size_of(b"\x01\x01a\x81\x01b") == 3


def test_a_length_whose_first_bit_is_set_begins_no_message() -> None:
    with pytest.raises(FramingError, match="the first bit of its length is set"):
        PROTOCOL.size_of(b"\x82\x7f\x80" + bytes(7))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: any_.text(b"a"), "expected str; bytes are websocket.binary()"),
        (lambda: any_.binary("a"), "expected bytes"),
        (lambda: any_.text("abc", fragments=[1]), "expected sizes of all 3 bytes"),
        (lambda: any_.ping(bytes(126)), "at most 125 bytes in one frame; got 126"),
        (lambda: any_.close("1000"), "expected a number of 16 bits, such as 1000"),
        (lambda: any_.close(reason="bye"), "a reason has a code before it"),
        (lambda: any_.WebSocketProtocol(limit="1"), "expected the most bytes of a message, 1 or more"),
        (lambda: any_.accept(1), "expected the name of a subprotocol"),
        (lambda: any_.text("a", fragments=1), "(fragments=1): expected the sizes of the frames in a list"),
        (lambda: any_.close(1000, b"x"), "websocket.close(1000, b'x'): expected a reason as str"),
        (lambda: any_.text("a").masked(b"abc"), "expected a key of 4 bytes"),
        (lambda: any_.WebSocketMessage("frame"), "expected 'text', 'binary', 'close', 'ping', 'pong'"),
        (lambda: bytes(any_.text()), "websocket.text() can't be sent: pass its data"),
    ],
)  # fmt: skip
def test_what_can_not_be_sent_is_refused(make: Any, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        make()
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("pattern", "data", "differs"),
    [
        (websocket.message(), b"\x81\x05Hello", None),
        (websocket.text(), b"\x01\x03Hel\x80\x02lo", None),
        (websocket.text("Hello"), b"\x01\x03Hel\x80\x02lo", None),
        (websocket.text("Hello", fragments=[3, 2]), b"\x01\x03Hel\x80\x02lo", None),
        (websocket.close(1000), b"\x88\x02\x03\xe8", None),
        (websocket.close(1000, "bye"), b"\x88\x05\x03\xe8bye", None),
        (websocket.handshake("/x"), bytes(websocket.handshake("/x?a=1")), None),
        (websocket.text("Hello", fragments=[3, 2]), b"\x81\x05Hello", "it is text 'Hello'"),
        (websocket.binary(b"Hello"), b"\x81\x05Hello", "it is text 'Hello'"),
        (websocket.text("hello"), b"\x81\x05Hello", "it is text 'Hello'"),
        (websocket.ping(b"a"), b"\x8a\x01a", "it is pong b'a'"),
        (websocket.handshake("/y"), bytes(websocket.handshake("/x")), "it is GET /x"),
        (websocket.handshake("/x"), bytes(http.get("/x")), "it is GET /x; there is no Upgrade: websocket"),
        (websocket.handshake(headers={"Upgrade": "websocket", "Connection": "upgrade"}),
         bytes(http.get("/x", headers={"Upgrade": "websocket", "Connection": "upgrade"})),
         "it is GET /x; there is no Sec-WebSocket-Key"),
    ],
)  # fmt: skip
def test_a_pattern_matches_or_says_what_differs(pattern: Any, data: bytes, differs: str | None) -> None:
    assert pattern(data) is (differs is None)
    if differs is not None:
        assert pattern.why_not(data).startswith(differs)
    assert eval(repr(pattern), CODE) == pattern


def test_the_key_of_an_accepted_handshake_is_that_of_the_standard() -> None:
    assert websocket.accept_key("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


# --- beside wsproto, and with any bytes

masks = st.one_of(st.none(), st.binary(min_size=4, max_size=4))


@st.composite
def data_messages(draw: Any) -> WebSocketMessage:
    parts = draw(st.lists(st.text(max_size=9), min_size=1, max_size=4))
    encoded = [each.encode() for each in parts]
    fragments = tuple(map(len, encoded)) if len(parts) > 1 else None
    kind = draw(st.sampled_from(["text", "binary"]))
    return WebSocketMessage(kind, b"".join(encoded), fragments=fragments, mask=draw(masks))


controls = st.builds(
    lambda kind, data, mask: WebSocketMessage(kind, data, mask=mask),
    st.sampled_from(["ping", "pong"]),
    st.binary(max_size=20),
    masks,
)
closes = st.builds(
    lambda code, reason, mask: WebSocketMessage("close", code.to_bytes(2, "big") + reason.encode(), mask=mask),
    st.sampled_from([1000, 1001, 1011, 3000, 4999]),
    st.text(max_size=9),
    masks,
)
messages = st.one_of(data_messages(), controls, closes)


@often
@given(messages)
def test_every_message_is_decoded_to_what_was_encoded(message: WebSocketMessage) -> None:
    data = bytes(message)
    assert PROTOCOL.size_of(data + data) == len(data)
    assert PROTOCOL.decoded(data) == message
    assert eval(repr(message), CODE) == message
    assert str(message)


@often
@given(messages)
def test_wsproto_reads_the_same_messages(message: WebSocketMessage) -> None:
    peer = Connection(ConnectionType.CLIENT if message.mask is None else ConnectionType.SERVER)
    peer.receive_data(bytes(message))
    events = list(peer.events())

    kinds = {"text": TextMessage, "binary": BytesMessage, "ping": Ping, "pong": Pong, "close": CloseConnection}
    assert {type(each) for each in events} == {kinds[message.kind]}
    if message.kind == "close":
        assert (events[0].code, events[0].reason or "") == (message.code, message.text)  # type: ignore[attr-defined]
    elif message.kind in ("ping", "pong"):
        assert bytes(events[0].payload) == message.data  # type: ignore[attr-defined]
    else:
        parts = [each.data for each in events]  # type: ignore[attr-defined]
        assert b"".join(each.encode() if isinstance(each, str) else bytes(each) for each in parts) == message.data


@often
@given(st.sampled_from(["text", "binary"]), st.lists(st.text(max_size=9), min_size=1, max_size=4), st.booleans())
def test_what_wsproto_sends_is_read(kind: str, parts: list[str], is_client: bool) -> None:
    peer = Connection(ConnectionType.CLIENT if is_client else ConnectionType.SERVER)
    sent = b""
    for number, part in enumerate(parts, 1):
        event: Any = TextMessage if kind == "text" else BytesMessage
        content: Any = part if kind == "text" else part.encode()
        sent += peer.send(event(data=content, message_finished=number == len(parts)))

    found = PROTOCOL.decode(sent)
    assert isinstance(found, WebSocketMessage)
    assert (found.kind, found.data, found.mask is not None) == (kind, "".join(parts).encode(), is_client)


@often
@given(st.lists(messages, min_size=1, max_size=3), st.data())
def test_mutated_bytes_are_messages_or_errors_of_decoding(sent: list[WebSocketMessage], data: Any) -> None:
    whole = bytearray(b"".join(map(bytes, sent)))
    for _ in range(3):
        at = data.draw(st.integers(0, len(whole)))
        whole[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    for found in cut_all(PROTOCOL, bytes(whole), is_reply=data.draw(st.booleans())):
        assert eval(repr(found), CODE) == found


@often
@given(st.binary(min_size=1, max_size=200), st.booleans())
def test_any_bytes_are_messages_or_errors_of_decoding(data: bytes, is_reply: bool) -> None:
    for found in cut_all(PROTOCOL, data, is_reply=is_reply):
        assert eval(repr(found), CODE) == found
