"""One recording as a source of requests: `Requests` reads one, or the two of a pair of servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeAlias

from windsock.net.system import monotonic
from windsock.recording.connection import Connection
from windsock.recording.exchanges import Exchanges
from windsock.recording.framing import Framing, is_framed
from windsock.recording.listener import Listener
from windsock.recording.protocol_framing import protocol_of
from windsock.recording.recorded_request import RecordedRequest
from windsock.recording.recorder import Recorder

__all__ = ["Found", "JoinedRecorders", "RequestSource"]

Found: TypeAlias = tuple[list[RecordedRequest], Exception | None]
"""Requests, and the first error of their framing."""
LOOK = 0.01
"""Seconds between two looks at the second recording of a pair of servers."""


class RequestSource:
    """The requests of one recording, cut out when they are asked for."""

    def __init__(self, recorder: Recorder, framing: Framing | None, *, is_datagram: bool) -> None:
        self.recorder = recorder
        is_a_datagram = is_datagram and protocol_of(framing) is not None
        self.framing = framing if is_framed(framing) and not is_a_datagram else None
        self.is_datagram = is_datagram
        self._exchanges: list[Exchanges] = []

    def now(self) -> Found:
        """Return what is recorded by now."""
        with self.recorder:
            self.recorder.catch_up()
            self.recorder.check_whole()
            for connection in self.recorder.connections[len(self._exchanges) :]:
                self._exchanges.append(self._cut(connection))
            found = [request for each in self._exchanges for request in each.requests()]
            error = next((each.error for each in self._exchanges if each.error is not None), None)
        return found, error

    def unfinished(self) -> list[RecordedRequest]:
        """Return the messages that are incomplete, at most one for each connection."""
        with self.recorder:
            self.now()
            return [request for each in self._exchanges if (request := each.unfinished()) is not None]

    def forget(self) -> None:
        """Forget what there was: on open connections a message that has begun goes on, and nothing before it."""
        with self.recorder:
            self.recorder.catch_up()
            known = {each.connection: each for each in self._exchanges}
            for connection in self.recorder.carried():
                exchanges = known.get(connection) or self._cut(connection)
                connection.cut(*exchanges.rest())
            self._exchanges = []

    def _cut(self, connection: Connection) -> Exchanges:
        return Exchanges(connection, self.framing, is_datagram=self.is_datagram)


class JoinedListener:
    """The listeners of several recordings."""

    def __init__(self, listeners: list[Listener]) -> None:
        self._listeners = listeners

    @property
    def descriptors(self) -> list[int]:
        """The descriptors to watch."""
        return [number for each in self._listeners for number in each.descriptors]

    def clear(self) -> None:
        """Make them unreadable."""
        for each in self._listeners:
            each.clear()


class JoinedRecorders:
    """Several recordings, as far as a wait for them needs them. The first is waited for, the others are looked at."""

    def __init__(self, recorders: list[Recorder]) -> None:
        self._recorders = recorders

    def __enter__(self) -> None:
        """Do nothing: those who read the recordings keep others out themselves."""

    def __exit__(self, *exc_info: object) -> None:
        pass

    def wait_until(self, is_enough: Callable[[], bool], seconds: float) -> bool:
        """See Recorder.wait_until."""
        first = self._recorders[0]
        deadline = monotonic() + seconds
        while (left := deadline - monotonic()) > LOOK:
            if first.wait_until(is_enough, LOOK):
                return True
        return first.wait_until(is_enough, max(0.0, left))

    @contextmanager
    def listening(self) -> Iterator[JoinedListener]:
        """See Recorder.listening."""
        with ExitStack() as stack:
            yield JoinedListener([stack.enter_context(each.listening()) for each in self._recorders])

    def clear_news(self) -> None:
        """See Recorder.clear_news."""
        for each in self._recorders:
            each.clear_news()
