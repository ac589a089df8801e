"""One recording as a source of requests: `Requests` reads one, or the two of a pair of servers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from windsock.recording.exchanges import Exchanges, RecordedRequest
from windsock.recording.framing import Framing, is_framed
from windsock.recording.protocol_framing import protocol_of
from windsock.recording.recorder import Recorder
from windsock.recording.transcript import summary

__all__ = ["Found", "RequestSource"]

Found: TypeAlias = tuple[list[RecordedRequest], Exception | None]
"""Requests, and the first error of their framing."""


class RequestSource:
    """The requests of one recording, cut out when they are asked for."""

    def __init__(self, recorder: Recorder, framing: Framing | None, *, is_datagram: bool) -> None:
        self._recorder = recorder
        is_a_datagram = is_datagram and protocol_of(framing) is not None
        self.framing = framing if is_framed(framing) and not is_a_datagram else None
        self.is_datagram = is_datagram
        self._exchanges: list[Exchanges] = []

    def settle(self) -> None:
        """Wait for ends that clients have seen."""
        self._recorder.settle()

    def wait_until(self, is_enough: Callable[[], bool], seconds: float) -> bool:
        """Wait until `is_enough()` returns true, for at most `seconds`; return False if it did not."""
        return self._recorder.wait_until(is_enough, seconds)

    def now(self) -> Found:
        """Return what is recorded by now."""
        with self._recorder:
            self._recorder.catch_up()
            self._recorder.check_whole()
            for connection in self._recorder.connections[len(self._exchanges) :]:
                self._exchanges.append(Exchanges(connection, self.framing, is_datagram=self.is_datagram))
            found = [request for each in self._exchanges for request in each.requests()]
            error = next((each.error for each in self._exchanges if each.error is not None), None)
        return found, error

    def unfinished(self) -> list[RecordedRequest]:
        """Return the messages that are incomplete, at most one for each connection."""
        with self._recorder:
            self.now()
            return [request for each in self._exchanges if (request := each.unfinished()) is not None]

    def summary(self) -> str:
        """Return a few lines about the recording, for error messages."""
        return summary(self._recorder)
