"""What a test asserts on: the recorded requests, and waiting for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

from windsock.recording.connections import check_count, seconds_of
from windsock.recording.errors import RequestMismatch, RequestTimeout
from windsock.recording.exchanges import Exchanges, RecordedRequest
from windsock.recording.framing import Framing
from windsock.recording.recorder import Recorder
from windsock.recording.transcript import summary

__all__ = ["Requests"]

UNFRAMED = (
    "without framing= a request is all that one connection sends, and is complete when the connection ends; "
    "close the client first, or say where a message ends (framing='lines', ...)"
)


class Requests(Sequence[RecordedRequest]):
    """The requests that a server has recorded. Safe to read while it runs; each look is a look at that moment.

    With framing they are in the order in which they were complete, without in the order of connections.
    """

    def __init__(
        self, recorder: Recorder, framing: Framing | None, *, is_datagram: bool, timeout: Callable[[], float]
    ) -> None:
        self._recorder = recorder
        self._framing = framing
        self._is_datagram = is_datagram
        self._timeout = timeout
        self._exchanges: list[Exchanges] = []

    @overload
    def __getitem__(self, index: int) -> RecordedRequest: ...
    @overload
    def __getitem__(self, index: slice) -> list[RecordedRequest]: ...
    def __getitem__(self, index: int | slice) -> RecordedRequest | list[RecordedRequest]:
        return self._now()[index]

    def __len__(self) -> int:
        return len(self._now())

    def __iter__(self) -> Iterator[RecordedRequest]:
        return iter(self._now())

    def __repr__(self) -> str:
        return f"<requests: {self._now()!r}>"

    def only(self, timeout: float | None = None) -> RecordedRequest:
        """Return the one request that there is.

        Waits (`timeout` in seconds) for a first one, and until it is complete or has been answered. Raises
        RequestMismatch if there are more, or if its connection has ended before it was complete; RequestTimeout if
        there is none.
        """
        __tracebackhide__ = True  # pytest leaves such frames out
        seconds = self._seconds(timeout)
        found: list[RecordedRequest] = []

        def is_settled() -> bool:
            found[:] = self._now()
            if self._framing is None or not found or _is_settled(found[0]):
                return len(found) > 1 or any(map(_is_settled, found))
            found[:] = self._now()  # the rest of a message is shown once its connection has ended: now all has come
            return True

        in_time = self._recorder.wait_until(is_settled, seconds)
        if len(found) > 1:
            raise RequestMismatch(f"exactly 1 request, not {len(found)}", self._recorded())
        if in_time and not _is_settled(found[0]):
            raise RequestMismatch("a complete request, but its connection has ended", self._recorded())
        if not in_time:
            expected = "the only request to be complete or answered" if found else "a request"
            raise RequestTimeout(expected, seconds, self._recorded(), self._hint())
        return found[0]

    def wait(self, count: int = 1, timeout: float | None = None) -> list[RecordedRequest]:
        """Wait until at least `count` requests are complete, for `timeout` seconds; return all complete ones.

        Raises RequestTimeout, which says what was recorded instead.
        """
        __tracebackhide__ = True  # pytest leaves such frames out
        check_count(count, "requests")
        seconds = self._seconds(timeout)
        found: list[RecordedRequest] = []

        def are_enough() -> bool:
            found[:] = [each for each in self._now() if each.is_complete]
            return len(found) >= count

        if not self._recorder.wait_until(are_enough, seconds):
            plural = "" if count == 1 else "s"
            expected = f"{count} complete request{plural}, got {len(found)}"
            raise RequestTimeout(expected, seconds, self._recorded(), self._hint())
        return found

    def none(self, settle: float = 0.0) -> None:
        """Make sure that there is no request, and that none comes within `settle` seconds.

        Raises RequestMismatch, which says what was recorded.
        """
        __tracebackhide__ = True  # pytest leaves such frames out
        seconds = self._seconds(settle, "settle")
        if self._recorder.wait_until(lambda: bool(self._now()), seconds):
            raise RequestMismatch("no request", self._recorded())

    def _now(self) -> list[RecordedRequest]:
        with self._recorder:
            self._recorder.catch_up()
            for connection in self._recorder.connections[len(self._exchanges) :]:
                self._exchanges.append(Exchanges(connection, self._framing, is_datagram=self._is_datagram))
            found = [request for each in self._exchanges for request in each.requests()]
        if self._framing is not None:
            found.sort(key=lambda request: (not request.is_complete, request.completed))
        return found

    def _seconds(self, value: Any, name: str = "timeout") -> float:
        return seconds_of(value, self._timeout, name)

    def _recorded(self) -> str:
        return summary(self._recorder)

    def _hint(self) -> str:
        if self._framing is None and not self._is_datagram and any(not each.is_complete for each in self._now()):
            return UNFRAMED
        return ""


def _is_settled(request: RecordedRequest) -> bool:
    return request.is_complete or request.replied is not None
