"""Ethernet packets with IPv4 or IPv6 and TCP or UDP in them, with their lengths and checksums. No I/O.

Sources: IEEE 802.3, RFC 791 (IPv4), RFC 8200 (IPv6), RFC 9293 (TCP), RFC 768 (UDP), RFC 1071 (checksums).
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["LARGEST_DATAGRAM", "NetworkAddress", "Route", "TCPFlags"]

Part: TypeAlias = bytes | memoryview

ETHER_TYPES = {4: b"\x08\x00", 16: b"\x86\xdd"}
"""By the size of an address."""
TCP, UDP = 6, 17
HOPS = 64
DO_NOT_FRAGMENT = 0x4000
WINDOW = 0xFFFF
LARGEST_DATAGRAM = 65507
"""Bytes of data in a UDP packet over IPv4; over IPv6 it could be 20 more."""


class TCPFlags(enum.IntFlag):
    """The flags of a TCP segment."""

    FIN = 1
    SYN = 2
    RST = 4
    PSH = 8
    ACK = 16
    URG = 32


@dataclass(frozen=True, slots=True)
class NetworkAddress:
    """Where packets come from or go to: 6 bytes of MAC address, 4 or 16 bytes of IP address, and a port."""

    mac: bytes
    ip: bytes
    port: int


class Route:
    """Makes the packets from one address to another; both are IPv4, or both are IPv6."""

    def __init__(self, source: NetworkAddress, target: NetworkAddress) -> None:
        self._ethernet = target.mac + source.mac + ETHER_TYPES[len(source.ip)]
        self._ports = struct.pack(">HH", source.port, target.port)
        self._addresses = source.ip + target.ip
        self._sum = ones_sum(self._addresses) + ones_sum(self._ports)
        self._is_v4 = len(source.ip) == 4

    def tcp(
        self, sequence: int, acknowledged: int, flags: int, data: Part = b"", options: bytes = b""
    ) -> tuple[Part, Part]:
        """Return a segment as its headers and its data. `options` are a multiple of 4 bytes.

        With the flag URG, the first byte is urgent; the pointer names the one behind it (RFC 9293, section 3.8.5).
        """
        urgent = 1 if flags & TCPFlags.URG else 0
        size = 20 + len(options)
        fixed = struct.pack(">IIBBH", sequence, acknowledged, size << 2, flags, WINDOW)
        total = self._sum + ones_sum(fixed) + ones_sum(options) + TCP + size + len(data) + ones_sum(data) + urgent
        header = self._ports + fixed + struct.pack(">HH", complement(total), urgent) + options
        return self._ethernet + self._ip(TCP, size + len(data)) + header, data

    def udp(self, data: Part) -> tuple[Part, Part]:
        """Return a datagram as its headers and its data."""
        size = 8 + len(data)
        total = self._sum + 2 * size + UDP + ones_sum(data)
        header = self._ports + struct.pack(">HH", size, complement(total) or 0xFFFF)
        return self._ethernet + self._ip(UDP, size) + header, data

    def _ip(self, protocol: int, size: int) -> bytes:
        if not self._is_v4:
            return struct.pack(">IHBB", 6 << 28, size, protocol, HOPS) + self._addresses
        start = struct.pack(">BBHHHBB", 0x45, 0, 20 + size, 0, DO_NOT_FRAGMENT, HOPS, protocol)
        return start + struct.pack(">H", complement(ones_sum(start) + ones_sum(self._addresses))) + self._addresses


def ones_sum(data: Part) -> int:
    """Return the sum of the 16-bit words of the data, modulo 65535: one's complement arithmetic."""
    value = int.from_bytes(data, "big")
    return (value << 8 if len(data) % 2 else value) % 0xFFFF


def complement(total: int) -> int:
    """Return the checksum of what has that sum."""
    return (0xFFFF - total % 0xFFFF) % 0xFFFF
