"""The packets of one conversation: a TCP connection from its handshake to its end, or datagrams. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from windsock.captures.packets import LARGEST_DATAGRAM, NetworkAddress, Part, Route, TCPFlags

__all__ = ["Burst", "DatagramConversation", "Packet", "TCPConversation"]

SEGMENT = 32 * 1024
"""Bytes of data in one segment, which both ends say in their SYN (MSS)."""
OPTIONS = b"\x02\x04" + SEGMENT.to_bytes(2, "big") + b"\x01\x03\x03\x0e"
"""Of a SYN: the maximum segment size, padding, and windows in units of 16 KiB (RFC 7323)."""
SPREAD = 0x9E37_79B1
"""Initial sequence numbers are this far apart."""
LARGEST = 1 << 32


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet in parts, and which way it goes."""

    parts: tuple[Part, ...]
    is_upstream: bool


@dataclass(slots=True)
class Burst:
    """The packets of one event. Comments are about the one with that index."""

    packets: Sequence[Packet]
    commented: int = 0
    time: float = 0.0
    is_encrypted: bool = False
    comments: list[str] = field(default_factory=list)


class _TCPEnd:
    """What one end has sent: `sequence` is the number of its next byte."""

    def __init__(self, sequence: int, route: Route, *, is_client: bool) -> None:
        self.sequence = sequence
        self.route = route
        self.is_client = is_client
        self.has_ended = False
        self.has_reset = False


class TCPConversation:
    """Makes the segments of one connection. Each method returns what an event of the recording has put on the wire.

    The other end acknowledges at once. What comes from an end that has sent its FIN or RST is left out.
    """

    def __init__(self, client: NetworkAddress, server: NetworkAddress, number: int) -> None:
        start = (number + 1) * SPREAD
        self._client = _TCPEnd(start % LARGEST, Route(client, server), is_client=True)
        self._server = _TCPEnd((start ^ 0x5555_5555) % LARGEST, Route(server, client), is_client=False)

    def open(self) -> Burst:
        """Shake hands."""
        client, server = self._client, self._server
        packets = [
            Packet(client.route.tcp(client.sequence, 0, TCPFlags.SYN, options=OPTIONS), is_upstream=True),
            self._segment(server, TCPFlags.SYN | TCPFlags.ACK, client.sequence + 1, options=OPTIONS),
        ]
        client.sequence, server.sequence = _after(client.sequence, 1), _after(server.sequence, 1)
        return Burst([*packets, self._segment(client, TCPFlags.ACK, server.sequence)])

    def data(self, data: bytes, *, is_upstream: bool, is_urgent: bool = False) -> Burst | None:
        """Send data, in segments; `is_urgent`: its first byte is urgent."""
        sender, receiver = self._ends(is_upstream)
        if not data or sender.has_ended or sender.has_reset:
            return None
        first = TCPFlags.URG if is_urgent else 0
        packets = list(self._segments(sender, receiver, memoryview(data), first))
        return self._acknowledged(packets, sender, receiver)

    def finish(self, *, is_upstream: bool) -> Burst | None:
        """Send the end of a stream, once."""
        sender, receiver = self._ends(is_upstream)
        if sender.has_ended or sender.has_reset or receiver.has_reset:
            return None
        packet = self._segment(sender, TCPFlags.FIN | TCPFlags.ACK, receiver.sequence)
        sender.sequence = _after(sender.sequence, 1)
        sender.has_ended = True
        return self._acknowledged([packet], sender, receiver)

    def reset(self, *, is_upstream: bool) -> Burst | None:
        """Reset the connection, once."""
        sender, receiver = self._ends(is_upstream)
        if sender.has_reset or receiver.has_reset:
            return None
        sender.has_reset = True
        return Burst([self._segment(sender, TCPFlags.RST | TCPFlags.ACK, receiver.sequence)])

    def _ends(self, is_upstream: bool) -> tuple[_TCPEnd, _TCPEnd]:
        return (self._client, self._server) if is_upstream else (self._server, self._client)

    def _segments(self, sender: _TCPEnd, receiver: _TCPEnd, data: memoryview, first: int) -> Iterator[Packet]:
        for at in range(0, len(data), SEGMENT):
            piece = data[at : at + SEGMENT]
            flags = TCPFlags.ACK if at + SEGMENT < len(data) else TCPFlags.PSH | TCPFlags.ACK
            yield self._segment(sender, flags if at else flags | first, receiver.sequence, piece)
            sender.sequence = _after(sender.sequence, len(piece))

    def _acknowledged(self, packets: list[Packet], sender: _TCPEnd, receiver: _TCPEnd) -> Burst:
        commented = len(packets) - 1
        if not receiver.has_reset:
            packets.append(self._segment(receiver, TCPFlags.ACK, sender.sequence))
        return Burst(packets, commented)

    def _segment(
        self, sender: _TCPEnd, flags: int, acknowledged: int, data: Part = b"", options: bytes = b""
    ) -> Packet:
        parts = sender.route.tcp(sender.sequence, acknowledged % LARGEST, flags, data, options)
        return Packet(parts, is_upstream=sender.is_client)


class DatagramConversation:
    """Makes the UDP packets between one client and a server."""

    def __init__(self, client: NetworkAddress, server: NetworkAddress) -> None:
        self._up = Route(client, server)
        self._down = Route(server, client)

    def data(self, data: bytes, *, is_upstream: bool) -> Burst:
        """Send one datagram. One of a Unix socket that is too large for UDP is several packets."""
        route = self._up if is_upstream else self._down
        view = memoryview(data)
        pieces = [view[at : at + LARGEST_DATAGRAM] for at in range(0, max(1, len(data)), LARGEST_DATAGRAM)]
        burst = Burst([Packet(route.udp(each), is_upstream) for each in pieces])
        if len(pieces) > 1:
            burst.comments.append(f"one datagram of {len(data)} B, in {len(pieces)} packets")
        return burst


def _after(sequence: int, size: int) -> int:
    return (sequence + size) % LARGEST
