"""MQTT as a protocol: where packets end, and their bytes as values of 3.1.1 or of 5. No I/O."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from windsock.errors import UsageError
from windsock.protocols.errors import DecodeError
from windsock.protocols.mqtt import packets
from windsock.protocols.mqtt.connect_packet import ConnectPacket
from windsock.protocols.mqtt.wire import PacketReader
from windsock.protocols.protocol import Protocol

__all__ = ["PROTOCOL", "MQTTProtocol"]

KINDS: dict[int, Any] = {
    each.number: each
    for each in (
        *(ConnectPacket, packets.ConnAckPacket, packets.PublishPacket, packets.PubAckPacket),
        *(packets.PubRecPacket, packets.PubRelPacket, packets.PubCompPacket, packets.SubscribePacket),
        *(packets.SubAckPacket, packets.UnsubscribePacket, packets.UnsubAckPacket, packets.PingReqPacket),
        *(packets.PingRespPacket, packets.DisconnectPacket, packets.AuthPacket),
    )
}
BY_PROPERTIES = (
    packets.ConnAckPacket,
    packets.PublishPacket,
    packets.SubscribePacket,
    packets.SubAckPacket,
    packets.UnsubscribePacket,
)
"""What looks otherwise in version 5: its properties come before the rest."""

ASKING = {
    packets.PublishPacket: "publish",
    packets.PubRelPacket: "release",
    packets.SubscribePacket: "subscribe",
    packets.UnsubscribePacket: "unsubscribe",
}
ANSWERING = {
    packets.PubAckPacket: "publish",
    packets.PubRecPacket: "publish",
    packets.PubCompPacket: "release",
    packets.SubAckPacket: "subscribe",
    packets.UnsubAckPacket: "unsubscribe",
}
"""What packets with an id are about, by which an answer is found among what a broker sends meanwhile."""


class MQTTProtocol(Protocol):
    """MQTT. `version` is 4 for 3.1.1, or 5.

    Without one each packet says what it is: a CONNECT has its level, a packet in which properties can be read is one of
    5. That may be wrong for a PUBLISH of 3.1.1 whose payload begins with a zero byte, and for a SUBACK of 3.1.1 for
    several filters of which the first is granted QoS 0.
    """

    name = "mqtt"
    title = "MQTT"
    limit = 268_435_455 + 5

    def __init__(self, version: int | None = None) -> None:
        if version not in (None, 4, 5):
            raise UsageError(f"mqtt.MQTTProtocol({version!r}): expected 4 (for 3.1.1), 5, or None for both")
        self.version = version

    def __repr__(self) -> str:
        return f"mqtt.MQTTProtocol({'' if self.version is None else self.version})"

    def size(self, data: bytes) -> int | None:
        """Return the size of the first packet, or None."""
        checked_kind(data[0])
        reader = PacketReader(data[:5], 1)
        if len(data) < 5 and not any(each < 0x80 for each in data[1:]):
            return None
        return reader.varint() + reader.offset

    def decode(self, data: bytes) -> Any:
        """Return a packet."""
        if not data:
            raise DecodeError("nothing", type="packet")
        kind = checked_kind(data[0])
        reader = PacketReader(data, 1)
        length = reader.varint()
        if length != reader.left:
            raise DecodeError(f"{reader.left} bytes behind a length of {length}", type="length", value=length)
        return self._read(kind, reader, data[0] & 15)

    def request_key(self, data: bytes) -> Hashable:
        """Return the id of a packet that is answered by one with the same id, and what that is."""
        return self._key(data, ASKING)

    def reply_key(self, data: bytes) -> Hashable:
        """Return the id of a packet that answers one, and what it is."""
        return self._key(data, ANSWERING)

    def _key(self, data: bytes, kinds: dict[Any, str]) -> Hashable:
        try:
            packet = self.decode(data)
        except DecodeError:
            return None
        return (kinds[type(packet)], packet.id) if getattr(packet, "id", None) and type(packet) in kinds else None

    def _read(self, kind: Any, reader: PacketReader, flags: int) -> Any:
        if kind not in BY_PROPERTIES or self.version is not None:
            return kind.read(reader, flags, is_5=self.version == 5)
        try:
            return kind.read(PacketReader(reader.data, reader.offset), flags, is_5=True)
        except DecodeError:
            return kind.read(reader, flags, is_5=False)


def checked_kind(first: int) -> Any:
    """Return the class of the packet that begins with this byte. Raises DecodeError for none."""
    kind = KINDS.get(first >> 4)
    if kind is None:
        raise DecodeError(f"{first >> 4} is no type of a packet", type="type", value=first)
    if kind is not packets.PublishPacket and first & 15 != kind.flags:
        raise DecodeError(f"flags {first & 15} of {kind.title()} are not allowed", type="flags", value=first)
    return kind


PROTOCOL = MQTTProtocol()
