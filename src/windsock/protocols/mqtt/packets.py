"""Packets of MQTT as values, of 3.1.1 (without properties) and of 5. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from windsock.errors import UsageError
from windsock.protocols.errors import DecodeError
from windsock.protocols.mqtt.packet import Acknowledgement, MQTTPacket, OfList, WithReason, properties_of
from windsock.protocols.mqtt.wire import (
    PacketReader,
    Properties,
    number,
    text,
)

__all__ = [
    "AuthPacket",
    "ConnAckPacket",
    "DisconnectPacket",
    "PingReqPacket",
    "PingRespPacket",
    "PubAckPacket",
    "PubCompPacket",
    "PubRecPacket",
    "PubRelPacket",
    "PublishPacket",
    "SubAckPacket",
    "SubscribePacket",
    "UnsubAckPacket",
    "UnsubscribePacket",
]

SHOWN = 40
"""The bytes of a payload that a line shows."""


@dataclass(frozen=True, slots=True, repr=False)
class ConnAckPacket(MQTTPacket):
    """CONNACK; reason 0 is success."""

    number = 2
    reason: int = 0
    session_present: bool = False
    properties: Properties | None = None

    @classmethod
    def read(cls, reader: PacketReader, flags: int, *, is_5: bool) -> Self:  # noqa: ARG003  # it has none
        """Return a CONNACK."""
        bits, reason = reader.number(1), reader.number(1)
        if bits > 1:
            raise DecodeError(f"flags {bits:#04x} of CONNACK are not allowed", type="flags", value=bits)
        made = cls(reason, bool(bits), reader.properties() if is_5 else None)
        reader.end()
        return made

    def body(self) -> bytes:
        """Return what comes behind the fixed header."""
        return bytes([self.session_present]) + number(self.reason, 1) + properties_of(self.properties)


@dataclass(frozen=True, slots=True, repr=False)
class PublishPacket(MQTTPacket):
    """PUBLISH. With QoS 1 and 2 it has an `id`."""

    number = 3
    topic: str = ""
    payload: bytes = b""
    qos: int = 0
    id: int | None = None
    retain: bool = False
    duplicate: bool = False
    properties: Properties | None = None

    def __post_init__(self) -> None:
        MQTTPacket.__post_init__(self)
        if self.qos not in (0, 1, 2) or (self.qos == 0) != (self.id is None):
            raise UsageError(
                f"mqtt.PublishPacket(qos={self.qos!r}, id={self.id!r}): QoS 1 and 2 have an id, QoS 0 none"
            )

    @classmethod
    def read(cls, reader: PacketReader, flags: int, *, is_5: bool) -> Self:
        """Return a PUBLISH."""
        qos = flags >> 1 & 3
        if qos == 3:
            raise DecodeError("a QoS of 3", type="flags", value=flags)
        topic = reader.text()
        id = reader.number(2) if qos else None
        properties = reader.properties() if is_5 else None
        return cls(topic, reader.rest(), qos, id, bool(flags & 1), bool(flags & 8), properties)

    def its_flags(self) -> int:
        """Return QoS and the others in their bits."""
        return self.duplicate << 3 | self.qos << 1 | self.retain

    def body(self) -> bytes:
        """Return what comes behind the fixed header."""
        id = b"" if self.id is None else number(self.id, 2)
        return text(self.topic) + id + properties_of(self.properties) + self.payload

    def __str__(self) -> str:
        more = "..." if len(self.payload) > SHOWN else ""
        marks = " retain" * self.retain + " duplicate" * self.duplicate
        qos = f" QoS {self.qos} #{self.id}" if self.qos else ""
        return f"PUBLISH {self.topic} {self.payload[:SHOWN]!r}{more}{qos}{marks}"


@dataclass(frozen=True, slots=True, repr=False)
class PubAckPacket(Acknowledgement):
    """PUBACK, the answer to a PUBLISH of QoS 1."""

    number = 4
    id: int = 1
    reason: int | None = None
    properties: Properties | None = None


@dataclass(frozen=True, slots=True, repr=False)
class PubRecPacket(Acknowledgement):
    """PUBREC, the answer to a PUBLISH of QoS 2."""

    number = 5
    id: int = 1
    reason: int | None = None
    properties: Properties | None = None


@dataclass(frozen=True, slots=True, repr=False)
class PubRelPacket(Acknowledgement):
    """PUBREL, the answer to PUBREC."""

    number = 6
    flags = 2
    id: int = 1
    reason: int | None = None
    properties: Properties | None = None


@dataclass(frozen=True, slots=True, repr=False)
class PubCompPacket(Acknowledgement):
    """PUBCOMP, the answer to PUBREL."""

    number = 7
    id: int = 1
    reason: int | None = None
    properties: Properties | None = None


@dataclass(frozen=True, slots=True, repr=False)
class SubscribePacket(OfList):
    """SUBSCRIBE: topic filters with their QoS; in version 5 other options are in the bits above that."""

    number = 8
    flags = 2
    id: int = 1
    filters: tuple[tuple[str, int], ...] = ()
    properties: Properties | None = None

    @classmethod
    def item(cls, reader: PacketReader, *, is_5: bool) -> Any:
        """Return the next filter with its options."""
        topic, options = cls.topic(reader), reader.number(1)
        if options & 3 == 3 or options & (0xC0 if is_5 else 0xFC):
            raise DecodeError(f"options {options:#04x} of a subscription are not allowed", type="options")
        return topic, options

    def body(self) -> bytes:
        """Return what comes behind the fixed header."""
        return self.head() + b"".join(text(topic) + number(options, 1) for topic, options in self.filters)


@dataclass(frozen=True, slots=True, repr=False)
class SubAckPacket(OfList):
    """SUBACK: for each filter the QoS that is granted, or a reason of 128 and more."""

    number = 9
    id: int = 1
    reasons: tuple[int, ...] = (0,)
    properties: Properties | None = None

    def body(self) -> bytes:
        """Return what comes behind the fixed header."""
        return self.head() + b"".join(number(each, 1) for each in self.reasons)


@dataclass(frozen=True, slots=True, repr=False)
class UnsubscribePacket(OfList):
    """UNSUBSCRIBE: topic filters."""

    number = 10
    flags = 2
    id: int = 1
    filters: tuple[str, ...] = ()
    properties: Properties | None = None

    @classmethod
    def item(cls, reader: PacketReader, *, is_5: bool) -> Any:  # noqa: ARG003  # of others
        """Return the next filter."""
        return cls.topic(reader)

    def body(self) -> bytes:
        """Return what comes behind the fixed header."""
        return self.head() + b"".join(map(text, self.filters))


@dataclass(frozen=True, slots=True, repr=False)
class UnsubAckPacket(OfList):
    """UNSUBACK; in version 5 with a reason for each filter."""

    number = 11
    id: int = 1
    reasons: tuple[int, ...] = ()
    properties: Properties | None = None

    @classmethod
    def read(cls, reader: PacketReader, flags: int, *, is_5: bool) -> Self:  # noqa: ARG003  # its size says so
        """Return an UNSUBACK."""
        return cls(reader.number(2)) if reader.left == 2 else super(UnsubAckPacket, cls).read(reader, flags, is_5=True)

    def body(self) -> bytes:
        """Return what comes behind the fixed header."""
        return self.head() + b"".join(number(each, 1) for each in self.reasons)


@dataclass(frozen=True, slots=True, repr=False)
class PingReqPacket(MQTTPacket):
    """PINGREQ."""

    number = 12


@dataclass(frozen=True, slots=True, repr=False)
class PingRespPacket(MQTTPacket):
    """PINGRESP."""

    number = 13


@dataclass(frozen=True, slots=True, repr=False)
class DisconnectPacket(WithReason):
    """DISCONNECT."""

    number = 14
    reason: int | None = None
    properties: Properties | None = None


@dataclass(frozen=True, slots=True, repr=False)
class AuthPacket(WithReason):
    """AUTH, of version 5."""

    number = 15
    reason: int | None = None
    properties: Properties | None = None
