"""One recording as a source of requests: `Requests` reads one, or the two of a pair of servers."""

from __future__ import annotations

from typing import TypeAlias

from windsock.recording.connection import Connection
from windsock.recording.exchanges import Exchanges
from windsock.recording.framing import Framing, is_framed
from windsock.recording.protocol_framing import protocol_of
from windsock.recording.recorded_request import RecordedRequest
from windsock.recording.recorder import Recorder

__all__ = ["Found", "RequestSource"]

Found: TypeAlias = tuple[list[RecordedRequest], Exception | None]
"""Requests, and the first error of their framing."""


class RequestSource:
    """The requests of one recording, cut out when they are asked for."""

    def __init__(self, recorder: Recorder, framing: Framing | None, *, is_datagram: bool) -> None:
        self.recorder = recorder
        is_a_datagram = is_datagram and protocol_of(framing) is not None
        self.framing: Framing | None = framing if is_framed(framing) and not is_a_datagram else None
        self.is_datagram = is_datagram
        self._exchanges: list[Exchanges] = []

    def now(self) -> Found:
        """Return what is recorded by now."""
        with self.recorder.waiters:
            self.recorder.catch_up()
            self.recorder.check_whole()
            for connection in self.recorder.connections[len(self._exchanges) :]:
                self._exchanges.append(self._cut(connection))
            found = [request for each in self._exchanges for request in each.requests()]
            error = next((each.error for each in self._exchanges if each.error is not None), None)
        return found, error

    def unfinished(self) -> list[RecordedRequest]:
        """Return the messages that are incomplete, at most one for each connection."""
        with self.recorder.waiters:
            self.now()
            return [request for each in self._exchanges if (request := each.unfinished()) is not None]

    def forget(self) -> None:
        """Forget what there was: on open connections a message that has begun goes on, and nothing before it."""
        with self.recorder.waiters:
            self.recorder.catch_up()
            known = {each.connection: each for each in self._exchanges}
            for connection in self.recorder.numbers.carried():
                exchanges = known.get(connection) or self._cut(connection)
                connection.cut(*exchanges.rest())
            self._exchanges = []

    def _cut(self, connection: Connection) -> Exchanges:
        return Exchanges(connection, self.framing, is_datagram=self.is_datagram)
