"""Patterns for packets of MQTT: `mqtt.publish("wind/#")`, `mqtt.packet(mqtt.ConnectPacket, level=5)`. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from windsock.errors import UsageError
from windsock.protocols.message_pattern import NOTHING, MessagePattern
from windsock.protocols.mqtt import packets
from windsock.protocols.mqtt.codec import PROTOCOL
from windsock.protocols.mqtt.connect_packet import ConnectPacket
from windsock.protocols.mqtt.packet import MQTTPacket

__all__ = ["connect", "fits_filter", "packet", "publish", "subscribe"]


@dataclass(frozen=True, slots=True, repr=False)
class PacketPattern(MessagePattern):
    """Matches packets of clients and of servers; see `packet()`."""

    protocol = PROTOCOL
    kind: type[MQTTPacket]
    values: tuple[tuple[str, Any], ...] = ()
    topic: str | None = None

    def matches(self, message: Any) -> bool:
        """Return whether a packet is of the class, and has the values and the topic."""
        if not isinstance(message, self.kind):
            return False
        has_topic = self.topic is None or any(fits_filter(self.topic, each) for each in topics_of(message))
        return has_topic and all(getattr(message, name, NOTHING) == value for name, value in self.values)

    def __repr__(self) -> str:
        values = [f"{name}={value!r}" for name, value in self.values]
        short = {
            ConnectPacket: "connect",
            packets.PublishPacket: "publish",
            packets.SubscribePacket: "subscribe",
        }
        topic = [] if self.topic is None else [repr(self.topic)]
        name = short.get(self.kind)
        head = "packet" if name is None else name
        first = [f"mqtt.{self.kind.__name__}"] if name is None else topic
        return f"mqtt.{head}({', '.join([*first, *values])})"


def packet(kind: type[MQTTPacket], **values: Any) -> PacketPattern:
    """Return a pattern for packets of a class whose fields have these values: `mqtt.packet(mqtt.PubAckPacket)`."""
    given: object = kind
    if not (isinstance(given, type) and issubclass(given, MQTTPacket) and given.number):
        raise UsageError(f"mqtt.packet({kind!r}): expected the class of a packet, such as mqtt.PublishPacket")
    return PacketPattern(kind, _checked(kind, values))


def connect(client_id: str | None = None, **values: Any) -> PacketPattern:
    """Return a pattern for CONNECT: that of one client, or of all."""
    given = values if client_id is None else {"client_id": client_id, **values}
    return PacketPattern(ConnectPacket, _checked(ConnectPacket, given))


def publish(topic: str | None = None, **values: Any) -> PacketPattern:
    """Return a pattern for PUBLISH, in either direction: on a topic, which may have wildcards (`+`, `#`), or on all."""
    return PacketPattern(packets.PublishPacket, _checked(packets.PublishPacket, values), _topic("publish", topic))


def subscribe(topic: str | None = None, **values: Any) -> PacketPattern:
    """Return a pattern for SUBSCRIBE: one of whose filters is this one, or all."""
    return PacketPattern(packets.SubscribePacket, _checked(packets.SubscribePacket, values), _topic("subscribe", topic))


def topics_of(message: Any) -> list[str]:
    """Return the topic of a PUBLISH, or the filters of a SUBSCRIBE."""
    if isinstance(message, packets.SubscribePacket):
        return [topic for topic, _ in message.filters]
    return [message.topic]


def fits_filter(wanted: str, topic: str) -> bool:
    """Return whether a topic fits a filter with wildcards; a topic that begins with $ none that begins with one."""
    if wanted == topic:
        return True
    if topic.startswith("$") and wanted[:1] in ("+", "#"):
        return False
    levels, parts = wanted.split("/"), topic.split("/")
    if levels[-1] == "#":
        levels = levels[:-1]
        parts = parts[: len(levels)]
    return len(levels) == len(parts) and all(each in ("+", part) for each, part in zip(levels, parts, strict=True))


def _topic(method: str, topic: Any) -> Any:
    if topic is not None and (not isinstance(topic, str) or not topic):
        raise UsageError(f"mqtt.{method}({topic!r}): expected a topic as str")
    return topic


def _checked(kind: Any, values: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    names = [each.name for each in fields(kind)]
    for name in values:
        if name not in names:
            raise UsageError(f"mqtt: {kind.__name__} has no {name!r}; expected one of {', '.join(names)}")
    return tuple(values.items())
