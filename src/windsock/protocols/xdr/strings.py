"""The XDR types of bytes and text: opaque data of fixed and variable length, strings (RFC 4506, 4.9 to 4.11)."""

from __future__ import annotations

from typing import Any

from windsock.protocols.xdr.coding import (
    MAXIMUM,
    DecodeError,
    Decoder,
    EncodeError,
    Encoder,
    XDRType,
    checked_limit,
    shown,
)

__all__ = ["OPAQUE", "STRING", "FixedOpaque", "Opaque", "String", "bounds", "read_length", "write_length"]


def bounds(limit: int) -> str:
    """Return a limit as the XDR language writes it: nothing for none."""
    return "<>" if limit == MAXIMUM else f"<{limit}>"


def write_length(encoder: Encoder, kind: XDRType[Any], length: int, limit: int) -> None:
    """Add a length to an encoder. Raises EncodeError if it is over the limit."""
    if length > limit:
        raise EncodeError(kind.name, length, f"a length of at most {limit}")
    encoder.append(length.to_bytes(4, "big"))


def read_length(decoder: Decoder, name: str, limit: int, least: int) -> int:
    """Take a length from a decoder. Raises DecodeError if too few bytes follow for elements of `least` bytes."""
    start = decoder.offset
    length = int.from_bytes(decoder.take(4, name), "big")
    if length > limit:
        raise DecodeError(f"the length {length} is over the limit of {limit}", offset=start, type=name, value=length)
    if length * least > decoder.left:
        reason = f"the length {length} needs {length * least} bytes, and {decoder.left} are left"
        raise DecodeError(reason, offset=start, type=name, value=length)
    return length


def _as_bytes(name: str, value: object) -> bytes:
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise EncodeError(name, value, "bytes")


class FixedOpaque(XDRType[bytes]):
    """Exactly `size` bytes."""

    def __init__(self, size: int) -> None:
        self._size = checked_limit("xdr.FixedOpaque", size)
        self.name = f"opaque[{size}]"
        self.least = size + -size % 4

    def write(self, encoder: Encoder, value: bytes) -> None:
        """Add bytes to an encoder, and their padding."""
        data = _as_bytes(self.name, value)
        if len(data) != self._size:
            raise EncodeError(self.name, value, f"{self._size} bytes")
        encoder.append_padded(data)

    def read(self, decoder: Decoder) -> bytes:
        """Take the bytes from a decoder, and their padding."""
        return decoder.take_padded(self._size, self.name)


class Opaque(XDRType[bytes]):
    """Bytes with their length before them, at most `limit`."""

    least = 4

    def __init__(self, limit: int = MAXIMUM) -> None:
        self._limit = checked_limit("xdr.Opaque", limit)
        self.name = f"opaque{bounds(limit)}"

    def write(self, encoder: Encoder, value: bytes) -> None:
        """Add bytes to an encoder: length, data, padding."""
        data = _as_bytes(self.name, value)
        write_length(encoder, self, len(data), self._limit)
        encoder.append_padded(data)

    def read(self, decoder: Decoder) -> bytes:
        """Take bytes from a decoder: length, data, padding."""
        return decoder.take_padded(read_length(decoder, self.name, self._limit, 1), self.name)


class String(XDRType[str]):
    """Text in UTF-8 with its length before it, at most `limit` bytes. For text in no encoding use `Opaque`."""

    least = 4

    def __init__(self, limit: int = MAXIMUM) -> None:
        self._limit = checked_limit("xdr.String", limit)
        self.name = f"string{bounds(limit)}"

    def write(self, encoder: Encoder, value: str) -> None:
        """Add text to an encoder: length, data, padding."""
        if not isinstance(value, str):
            raise EncodeError(self.name, value, "a str")
        try:
            data = value.encode()
        except UnicodeEncodeError:
            raise EncodeError(self.name, value, "text that UTF-8 has bytes for") from None
        write_length(encoder, self, len(data), self._limit)
        encoder.append_padded(data)

    def read(self, decoder: Decoder) -> str:
        """Take text from a decoder: length, data, padding."""
        length = read_length(decoder, self.name, self._limit, 1)
        start = decoder.offset
        data = decoder.take_padded(length, self.name)
        try:
            return data.decode()
        except UnicodeDecodeError as error:
            raise DecodeError(
                f"{shown(data)} is not UTF-8", offset=start + error.start, type=self.name, value=data
            ) from None


OPAQUE = Opaque()
STRING = String()
