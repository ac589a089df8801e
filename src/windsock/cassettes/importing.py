"""Import: the connections to one server in a capture become a cassette."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from windsock import redaction
from windsock.cassettes.capture_file import ACK, BETWEEN, SYN, CapturedPacket, CaptureError, packets_of
from windsock.cassettes.captured_connection import CapturedConnection
from windsock.cassettes.draft import write_cassette
from windsock.cassettes.from_recording import lines_of
from windsock.cassettes.header import Header
from windsock.cassettes.line import CassetteLine
from windsock.errors import UsageError
from windsock.net import addresses
from windsock.net.system import os
from windsock.recording import Connection, Recorder, framing_from, is_framed
from windsock.recording.events import Kind
from windsock.recording.store.spill_file import Event

__all__ = ["CaptureImport", "import_capture"]

Address = tuple[str, int]
READING = 0.2
"""The share of an import that it takes to read the capture; the rest is cutting messages, masking and writing."""


@dataclass(frozen=True, slots=True)
class CaptureImport:
    """What became of a capture: the address of the server, how many connections the cassette has, and those that were
    left out, with the reason."""

    server: Address
    connections: int
    left_out: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return this in words."""
        noun = "connection" if self.connections == 1 else "connections"
        counted = f"{self.connections} {noun} to {addresses.show(self.server)}"
        return [counted, *(f"left out: {each}" for each in self.left_out)]


def import_capture(
    capture: str | os.PathLike[str],
    cassette: str | os.PathLike[str],
    *,
    server: Address | None = None,
    transport: str = "tcp",
    framing: Any = None,
    redact: Any = None,
    progress: Callable[[float], object] = lambda _: None,
) -> CaptureImport:
    """Make a cassette of the connections to one server in a pcap or pcapng file; return what became of them.

    `server` is (host, port) of the server, which is needed if the capture has several. `transport` may be "udp".
    `framing` and `redact` are those of `record()`. Connections that began before the capture, of which packets are
    missing, or that are encrypted, are left out. Needs dpkt (`pip install pytest-windsock[pcap]`).
    `progress` is called now and then with the share of the work that is done, from 0 to 1.

    Raises CaptureError for a capture that cannot be read or has no such connection, CassetteError if the cassette
    cannot be written, UsageError for invalid values.
    """
    if transport not in ("tcp", "udp"):
        raise UsageError(f"transport={transport!r}: expected 'tcp' or 'udp'")
    if not callable(progress):
        raise UsageError(f"progress={progress!r}: expected a function that takes a number from 0 to 1")
    path, is_udp = os.fspath(capture), transport == "udp"
    if os.path.realpath(path) == os.path.realpath(cassette):
        raise UsageError(f"cassette {os.fspath(cassette)} is the capture itself; expected another path")
    found = (_Datagrams if is_udp else _Streams)(path, _checked(server))
    redaction.keep(found, redaction.rules_from(redact))
    framed = framing_from(framing)
    used = None if is_udp or not is_framed(framed) else framed
    try:
        for each in packets_of(path, lambda share: progress(share * READING)):
            found.take(each)
        address, connections, left_out = found.chosen()
        lines = lines_of(connections, used, began=found.began, ended=found.ended)
        told = _told(lines, found.size, lambda share: progress(READING + share * (1 - READING)))
        write_cassette(cassette, Header.of(transport, used), told)
    finally:
        found.close()
    count = len({each.peer for each in connections}) if is_udp else len(connections)
    return CaptureImport(address, count, tuple(left_out))


def _told(lines: Iterable[CassetteLine], size: int, progress: Callable[[float], object]) -> Iterator[CassetteLine]:
    """Give the lines; call `progress` with the share of their data, which has this size."""
    done = 0
    for number, line in enumerate(lines):
        if number % BETWEEN == 0:
            progress(min(1.0, done / max(1, size)))
        done += len(line.message.data)
        yield line


def _checked(server: Any) -> Address | None:
    if server is None:
        return None
    try:
        host, port = server
        return str(ipaddress.ip_address(host)), int(port)
    except (TypeError, ValueError):
        raise UsageError(f"server={server!r}: expected (host, port) with an IP address, as in the capture") from None


