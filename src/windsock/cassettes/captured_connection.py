"""A TCP connection of a capture as a recorded connection, and the reason if it cannot be one. No I/O."""

from __future__ import annotations

from windsock.cassettes.capture_file import ACK, FIN, RST, SYN, CapturedPacket
from windsock.cassettes.recorder import CLIENT_HELLO
from windsock.cassettes.segments import StreamHalf
from windsock.recording import Connection
from windsock.recording.events import Kind
from windsock.recording.store.spill_file import Event

__all__ = ["CapturedConnection"]


class CapturedConnection:
    """One connection, to which its packets are given in the order of the capture."""

    def __init__(self, first: CapturedPacket, recorded: Connection) -> None:
        self.recorded = recorded
        self._client = first.source
        self._sequence = first.sequence
        self._is_cut = False
        self._is_encrypted = False
        self._halves: dict[bool, StreamHalf] = {}
        self._ended: set[bool] = set()

    def is_begun_by(self, packet: CapturedPacket) -> bool:
        """Return whether a SYN is that of this connection, sent again."""
        return packet.sequence == self._sequence

    def take(self, packet: CapturedPacket) -> None:
        """Add what a segment has brought. What comes after a reset is left out."""
        is_up = packet.source == self._client
        self._is_cut |= packet.missing > 0
        if packet.flags & SYN:
            self._halves.setdefault(is_up, StreamHalf(packet.sequence))
        elif packet.flags & RST:
            self._reset(packet, is_up=is_up)
        elif (half := self._halves.get(is_up)) is not None and len(self._ended) < 2:
            self._add(packet, half, is_up=is_up)

    def _add(self, packet: CapturedPacket, half: StreamHalf, *, is_up: bool) -> None:
        data = half.add(packet.sequence, packet.data, is_end=bool(packet.flags & FIN))
        if data:
            self._note(packet, Kind.UP if is_up else Kind.DOWN, data)
            self._is_encrypted |= is_up and CLIENT_HELLO.match(data) is not None
        if half.has_ended and is_up not in self._ended:
            self._note(packet, Kind.CLIENT_EOF if is_up else Kind.HALF_CLOSE)
            self._ended.add(is_up)

    def _reset(self, packet: CapturedPacket, *, is_up: bool) -> None:
        if len(self._ended) == 2:
            return
        if not is_up and packet.flags & ACK and False not in self._halves:
            self._note(packet, Kind.REFUSED, b"Connection refused")
        else:
            self._note(packet, Kind.CLIENT_RESET if is_up else Kind.SERVER_RESET)
        self._ended = {False, True}

    def _note(self, packet: CapturedPacket, kind: int, data: bytes = b"") -> None:
        self.recorded.append(Event(packet.time, kind, data))

    def why_not(self) -> str | None:
        """Return why it cannot be replayed; None if it can be."""
        if self._is_cut:
            return "its packets were cut short; capture whole packets (tcpdump -s 0)"
        if any(each.has_gap for each in self._halves.values()):
            return "some of its packets are missing from the capture"
        if self._is_encrypted:
            return "it is encrypted; capture what is said behind the TLS, or use `windsock record` with --tls"
        return None
