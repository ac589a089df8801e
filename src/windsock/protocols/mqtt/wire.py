"""The parts that packets of MQTT consist of: numbers, text, and the properties of version 5. No I/O.

https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html is the standard.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from windsock.errors import UsageError
from windsock.protocols.errors import DecodeError

__all__ = ["PacketReader", "Properties", "binary", "checked_properties", "number", "properties_out", "text", "varint"]

Properties: TypeAlias = tuple[tuple[str, Any], ...]
"""Names with values, in their order; a name may come several times, as user_property does."""

PROPERTIES = {
    1: ("payload_format", "byte"),
    2: ("message_expiry", "four"),
    3: ("content_type", "text"),
    8: ("response_topic", "text"),
    9: ("correlation_data", "binary"),
    11: ("subscription_id", "varint"),
    17: ("session_expiry", "four"),
    18: ("assigned_client_id", "text"),
    19: ("server_keep_alive", "two"),
    21: ("authentication_method", "text"),
    22: ("authentication_data", "binary"),
    23: ("request_problem_information", "byte"),
    24: ("will_delay", "four"),
    25: ("request_response_information", "byte"),
    26: ("response_information", "text"),
    28: ("server_reference", "text"),
    31: ("reason_string", "text"),
    33: ("receive_maximum", "two"),
    34: ("topic_alias_maximum", "two"),
    35: ("topic_alias", "two"),
    36: ("maximum_qos", "byte"),
    37: ("retain_available", "byte"),
    38: ("user_property", "pair"),
    39: ("maximum_packet_size", "four"),
    40: ("wildcard_available", "byte"),
    41: ("subscription_id_available", "byte"),
    42: ("shared_available", "byte"),
}
NUMBERS = {name: (number, kind) for number, (name, kind) in PROPERTIES.items()}
SIZES = {"byte": 1, "two": 2, "four": 4}
LARGEST_VARINT = 268_435_455


class PacketReader:
    """Reads the parts of one packet. Raises DecodeError where it ends too early."""

    def __init__(self, data: bytes, offset: int = 0) -> None:
        self.data = data
        self.offset: int = offset

    def take(self, size: int) -> bytes:
        """Return the next bytes."""
        end = self.offset + size
        if end > len(self.data):
            raise DecodeError(f"{size} bytes at {self.offset} of {len(self.data)}", offset=self.offset, type="bytes")
        found, self.offset = self.data[self.offset : end], end
        return found

    def number(self, size: int) -> int:
        """Return a number of `size` bytes."""
        return int.from_bytes(self.take(size), "big")

    def binary(self) -> bytes:
        """Return bytes with their length before them."""
        return self.take(self.number(2))

    def text(self) -> str:
        """Return text with its length before it."""
        try:
            found = self.binary().decode()
        except UnicodeDecodeError as error:
            raise DecodeError(f"no UTF-8: {error.reason}", offset=self.offset, type="text") from None
        if "\0" in found:
            raise DecodeError("text with a zero character", offset=self.offset, type="text")
        return found

    def varint(self) -> int:
        """Return a number of one to four bytes, seven bits each."""
        start, value = self.offset, 0
        for shift in (0, 7, 14, 21):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if byte == 0 and shift:
                    raise DecodeError("a number with more bytes than it needs", offset=start, type="varint")
                return value
        raise DecodeError("a number of more than 4 bytes", offset=start, type="varint")

    @property
    def left(self) -> int:
        """The bytes that are left."""
        return len(self.data) - self.offset

    def rest(self) -> bytes:
        """Return all that is left."""
        return self.take(self.left)

    def end(self) -> None:
        """Raise DecodeError if anything is left."""
        if self.left:
            raise DecodeError(f"{self.left} bytes behind the packet", offset=self.offset, type="end")

    def properties(self) -> Properties:
        """Return properties, with their length before them."""
        size = self.varint()
        reader, found = PacketReader(self.take(size)), []
        while reader.left:
            identifier = reader.varint()
            if identifier not in PROPERTIES:
                raise DecodeError(f"{identifier} is no property", offset=self.offset, type="property")
            name, kind = PROPERTIES[identifier]
            found.append((name, reader.value(kind)))
        return tuple(found)

    def value(self, kind: str) -> Any:
        """Return the value of a property."""
        if kind in SIZES:
            return self.number(SIZES[kind])
        if kind == "pair":
            return (self.text(), self.text())
        return {"text": self.text, "binary": self.binary, "varint": self.varint}[kind]()


def number(value: int, size: int) -> bytes:
    """Return a number in `size` bytes. Raises UsageError if it has no room there."""
    if type(value) is not int or not 0 <= value < 1 << 8 * size:
        raise UsageError(f"mqtt: {value!r} is no number of {size} bytes")
    return value.to_bytes(size, "big")


def varint(value: int) -> bytes:
    """Return a number in one to four bytes."""
    if type(value) is not int or not 0 <= value <= LARGEST_VARINT:
        raise UsageError(f"mqtt: {value!r} is no number from 0 to {LARGEST_VARINT}")
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def binary(value: Any) -> bytes:
    """Return bytes with their length before them."""
    if not isinstance(value, bytes) or len(value) > 0xFFFF:
        raise UsageError(f"mqtt: expected at most 65535 bytes, got {value[:32]!r}")
    return number(len(value), 2) + value


def text(value: Any) -> bytes:
    """Return text with its length before it."""
    if not isinstance(value, str) or "\0" in value:
        raise UsageError(f"mqtt: {value!r} is no text of a packet; expected str without zero characters")
    return binary(value.encode())


def properties_out(properties: Properties) -> bytes:
    """Return properties with their length before them."""
    data = b"".join(varint(NUMBERS[name][0]) + _value_out(NUMBERS[name][1], value) for name, value in properties)
    return varint(len(data)) + data


def _value_out(kind: str, value: Any) -> bytes:
    if kind in SIZES:
        return number(value, SIZES[kind])
    if kind == "pair":
        return text(value[0]) + text(value[1])
    if kind == "varint":
        return varint(value)
    return text(value) if kind == "text" else binary(value)


def checked_properties(given: Any) -> Properties | None:
    """Return properties as pairs; None stays: it is a packet of 3.1.1. Raises UsageError for an unknown name."""
    if given is None:
        return None
    found: Any = tuple(given.items()) if isinstance(given, Mapping) else given
    if not isinstance(found, tuple | list) or not all(isinstance(each, tuple) and len(each) == 2 for each in found):
        raise UsageError(f"mqtt: properties={given!r}; expected a dict, or pairs of names and values")
    pairs: Properties = tuple(found)
    for name, _ in pairs:
        if name not in NUMBERS:
            raise UsageError(f"mqtt: {name!r} is no property; expected one of {', '.join(NUMBERS)}")
    return pairs
