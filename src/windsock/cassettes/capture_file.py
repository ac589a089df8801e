"""The TCP segments and UDP datagrams of a pcap or pcapng file, read by dpkt."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BufferedReader, FileIO
from typing import Any

from windsock.errors import UsageError
from windsock.net.system import os
from windsock.protocols.registry import library

__all__ = ["ACK", "BETWEEN", "FIN", "RST", "SYN", "CaptureError", "CapturedPacket", "packets_of"]

FIN, SYN, RST, ACK = 1, 2, 4, 16
"""Flags of a TCP segment (RFC 9293, section 3.1)."""
BETWEEN = 1000
"""Packets, or lines, between two calls of `progress`."""
LINKS: dict[int, Callable[[Any, bytes], Any]] = {
    0: lambda dpkt, data: dpkt.loopback.Loopback(data).data,
    1: lambda dpkt, data: dpkt.ethernet.Ethernet(data).data,
    12: lambda dpkt, data: _ip(dpkt, data),
    101: lambda dpkt, data: _ip(dpkt, data),
    108: lambda dpkt, data: dpkt.loopback.Loopback(data).data,
    113: lambda dpkt, data: dpkt.sll.SLL(data).data,
    228: lambda dpkt, data: dpkt.ip.IP(data),
    229: lambda dpkt, data: dpkt.ip6.IP6(data),
    276: lambda dpkt, data: dpkt.sll2.SLL2(data).data,
}
"""What returns the IP packet, by the link type (https://www.tcpdump.org/linktypes.html)."""


class CaptureError(UsageError):
    """A capture cannot be imported. `path` is the file; `why` says what is wrong, and what to do."""

    def __init__(self, path: str, why: str) -> None:
        self.path = path
        self.why = why
        super().__init__(f"capture {path}: {why}")


@dataclass(frozen=True, slots=True)
class CapturedPacket:
    """A TCP segment or a UDP datagram. Addresses are (host, port); `time` is in seconds since 1970.

    `missing` are the bytes at its end that were not captured. `sequence` and `flags` are those of a segment.
    """

    time: float
    source: tuple[str, int]
    target: tuple[str, int]
    data: bytes
    missing: int
    is_udp: bool
    sequence: int = 0
    flags: int = 0


def packets_of(path: str, progress: Callable[[float], object] = lambda _: None) -> Iterator[CapturedPacket]:
    """Give the segments and datagrams of a file in their order; all other packets are left out.

    `progress` is called now and then with the share of the file that has been read.

    Raises CaptureError for a file that is missing, damaged or of another kind, UsageError without dpkt.
    """
    dpkt = library("dpkt", "pcap")
    try:
        opened = FileIO(path)
    except OSError as error:
        raise CaptureError(path, f"it cannot be read: {error.strerror}") from error
    with BufferedReader(opened) as file:
        try:
            reader = dpkt.pcap.UniversalReader(file)
        except (ValueError, struct.error, dpkt.Error):
            raise CaptureError(path, "it is no pcap or pcapng file") from None
        link = LINKS.get(reader.datalink())
        if link is None:
            raise CaptureError(path, f"its link type is {reader.datalink()}; expected Ethernet, loopback or raw IP")
        size = os.fstat(opened.fileno()).st_size
        for number, (time, data) in enumerate(_frames(path, dpkt, reader)):
            if size and number % BETWEEN == 0:
                progress(file.tell() / size)
            packet = _packet(dpkt, time, link, data)
            if packet is not None:
                yield packet


def _frames(path: str, dpkt: Any, reader: Any) -> Iterator[tuple[float, bytes]]:
    count = 0
    try:
        for time, data in reader:
            yield float(time), bytes(data)
            count += 1
    except (ValueError, struct.error, dpkt.Error) as error:
        raise CaptureError(path, f"it is damaged after {count} packets: {error}") from None


def _packet(dpkt: Any, time: float, link: Callable[[Any, bytes], Any], data: bytes) -> CapturedPacket | None:
    """Return what is in a frame; None for anything but a TCP segment or a UDP datagram."""
    try:
        ip = link(dpkt, data)
    except dpkt.Error:
        return None
    if not isinstance(ip, dpkt.ip.IP | dpkt.ip6.IP6) or not isinstance(ip.data, dpkt.tcp.TCP | dpkt.udp.UDP):
        return None
    inner = ip.data
    ends = (_address(ip.src), inner.sport), (_address(ip.dst), inner.dport)
    if isinstance(inner, dpkt.udp.UDP):
        return CapturedPacket(time, *ends, bytes(inner.data), max(0, inner.ulen - len(inner)), is_udp=True)
    missing = _missing(dpkt, ip)
    return CapturedPacket(time, *ends, bytes(inner.data), missing, False, inner.seq, inner.flags)


def _missing(dpkt: Any, ip: Any) -> int:
    """Return how many bytes the headers promise beyond those that were captured; 0 where they do not say."""
    if isinstance(ip, dpkt.ip.IP):
        return max(0, int(ip.len) - len(ip))
    options = sum(each.length for each in ip.all_extension_headers)
    return max(0, int(ip.plen) - options - len(ip.data)) if ip.plen else 0


def _address(packed: bytes) -> str:
    return str(ipaddress.ip_address(packed))


def _ip(dpkt: Any, data: bytes) -> Any:
    return dpkt.ip6.IP6(data) if data[:1] >= b"\x60" else dpkt.ip.IP(data)