class _Found:
    """What a capture has; owner of what is secret in it."""

    is_stopped = False
    """As the owner of rules of redaction."""

    def __init__(self, path: str, server: Address | None) -> None:
        self._path = path
        self._server = server
        self.recorder = Recorder()
        self.began = self.ended = 0.0
        self.size = 0
        """Bytes of data in its packets."""

    def take(self, packet: CapturedPacket) -> None:
        """Add a packet."""
        self.began = self.began or packet.time
        self.ended = max(self.ended, packet.time + 0.001)
        self.size += len(packet.data)
        self._add(packet)

    def close(self) -> None:
        """Let go of what was read."""
        self.is_stopped = True
        self.recorder.close()

    def chosen(self) -> tuple[Address, list[Connection], list[str]]:
        """Return the server, its connections, and what was left out. Must be overridden."""
        raise NotImplementedError

    def _add(self, packet: CapturedPacket) -> None:
        """Add a packet. Must be overridden."""
        raise NotImplementedError

    def _opened(self, packet: CapturedPacket) -> Connection:
        connection = self.recorder.open(packet.source)
        connection.opened = packet.time
        return connection

    def _only(self, servers: Counter[Address]) -> Address:
        """Return the server that was asked for, or the only one. Raises CaptureError."""
        named = ", ".join(f"{addresses.show(each)} ({count})" for each, count in servers.most_common(10))
        if not servers:
            raise CaptureError(self._path, "it has no connection that begins in it")
        if self._server is None and len(servers) == 1:
            return next(iter(servers))
        if self._server is None:
            raise CaptureError(self._path, f"it has several servers; choose one with server=: {named}")
        if self._server not in servers:
            raise CaptureError(self._path, f"it has nothing to {addresses.show(self._server)}; it has {named}")
        return self._server


class _Streams(_Found):
    """The TCP connections of a capture."""

    def __init__(self, path: str, server: Address | None) -> None:
        super().__init__(path, server)
        self._all: list[tuple[Address, CapturedConnection]] = []
        self._open: dict[frozenset[Address], CapturedConnection] = {}
        self._from_before: dict[frozenset[Address], CapturedPacket] = {}

    def _add(self, packet: CapturedPacket) -> None:
        if packet.is_udp:
            return
        ends = frozenset((packet.source, packet.target))
        known = self._open.get(ends)
        if packet.flags & SYN and not packet.flags & ACK and (known is None or not known.is_begun_by(packet)):
            known = self._open[ends] = CapturedConnection(packet, self._opened(packet))
            self._all.append((packet.target, known))
        if known is not None:
            known.take(packet)
        else:
            self._from_before.setdefault(ends, packet)

    def chosen(self) -> tuple[Address, list[Connection], list[str]]:
        """See _Found."""
        server = self._only(Counter(address for address, _ in self._all))
        reasons = [(each, each.why_not()) for address, each in self._all if address == server]
        left_out = [f"{addresses.show(each.recorded.peer)}: {why}" for each, why in reasons if why is not None]
        left_out += [
            f"{addresses.show(other)}: it began before the capture"
            for ends in self._from_before
            for other in ends - {server}
            if server in ends
        ]
        connections = [each.recorded for each, why in reasons if why is None]
        if not connections:
            raise CaptureError(self._path, "no connection is whole:\n  " + "\n  ".join(left_out[:10]))
        return server, connections, left_out


class _Datagrams(_Found):
    """The UDP datagrams of a capture. Without a server's address, that is where the first one of two ends goes."""

    def __init__(self, path: str, server: Address | None) -> None:
        super().__init__(path, server)
        self._latest: dict[tuple[Address, Address], Connection] = {}
        self._all: list[tuple[Address, Connection]] = []
        self._cut = 0

    def _add(self, packet: CapturedPacket) -> None:
        if not packet.is_udp:
            return
        self._cut += packet.missing > 0
        asked = self._latest.get((packet.target, packet.source))
        if asked is not None:
            asked.append(Event(packet.time, Kind.DOWN, packet.data))
        elif self._server in (None, packet.target):
            connection = self._latest[packet.source, packet.target] = self._opened(packet)
            connection.is_datagram = True
            connection.append(Event(packet.time, Kind.UP, packet.data))
            self._all.append((packet.target, connection))

    def chosen(self) -> tuple[Address, list[Connection], list[str]]:
        """See _Found."""
        if self._cut:
            raise CaptureError(
                self._path, f"{self._cut} datagrams were cut short; capture whole packets (tcpdump -s 0)"
            )
        server = self._only(Counter(address for address, _ in self._all))
        return server, [each for address, each in self._all if address == server], []
