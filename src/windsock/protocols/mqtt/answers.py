"""Answers to packets of MQTT, in the version of the client: `mqtt.connack()`, `mqtt.suback(1)`. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from windsock.errors import UsageError
from windsock.protocols.mqtt import packets
from windsock.protocols.mqtt.codec import PROTOCOL
from windsock.protocols.mqtt.connect_packet import ConnectPacket
from windsock.protocols.mqtt.packet import MQTTPacket
from windsock.protocols.mqtt.wire import checked_properties
from windsock.protocols.values import MessageAnswer

__all__ = ["acknowledgement", "connack", "puback", "suback"]


@dataclass(frozen=True, slots=True, repr=False)
class PacketAnswer(MessageAnswer):
    """An answer with reasons; see `connack()`, `suback()` and `puback()`."""

    name: str
    reasons: tuple[int, ...] = ()
    session_present: bool = False
    properties: tuple[tuple[str, Any], ...] | None = None

    def __call__(self, message: bytes) -> MQTTPacket | None:
        """Return the answer to a packet; None to one that has none."""
        return self.to(PROTOCOL.decode(message))

    def to(self, packet: Any) -> MQTTPacket | None:
        """Return the same to a decoded packet."""
        is_5 = getattr(packet, "properties", None) is not None
        properties = (self.properties or ()) if is_5 else None
        if isinstance(packet, ConnectPacket):
            return packets.ConnAckPacket(self.reasons[0] if self.reasons else 0, self.session_present, properties)
        if isinstance(packet, packets.SubscribePacket):
            granted = self.reasons or tuple(options & 3 for _, options in packet.filters)
            return packets.SubAckPacket(packet.id, granted, properties)
        return acknowledgement(packet, self.reasons[0] if self.reasons else None)

    def __repr__(self) -> str:
        values = [repr(each) for each in self.reasons]
        values += ["session_present=True"] * self.session_present
        values += [f"properties={self.properties!r}"] if self.properties else []
        return f"mqtt.{self.name}({', '.join(values)})"


def acknowledgement(packet: Any, reason: int | None = None) -> MQTTPacket | None:
    """Return what answers a packet, by its kind; None if nothing does."""
    if isinstance(packet, packets.PublishPacket) and packet.qos and packet.id is not None:
        return (packets.PubAckPacket if packet.qos == 1 else packets.PubRecPacket)(packet.id, reason)
    if isinstance(packet, packets.PubRecPacket):
        return packets.PubRelPacket(packet.id)
    if isinstance(packet, packets.PubRelPacket):
        return packets.PubCompPacket(packet.id, reason)
    if isinstance(packet, packets.UnsubscribePacket):
        is_5 = packet.properties is not None
        return packets.UnsubAckPacket(packet.id, (0,) * len(packet.filters) if is_5 else (), () if is_5 else None)
    return packets.PingRespPacket() if isinstance(packet, packets.PingReqPacket) else None


def connack(
    reason: int = 0, *, session_present: bool = False, properties: Mapping[str, Any] | None = None
) -> PacketAnswer:
    """Return the answer to CONNECT: `mqtt.connack(5)` refuses it. `properties` are for clients of 5."""
    reasons = (_reason("connack", reason),) if reason else ()
    return PacketAnswer("connack", reasons, session_present, checked_properties(properties or ()) or ())


def suback(*reasons: int) -> PacketAnswer:
    """Return the answer to SUBSCRIBE: for each filter the QoS that is granted, or a reason; else as asked for."""
    return PacketAnswer("suback", tuple(_reason("suback", each) for each in reasons))


def puback(reason: int | None = None) -> PacketAnswer:
    """Return the answer to PUBLISH and PUBREL, as their QoS wants it; nothing for QoS 0. A `reason` is of version 5."""
    return PacketAnswer("puback", () if reason is None else (_reason("puback", reason),))


def _reason(method: str, value: Any) -> int:
    if type(value) is not int or not 0 <= value <= 255:
        raise UsageError(f"mqtt.{method}({value!r}): expected a reason from 0 to 255")
    return value
