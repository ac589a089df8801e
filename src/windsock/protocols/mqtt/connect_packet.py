"""CONNECT of MQTT, with the will of the client. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

from windsock.errors import UsageError
from windsock.protocols.errors import DecodeError
from windsock.protocols.mqtt.packet import MQTTPacket, properties_of
from windsock.protocols.mqtt.wire import PacketReader, Properties, binary, checked_properties, number, text

__all__ = ["ConnectPacket", "Will"]

NAMES = {3: "MQIsdp", 4: "MQTT", 5: "MQTT"}
"""The name of the protocol by its level: 3 is 3.1, 4 is 3.1.1, 5 is 5."""


@dataclass(frozen=True, slots=True)
class Will:
    """The message that a broker publishes when the client is gone."""

    topic: str
    payload: bytes = b""
    qos: int = 0
    retain: bool = False
    properties: Properties | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "properties", checked_properties(self.properties))

    def __repr__(self) -> str:
        return f"mqtt.Will({', '.join(f'{each.name}={getattr(self, each.name)!r}' for each in fields(self))})"


@dataclass(frozen=True, slots=True, repr=False)
class ConnectPacket(MQTTPacket):
    """CONNECT. `level` is 4 for 3.1.1, and 5 with `properties`; `keep_alive` is in seconds."""

    number = 1
    client_id: str = ""
    keep_alive: int = 60
    clean: bool = True
    username: str | None = None
    password: bytes | None = None
    will: Will | None = None
    level: int = 4
    properties: Properties | None = None

    def __post_init__(self) -> None:
        MQTTPacket.__post_init__(self)
        if self.level not in NAMES or (self.level == 5) == (self.properties is None):
            raise UsageError(
                f"mqtt.ConnectPacket(level={self.level!r}, properties={self.properties!r}): expected level 3 or 4 "
                "without properties, or 5 with them: ()"
            )

    @classmethod
    def read(cls, reader: PacketReader, flags: int, *, is_5: bool) -> Self:  # noqa: ARG003  # its level says so
        """Return a CONNECT."""
        name, level, bits, keep_alive = reader.text(), reader.number(1), reader.number(1), reader.number(2)
        if NAMES.get(level) != name:
            raise DecodeError(f"{name!r}, level {level} is no version of MQTT known here", type="version", value=level)
        if bits & 1 or (not bits & 4 and bits & 0x38) or bits & 0x18 == 0x18:
            raise DecodeError(f"flags {bits:#04x} of CONNECT are not allowed", type="flags", value=bits)
        properties = reader.properties() if level == 5 else None
        client_id = reader.text()
        will = None
        if bits & 4:
            of_will = reader.properties() if level == 5 else None
            topic, payload = reader.text(), reader.binary()
            will = Will(topic, payload, bits >> 3 & 3, bool(bits & 0x20), of_will)
        username = reader.text() if bits & 0x80 else None
        password = reader.binary() if bits & 0x40 else None
        reader.end()
        return cls(client_id, keep_alive, bool(bits & 2), username, password, will, level, properties)

    def body(self) -> bytes:
        """Return what comes behind the fixed header."""
        will = self.will
        bits = self.clean << 1 | (self.username is not None) << 7 | (self.password is not None) << 6
        parts = [text(self.client_id)]
        if will is not None:
            bits |= 4 | will.qos << 3 | will.retain << 5
            parts += [properties_of(() if self.level == 5 and will.properties is None else will.properties)]
            parts += [text(will.topic), binary(will.payload)]
        parts += [] if self.username is None else [text(self.username)]
        parts += [] if self.password is None else [binary(self.password)]
        head = text(NAMES[self.level]) + bytes([self.level, bits]) + number(self.keep_alive, 2)
        return head + properties_of(self.properties) + b"".join(parts)
