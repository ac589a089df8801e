"""Answers datagrams as they were answered when a cassette was recorded."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from windsock.cassettes.cassette import Cassette
from windsock.cassettes.errors import UnmatchedTraffic, Unplayed
from windsock.cassettes.line import CassetteLine, What
from windsock.cassettes.matching import Matching
from windsock.cassettes.misses import nearest
from windsock.net import addresses
from windsock.net.system import monotonic, threading
from windsock.recording import Connection

__all__ = ["DatagramPlay"]


class _RecordedDatagram(NamedTuple):
    """A recorded datagram of a client: its line, where this begins in the file, and its place among the client's."""

    offset: int
    line: CassetteLine
    position: int


class DatagramPlay:
    """The recorded datagrams of a cassette, each of which is answered once; `pace` as for streams."""

    def __init__(self, cassette: Cassette, matching: Matching, pace: float, *, is_in_order: bool) -> None:
        self._cassette = cassette
        self._matching = matching
        self._pace = pace
        self._is_in_order = is_in_order
        self._ahead = _recorded_datagrams(cassette)
        self._passed: list[_RecordedDatagram] = []
        """Those that were looked at, and not answered yet."""
        self._lock = threading.Lock()
        self.stopping = threading.Event()

    def answer(self, request: tuple[bytes, Any], client_address: Any, connection: Connection) -> None:
        """Answer one datagram. Raises UnmatchedTraffic if none like it is left."""
        data, server_socket = request
        found = self._find(data)
        for _, line in self._cassette.lines(found.line.connection, found.position + 1):
            if line.what is What.REQUEST:
                return
            if line.what is What.REPLY and not self._is_over(line, connection):
                with contextlib.suppress(ConnectionRefusedError, ConnectionResetError, FileNotFoundError):
                    server_socket.sendto(line.message.data, addresses.plain(client_address))

    def _is_over(self, line: CassetteLine, connection: Connection) -> bool:
        """Let the recorded time pass; return whether the server is stopping."""
        seconds = line.after * self._pace
        if not seconds:
            return False
        connection.rest(monotonic() + seconds)
        is_over = self.stopping.wait(seconds)
        connection.rest(0.0)
        return is_over

    def _find(self, data: bytes) -> _RecordedDatagram:
        with self._lock:
            for at, each in enumerate(self._left()):
                if self._matching.expected(each.line.message).fits(data):
                    del self._passed[at]
                    return each
                if self._is_in_order:
                    break
            left = [(each.offset, each.line) for each in self._passed]
        candidates = left[:1] if self._is_in_order else left
        raise UnmatchedTraffic(
            self._cassette.path, data, None, nearest(self._cassette, self._matching, data, candidates)
        )

    def _left(self) -> Iterator[_RecordedDatagram]:
        yield from list(self._passed)
        for each in self._ahead:
            self._passed.append(each)
            yield each

    def unplayed(self) -> list[Unplayed]:
        """Return an error for the first datagram that no client has sent, if there is one."""
        with self._lock:
            first = next(self._left(), None)
        if first is None:
            return []
        why = f"no client has sent this datagram of client {first.line.connection}"
        return [Unplayed(self._cassette.path, self._cassette.line_number(first.offset), why)]


def _recorded_datagrams(cassette: Cassette) -> Iterator[_RecordedDatagram]:
    """Give the datagrams of clients in the order of the file."""
    positions: Counter[int] = Counter()
    for offset, line in cassette.all_lines():
        if line.what is What.REQUEST:
            yield _RecordedDatagram(offset, line, positions[line.connection])
        positions[line.connection] += 1
