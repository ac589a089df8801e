"""MQTT 3.1.1 and 5: what bytes mean, how values are encoded, and that other bytes are errors of decoding."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from windsock import UsageError
from windsock.protocols import DecodeError, FramingError, mqtt
from windsock.protocols.mqtt import PROTOCOL, MQTTProtocol
from windsock.protocols.mqtt.wire import NUMBERS

often = settings(max_examples=int(os.environ.get("WINDSOCK_EXAMPLES", "100")), database=None, deadline=None)
pytestmark = pytest.mark.timeout(1800)  # for as many as are asked for

WILL = mqtt.Will("gone", b"x", 1, retain=True)
PACKETS: list[tuple[bytes, Any]] = [
    (b"\x10\x0e\0\4MQTT\4\2\0\x3c\0\2me", mqtt.ConnectPacket("me")),
    (b"\x10\x0f\0\4MQTT\5\2\0\x3c\0\0\2me", mqtt.ConnectPacket("me", level=5, properties=())),
    (b"\x10\x14\0\4MQTT\5\0\0\x3c\5\x11\0\0\0\7\0\2me", mqtt.ConnectPacket(
        "me", clean=False, level=5, properties={"session_expiry": 7})),  # type: ignore[arg-type]  # it is made pairs
    (b"\x10\x1d\0\4MQTT\4\xee\0\x3c\0\2me\0\4gone\0\1x\0\1u\0\1p",
     mqtt.ConnectPacket("me", username="u", password=b"p", will=WILL)),
    (b"\x10\x10\0\6MQIsdp\3\2\0\x3c\0\2me", mqtt.ConnectPacket("me", level=3)),
    (b"\x20\2\0\5", mqtt.ConnAckPacket(5)),
    (b"\x20\3\1\0\0", mqtt.ConnAckPacket(session_present=True, properties=())),
    (b"\x30\7\0\3a/bhi", mqtt.PublishPacket("a/b", b"hi")),
    (b"\x3b\x0a\0\3a/b\0\7\0hi", mqtt.PublishPacket("a/b", b"hi", 1, 7, retain=True, duplicate=True, properties=())),
    (b"\x30\x0d\0\3a/b\5\x26\0\0\0\0hi", mqtt.PublishPacket("a/b", b"hi", properties=(("user_property", ("", "")),))),
    (b"\x40\2\0\7", mqtt.PubAckPacket(7)),
    (b"\x50\3\0\7\x10", mqtt.PubRecPacket(7, 16)),
    (b"\x62\4\0\7\0\0", mqtt.PubRelPacket(7, 0, ())),
    (b"\x70\2\0\7", mqtt.PubCompPacket(7)),
    (b"\x82\x08\0\7\0\3a/b\1", mqtt.SubscribePacket(7, (("a/b", 1),))),
    (b"\x82\x09\0\7\0\0\3a/b\x2d", mqtt.SubscribePacket(7, (("a/b", 0x2D),), ())),
    (b"\x90\3\0\7\1", mqtt.SubAckPacket(7, (1,))),
    (b"\x90\5\0\7\0\1\x87", mqtt.SubAckPacket(7, (1, 0x87), ())),
    (b"\xa2\7\0\7\0\3a/b", mqtt.UnsubscribePacket(7, ("a/b",))),
    (b"\xa2\x08\0\7\0\0\3a/b", mqtt.UnsubscribePacket(7, ("a/b",), ())),
    (b"\xb0\2\0\7", mqtt.UnsubAckPacket(7)),
    (b"\xb0\4\0\7\0\0", mqtt.UnsubAckPacket(7, (0,), ())),
    (b"\xc0\0", mqtt.PingReqPacket()),
    (b"\xd0\0", mqtt.PingRespPacket()),
    (b"\xe0\0", mqtt.DisconnectPacket()),
    (b"\xe0\1\4", mqtt.DisconnectPacket(4)),
    (b"\xf0\7\x18\5\x15\0\2xy", mqtt.AuthPacket(0x18, (("authentication_method", "xy"),))),
]  # fmt: skip
CODE = {"mqtt": mqtt}


@pytest.mark.parametrize(("data", "packet"), PACKETS)
def test_a_packet_is_decoded_encoded_and_written_as_code(data: bytes, packet: Any) -> None:
    assert PROTOCOL.decode(data) == packet
    assert bytes(packet) == data
    assert eval(repr(packet), CODE) == packet
    assert PROTOCOL.size(data) == PROTOCOL.size(data + b"\xc0\0") == len(data)
    assert PROTOCOL.describe(packet).startswith(packet.title())


@pytest.mark.parametrize("data", [each[0] for each in PACKETS])
def test_a_packet_that_is_not_whole_has_no_size_or_one_that_has_not_come(data: bytes) -> None:
    for end in range(1, len(data)):
        size = PROTOCOL.size(data[:end])
        assert size is None or end < size <= len(data)


def test_a_version_that_is_given_decides_what_bytes_mean() -> None:
    payload = b"\x30\x08\0\3a/b\0hi"
    assert MQTTProtocol(4).decode(payload) == mqtt.PublishPacket("a/b", b"\0hi")
    assert MQTTProtocol(5).decode(payload) == mqtt.PublishPacket("a/b", b"hi", properties=())
    assert MQTTProtocol(4).decode(b"\x90\4\0\7\0\1") == mqtt.SubAckPacket(7, (0, 1))
    with pytest.raises(UsageError, match="expected 4"):
        MQTTProtocol(3)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\0\0", "0 is no type of a packet"),
        (b"\x11\0", "flags 1 of CONNECT are not allowed"),
        (b"\x80\0", "flags 0 of SUBSCRIBE are not allowed"),
        (b"\x30\xff\xff\xff\xff\1", "a number of more than 4 bytes"),
        (b"\x30\x80\0", "more bytes than it needs"),
        (b"GET / HTTP/1.1\r\n", "flags 7 of PUBACK"),
    ],
)
def test_bytes_that_begin_no_packet_are_named(data: bytes, reason: str) -> None:
    with pytest.raises(FramingError, match=reason):
        PROTOCOL.size_of(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x10\x0e\0\4MQTT\x09\2\0\x3c\0\2me", "'MQTT', level 9 is no version of MQTT"),
        (b"\x10\x0e\0\4MQTT\4\3\0\x3c\0\2me", "flags 0x03 of CONNECT"),
        (b"\x36\6\0\1a\0\1x", "a QoS of 3"),
        (b"\x30\3\0\7a", "7 bytes at"),
        (b"\x30\4\0\2\xff\xff", "no UTF-8"),
        (b"\x30\3\0\1\0", "text with a zero character"),
        (b"\x82\2\0\7", "a SUBSCRIBE without an item"),
        (b"\x82\5\0\7\0\0\1", "an empty topic filter"),
        (b"\x82\6\0\7\0\1a\4", "options 0x04 of a subscription"),
        (b"\x40\3\0\7\0\0", "1 bytes|4 bytes behind a length of 3"),
        (b"\xe0\4\0\2\x63\0", "99 is no property"),
        (b"\xd0\1\0", "1 bytes behind the packet"),
    ],
)
def test_a_malformed_packet_is_named(data: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        PROTOCOL.decoded(data)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: mqtt.connack(properties={"foo": 1}), "'foo' is no property"),
        (lambda: mqtt.connack(properties=5), "properties=5; expected a dict, or pairs"),  # type: ignore[arg-type]
        (lambda: mqtt.PublishPacket("a", qos=1), "QoS 1 and 2 have an id"),
        (lambda: mqtt.PublishPacket("a", qos=3, id=1), "QoS 1 and 2 have an id"),
        (lambda: mqtt.ConnectPacket("a", level=5), "or 5 with them"),
        (lambda: mqtt.ConnAckPacket(properties=(("nope", 1),)), "'nope' is no property"),
        (lambda: bytes(mqtt.PublishPacket("a\0b")), "is no text of a packet"),
        (lambda: bytes(mqtt.PubAckPacket(1 << 16)), "is no number of 2 bytes"),
        (lambda: mqtt.connack(256), "expected a reason from 0 to 255"),
        (lambda: mqtt.publish(b"a"), "expected a topic as str"),  # type: ignore[arg-type]
        (lambda: mqtt.publish("a", payloads=b""), "has no 'payloads'"),
        (lambda: mqtt.packet("PublishPacket"), "expected the class of a packet"),  # type: ignore[arg-type]
    ],
)
def test_a_value_that_cannot_be_sent_is_refused(make: Any, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        make()


@pytest.mark.parametrize(
    ("wanted", "topic", "fits"),
    [
        ("a/b", "a/b", True),
        ("a/+", "a/b", True),
        ("a/+", "a/b/c", False),
        ("a/#", "a/b/c", True),
        ("a/#", "a", True),
        ("#", "a/b", True),
        ("+/b", "a/b", True),
        ("#", "$SYS/x", False),
        ("$SYS/#", "$SYS/x", True),
        ("a", "b", False),
    ],
)
def test_topics_fit_filters_with_wildcards(wanted: str, topic: str, fits: bool) -> None:
    assert mqtt.publish(wanted)(bytes(mqtt.PublishPacket(topic, b"x"))) is fits


def test_patterns_and_answers_are_written_as_code() -> None:
    patterns = (
        mqtt.connect("me", level=5),
        mqtt.connect(),
        mqtt.publish("a/#", qos=1),
        mqtt.subscribe("a"),
        mqtt.packet(mqtt.PubAckPacket, id=1),
        mqtt.connack(5),
        mqtt.suback(1, 128),
        mqtt.puback(),
    )
    assert all(eval(repr(each), CODE) == each for each in patterns)


def test_answers_have_the_version_of_what_they_answer() -> None:
    assert mqtt.connack()(bytes(mqtt.ConnectPacket("me"))) == mqtt.ConnAckPacket()
    old, new = mqtt.ConnectPacket("me"), mqtt.ConnectPacket("me", level=5, properties=())
    told = mqtt.connack(properties={"maximum_qos": 1})
    assert told(bytes(old)) == mqtt.ConnAckPacket()
    assert told(bytes(new)) == mqtt.ConnAckPacket(properties=(("maximum_qos", 1),))
    asked = mqtt.SubscribePacket(3, (("a", 1), ("b", 2)), ())
    assert mqtt.suback()(bytes(asked)) == mqtt.SubAckPacket(3, (1, 2), ())
    assert mqtt.suback(0, 128)(bytes(asked)) == mqtt.SubAckPacket(3, (0, 128), ())
    assert mqtt.puback()(bytes(mqtt.PublishPacket("a", b"", 2, 9))) == mqtt.PubRecPacket(9)
    assert mqtt.puback()(bytes(mqtt.PublishPacket("a", b""))) is None


# --- fuzz

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9)
topics = texts.filter(bool)
ids = st.integers(1, 65535)
payloads = st.binary(max_size=9)
VALUES = {
    "byte": st.integers(0, 255),
    "two": st.integers(0, 65535),
    "four": st.integers(0, 2**32 - 1),
    "varint": st.integers(0, 268_435_455),
    "text": texts,
    "binary": payloads,
    "pair": st.tuples(texts, texts),
}
properties = st.lists(
    st.sampled_from(sorted(NUMBERS)).flatmap(lambda name: st.tuples(st.just(name), VALUES[NUMBERS[name][1]])),
    max_size=3,
).map(tuple)
reasons = st.lists(st.integers(0, 255), min_size=1, max_size=3).map(tuple)


def packets_of(props: st.SearchStrategy[Any], level: int) -> st.SearchStrategy[Any]:
    qos = st.integers(1, 2)
    options = st.integers(0, 2)
    wills = st.none() | st.builds(mqtt.Will, texts, payloads, st.integers(0, 2), st.booleans(), props)
    username, password = st.none() | texts, st.none() | payloads
    keep_alive = st.integers(0, 65535)
    return st.one_of(
        st.builds(
            *(mqtt.ConnectPacket, texts, keep_alive, st.booleans(), username, password, wills, st.just(level), props)
        ),
        st.builds(mqtt.ConnAckPacket, st.integers(0, 255), st.booleans(), props),
        st.builds(mqtt.PublishPacket, texts, payloads, st.just(0), st.none(), st.booleans(), st.booleans(), props),
        st.builds(mqtt.PublishPacket, texts, payloads, qos, ids, st.booleans(), st.booleans(), props),
        st.builds(mqtt.SubscribePacket, ids, st.lists(st.tuples(topics, options), min_size=1).map(tuple), props),
        st.builds(mqtt.SubAckPacket, ids, reasons, props),
        st.builds(mqtt.UnsubscribePacket, ids, st.lists(topics, min_size=1).map(tuple), props),
        st.builds(mqtt.UnsubAckPacket, ids, reasons if level == 5 else st.just(()), props),
        st.builds(mqtt.PubRelPacket, ids, st.integers(0, 255) if level == 5 else st.none(), props),
        st.builds(mqtt.DisconnectPacket, st.integers(0, 255) if level == 5 else st.none(), props),
    )


BOTH = packets_of(st.none(), 4).map(lambda found: (4, found)) | packets_of(properties, 5).map(lambda found: (5, found))


@often
@given(BOTH)
def test_any_packet_is_decoded_again(given: tuple[int, Any]) -> None:
    version, packet = given
    protocol = MQTTProtocol(version)
    assert protocol.decode(bytes(packet)) == packet
    assert protocol.size(bytes(packet)) == len(bytes(packet))
    assert eval(repr(packet), CODE) == packet
    assert bytes(PROTOCOL.decode(bytes(packet))) == bytes(packet)


@often
@given(packets_of(properties, 5))
def test_a_packet_of_5_says_that_itself(packet: Any) -> None:
    assert PROTOCOL.decode(bytes(packet)) == packet


@often
@given(st.sampled_from(PACKETS), st.data())
def test_a_mutated_packet_is_a_packet_or_an_error_of_decoding(whole: tuple[bytes, Any], draw: st.DataObject) -> None:
    data = bytearray(whole[0])
    for _ in range(draw.draw(st.integers(1, 3))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    check(bytes(data))


@often
@given(st.binary(min_size=1, max_size=40))
def test_any_bytes_are_packets_or_an_error_of_decoding(data: bytes) -> None:
    check(data)


def check(data: bytes) -> None:
    for protocol in (PROTOCOL, MQTTProtocol(4), MQTTProtocol(5)):
        try:
            found = protocol.size(data)
            assert found is None or found >= 2
            assert bytes(protocol.decode(data)) == data
        except DecodeError as error:
            assert error.reason  # noqa: PT017  # either is right
