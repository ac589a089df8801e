"""The blocks of a pcapng file (draft-ietf-opsawg-pcapng), written one after the other."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import IO, TypeAlias

from windsock.errors import visible

__all__ = ["INBOUND", "OUTBOUND", "PcapngWriter"]

Part: TypeAlias = bytes | memoryview

SECTION, INTERFACE, PACKET, SECRETS = 0x0A0D0D0A, 1, 6, 0x0A
"""Block types (sections 4.1, 4.2, 4.3 and 4.7)."""
BYTE_ORDER = 0x1A2B3C4D
UNKNOWN_LENGTH = 0xFFFF_FFFF_FFFF_FFFF
END, COMMENT = 0, 1
"""Options of any block (section 3.5.1)."""
APPLICATION = 4
"""Option of a section: the program that wrote it."""
NAME, DESCRIPTION, RESOLUTION = 2, 3, 9
"""Options of an interface."""
FLAGS = 2
"""Option of a packet: a word whose two lowest bits say which way it went..."""
INBOUND, OUTBOUND = 1, 2
"""...as seen by the server."""
NANOSECONDS = b"\x09"
ETHERNET = 1
TLS_KEY_LOG = 0x544C534B
LONGEST_COMMENT = 8192
"""Bytes of a comment that are kept."""
PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")
"""By the size of what is padded, modulo 4."""


class PcapngWriter:
    """Writes one section to a binary file. Interfaces are made when they are first named."""

    def __init__(self, file: IO[bytes], *, comment: str = "") -> None:
        self._file = file
        self._interfaces: dict[str, int] = {}
        options = [(APPLICATION, b"windsock")]
        if comment:
            options.append((COMMENT, _text(comment)))
        self._block(SECTION, struct.pack("<IHHQ", BYTE_ORDER, 1, 0, UNKNOWN_LENGTH), options)

    def interface(self, name: str, description: str = "") -> int:
        """Return the number of an Ethernet interface with that name, whose times are in nanoseconds."""
        number = self._interfaces.get(name)
        if number is None:
            number = self._interfaces[name] = len(self._interfaces)
            options = [(NAME, name.encode()), (RESOLUTION, NANOSECONDS)]
            if description:
                options.append((DESCRIPTION, description.encode()))
            self._block(INTERFACE, struct.pack("<HHI", ETHERNET, 0, 0), options)
        return number

    def secrets(self, key_log: bytes) -> None:
        """Write the keys of TLS sessions, as lines of an NSS key log; before the packets that they decrypt."""
        body = struct.pack("<II", TLS_KEY_LOG, len(key_log)) + key_log + PADDING[len(key_log) % 4]
        self._block(SECRETS, body, [])

    def packet(
        self,
        interface: int,
        nanoseconds: int,
        parts: Sequence[Part],
        *,
        comments: Iterable[str] = (),
        direction: int = 0,
    ) -> None:
        """Write a packet, which is given in parts; the time is in nanoseconds since 1970."""
        size = sum(map(len, parts))
        options = [(COMMENT, _text(each)) for each in comments]
        if direction:
            options.append((FLAGS, struct.pack("<I", direction)))
        rest = PADDING[size % 4] + _options(options)
        total = 32 + size + len(rest)
        high, low = divmod(nanoseconds, 1 << 32)
        self._file.write(struct.pack("<IIIIIII", PACKET, total, interface, high, low, size, size))
        for part in parts:
            self._file.write(part)
        self._file.write(rest + struct.pack("<I", total))

    def _block(self, kind: int, body: bytes, options: Iterable[tuple[int, bytes]]) -> None:
        body += _options(options)
        size = struct.pack("<I", 12 + len(body))
        self._file.write(struct.pack("<I", kind) + size + body + size)


def _options(options: Iterable[tuple[int, bytes]]) -> bytes:
    packed = b"".join(struct.pack("<HH", code, len(value)) + value + PADDING[len(value) % 4] for code, value in options)
    return packed + struct.pack("<HH", END, 0) if packed else b""


def _text(text: str) -> bytes:
    """Return UTF-8 of a bounded length, without control characters."""
    return visible(text, but="\n").encode()[:LONGEST_COMMENT].decode(errors="ignore").encode()
