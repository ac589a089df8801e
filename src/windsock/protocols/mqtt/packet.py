"""What packets of MQTT have in common. No I/O."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, ClassVar, Self

from windsock.protocols.errors import DecodeError
from windsock.protocols.mqtt.wire import (
    PacketReader,
    Properties,
    checked_properties,
    number,
    properties_out,
    varint,
)

__all__ = ["Acknowledgement", "MQTTPacket", "OfList", "WithReason", "properties_of"]


class MQTTPacket:
    """A packet. `properties` is None in a packet of 3.1.1, and a tuple of pairs in one of 5; a dict is taken, too."""

    __slots__ = ()
    number: ClassVar[int] = 0
    """The type of the packet."""
    flags: ClassVar[int] = 0
    """The four bits behind the type."""

    def __post_init__(self) -> None:
        if hasattr(self, "properties"):
            object.__setattr__(self, "properties", checked_properties(self.properties))
            if getattr(self, "reason", 0) is None and self.properties is not None:
                object.__setattr__(self, "reason", 0)  # which is in front of them

    @classmethod
    def read(cls, reader: PacketReader, flags: int, *, is_5: bool) -> Self:  # noqa: ARG003  # others have flags
        """Return the packet that a reader stands before, behind its fixed header. May be overridden."""
        made = cls()
        reader.end()
        return made

    def body(self) -> bytes:
        """Return what comes behind the fixed header. May be overridden."""
        return b""

    def its_flags(self) -> int:
        """Return the flags of this packet. May be overridden."""
        return self.flags

    def __bytes__(self) -> bytes:
        body = self.body()
        return bytes([self.number << 4 | self.its_flags()]) + varint(len(body)) + body

    def __str__(self) -> str:
        values = ((each.name, getattr(self, each.name), each.default) for each in fields(self))  # type: ignore[arg-type]  # each is a dataclass
        shown = (f"{name}={value!r}" for name, value, usual in values if value != usual)
        return " ".join([self.title(), *shown])

    @classmethod
    def title(cls) -> str:
        """Return the name of the packet as the standard has it."""
        return cls.__name__.removesuffix("Packet").upper()

    def __repr__(self) -> str:
        values = ((each.name, getattr(self, each.name), each.default) for each in fields(self))  # type: ignore[arg-type]  # the same
        shown = (f"{name}={value!r}" for name, value, usual in values if value != usual)
        return f"mqtt.{type(self).__name__}({', '.join(shown)})"


def properties_of(properties: Properties | None) -> bytes:
    """Return the properties of a packet: nothing in one of 3.1.1."""
    return b"" if properties is None else properties_out(properties)


class Acknowledgement(MQTTPacket):
    """An id; in version 5 a reason behind it, if that is not success, and properties."""

    __slots__ = ()
    id: int
    reason: int | None
    properties: Properties | None

    @classmethod
    def read(cls, reader: PacketReader, flags: int, *, is_5: bool) -> Self:  # noqa: ARG003  # its size says so
        """Return it."""
        id = reader.number(2)
        reason = reader.number(1) if reader.left else None
        made = cls(id, reason, reader.properties() if reader.left else None)  # type: ignore[call-arg]  # of dataclasses
        reader.end()
        return made

    def body(self) -> bytes:
        """Return what comes behind the fixed header."""
        reason = b"" if self.reason is None else number(self.reason, 1)
        return number(self.id, 2) + reason + properties_of(self.properties)


class OfList(MQTTPacket):
    """An id, properties in version 5, and a list of at least one item."""

    __slots__ = ()

    @classmethod
    def read(cls, reader: PacketReader, flags: int, *, is_5: bool) -> Self:  # noqa: ARG003  # it has none
        """Return it."""
        id = reader.number(2)
        properties = reader.properties() if is_5 else None
        items = []
        while reader.left:
            items.append(cls.item(reader, is_5=is_5))
        if not items:
            raise DecodeError(f"a {cls.title()} without an item", offset=reader.offset, type="list")
        return cls(id, tuple(items), properties)  # type: ignore[call-arg]  # of dataclasses

    @classmethod
    def item(cls, reader: PacketReader, *, is_5: bool) -> Any:  # noqa: ARG003  # of some
        """Return the next item. May be overridden; the default is a reason."""
        return reader.number(1)

    @staticmethod
    def topic(reader: PacketReader) -> str:
        """Return a topic filter, which has at least one character."""
        found = reader.text()
        if not found:
            raise DecodeError("an empty topic filter", offset=reader.offset, type="filter")
        return found

    def head(self) -> bytes:
        """Return the id and the properties."""
        return number(self.id, 2) + properties_of(self.properties)  # type: ignore[attr-defined]  # of dataclasses


class WithReason(MQTTPacket):
    """Nothing; in version 5 a reason, if that is not 0, and properties."""

    __slots__ = ()
    reason: int | None
    properties: Properties | None

    @classmethod
    def read(cls, reader: PacketReader, flags: int, *, is_5: bool) -> Self:  # noqa: ARG003  # its size says so
        """Return it."""
        reason = reader.number(1) if reader.left else None
        made = cls(reason, reader.properties() if reader.left else None)  # type: ignore[call-arg]  # of dataclasses
        reader.end()
        return made

    def body(self) -> bytes:
        """Return what comes behind the fixed header."""
        reason = b"" if self.reason is None else number(self.reason, 1)
        return reason + properties_of(self.properties)
