"""The recorded requests that a test asserts on, and waiting for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, overload

from windsock.net.deadlines import is_over
from windsock.recording.connections import arguments_of, check_count, seconds_of
from windsock.recording.errors import RequestMismatch, RequestTimeout
from windsock.recording.framing import Framing
from windsock.recording.recorded_request import RecordedRequest
from windsock.recording.request_source import Found, RequestSource
from windsock.recording.transcript import preview, summary
from windsock.recording.waiters import JoinedWaiters, Waiters
from windsock.recording.waits import RecordingWait

__all__ = ["Requests", "unfinished_words"]

MOST = 3
"""The most connections whose unfinished messages an error lists."""
UNFRAMED = (
    "without framing= a request is all that one connection sends, and is complete when the connection ends; "
    "close the client first, or say where a message ends (framing='lines', ...)"
)


class Requests(Sequence[RecordedRequest]):
    """The requests that a server has recorded. Can be read while it runs; each access sees the current state.

    With framing they are in the order of completion, without in the order of connections; those of several servers in
    the order of time.

    If a client sent bytes that are no message of the framing, each access that reaches them, and each wait, raises the
    FramingError; earlier requests can be read by index.
    """

    def __init__(self, *sources: RequestSource, timeout: Callable[[], float]) -> None:
        self.sources = sources
        waiters = [each.recorder.waiters for each in sources]
        self._waiters: Waiters | JoinedWaiters = waiters[0] if len(waiters) == 1 else JoinedWaiters(waiters)
        self._timeout = timeout

    @property
    def framing(self) -> Framing | None:
        """What tells where messages end; None if nothing does."""
        return next((each.framing for each in self.sources if each.framing is not None), None)

    @overload
    def __getitem__(self, index: int) -> RecordedRequest: ...
    @overload
    def __getitem__(self, index: slice) -> list[RecordedRequest]: ...
    def __getitem__(self, index: int | slice) -> RecordedRequest | list[RecordedRequest]:
        found, error = self._look()
        if not isinstance(index, int) or not 0 <= index < len(found):
            _check(error)
        return found[index]

    def __len__(self) -> int:
        found, error = self._look()
        _check(error)
        return len(found)

    def __iter__(self) -> Iterator[RecordedRequest]:
        found, error = self._look()
        yield from found
        _check(error)

    def __repr__(self) -> str:
        found, error = self._look()
        return f"<requests: {found!r}{'' if error is None else f', then {error!r}'}>"

    def only(self, timeout: float | None = None) -> RecordedRequest:
        """Return the only request.

        Waits up to `timeout` seconds for a first one, and until it is complete or has a reply. Raises
        RequestMismatch if there are more, or if its connection ended before it was complete; RequestTimeout if there
        is none; BlocksLoop if it would have to wait in the thread of a running event loop.
        """
        __tracebackhide__ = True  # pytest leaves such frames out
        return self._only(timeout).block()

    async def only_async(self, timeout: float | None = None) -> RecordedRequest:
        """Wait as `only()` does, while the event loop of asyncio or trio goes on."""
        __tracebackhide__ = True
        return await self._only(timeout).wait()

    def _only(self, timeout: float | None) -> RecordingWait[RecordedRequest]:
        seconds = self._seconds(timeout)
        found: list[RecordedRequest] = []
        error: Exception | None = None

        def is_settled() -> bool:
            nonlocal error
            found[:], error = self._now()
            if error is not None:
                return True
            if self.framing is None or not found or _is_settled(found[0]):
                return len(found) > 1 or any(map(_is_settled, found))
            found[:], error = self._now()  # when its connection has ended, all of a message has come
            return True

        def result(in_time: bool) -> RecordedRequest:
            __tracebackhide__ = True
            _check(error)
            if len(found) > 1:
                raise RequestMismatch(f"exactly 1 request, not {len(found)}", self._recorded())
            if in_time and not _is_settled(found[0]):
                raise RequestMismatch("a complete request, but its connection has ended", self._recorded())
            if not in_time:
                raise self._timeout_of("the only request to be complete or answered" if found else "a request", seconds)
            return found[0]

        arguments = "" if timeout is None else f"timeout={timeout:g}"
        return RecordingWait(self._waiters, "requests", "only", arguments, seconds, is_settled, result)

    def wait(self, count: int = 1, timeout: float | None = None) -> list[RecordedRequest]:
        """Wait up to `timeout` seconds until at least `count` requests are complete; return all complete ones.

        Raises RequestTimeout, which shows what was recorded instead; BlocksLoop if it would have to wait in the thread
        of a running event loop.
        """
        __tracebackhide__ = True  # pytest leaves such frames out
        return self._wait(count, timeout).block()

    async def wait_async(self, count: int = 1, timeout: float | None = None) -> list[RecordedRequest]:
        """Wait as `wait()` does, while the event loop of asyncio or trio goes on."""
        __tracebackhide__ = True
        return await self._wait(count, timeout).wait()

    def _wait(self, count: int, timeout: float | None) -> RecordingWait[list[RecordedRequest]]:
        check_count(count, "requests")
        seconds = self._seconds(timeout)
        found: list[RecordedRequest] = []
        error: Exception | None = None

        def are_enough() -> bool:
            nonlocal error
            now, error = self._now()
            found[:] = [each for each in now if each.is_complete]
            return error is not None or len(found) >= count

        def result(in_time: bool) -> list[RecordedRequest]:
            __tracebackhide__ = True
            if len(found) < count:
                _check(error)
            if not in_time:
                plural = "" if count == 1 else "s"
                raise self._timeout_of(f"{count} complete request{plural}, got {len(found)}", seconds)
            return found

        return RecordingWait(
            self._waiters, "requests", "wait", arguments_of(count, timeout), seconds, are_enough, result
        )

    def none(self, settle: float = 0.0) -> None:
        """Check that there is no request, and that none comes within `settle` seconds.

        Raises RequestMismatch, which shows what was recorded, and RequestTimeout if the test has not that much time;
        BlocksLoop if it would have to wait in the thread of a running event loop.
        """
        __tracebackhide__ = True  # pytest leaves such frames out
        self._none(settle).block()

    async def none_async(self, settle: float = 0.0) -> None:
        """Check and wait as `none()` does, while the event loop of asyncio or trio goes on."""
        __tracebackhide__ = True
        await self._none(settle).wait()

    def _none(self, settle: float) -> RecordingWait[None]:
        seconds = self._seconds(settle, "settle")

        def result(has_any: bool) -> None:
            __tracebackhide__ = True
            if has_any:
                _check(self._now()[1])
                raise RequestMismatch("no request", self._recorded())
            if seconds and is_over():
                raise self._timeout_of("no request to come", seconds)

        return RecordingWait(self._waiters, "requests", "none", f"settle={seconds:g}", seconds, self._has_any, result)

    def unfinished(self) -> list[RecordedRequest]:
        """Return the messages that are incomplete, at most one for each connection.

        Without framing there are none: everything that a connection sends is one request.
        """
        return [request for each in self.sources for request in each.unfinished()]

    def forget(self) -> None:
        """Forget what there was: on open connections a message that has begun goes on, and nothing before it."""
        for each in self.sources:
            each.forget()

    def _has_any(self) -> bool:
        found, error = self._now()
        return bool(found) or error is not None

    def _look(self) -> Found:
        """Return the requests, including ends that clients have seen, and the first framing error."""
        for each in self.sources:
            each.recorder.settle()
        return self._now()

    def _now(self) -> Found:
        """Return the requests that are recorded by now, and the first framing error."""
        parts = [each.now() for each in self.sources]
        found = [request for requests, _ in parts for request in requests]
        error = next((error for _, error in parts if error is not None), None)
        if self.framing is not None:
            found.sort(key=lambda request: (not request.is_complete, request.completed))
        elif len(parts) > 1:
            found.sort(key=lambda request: request.started)
        if error is not None:
            found = [request for request in found if request.is_complete]
        return found, error

    def _seconds(self, value: Any, name: str = "timeout") -> float:
        return seconds_of(value, self._timeout, name)

    def _timeout_of(self, expected: str, seconds: float) -> RequestTimeout:
        return RequestTimeout(expected, seconds, self._recorded(), self._hint(), is_cut=is_over())

    def _recorded(self) -> str:
        return "\n".join(summary(each.recorder) for each in self.sources)

    def _hint(self) -> str:
        has_streams = not all(each.is_datagram for each in self.sources)
        if self.framing is None and has_streams and any(not each.is_complete for each in self._now()[0]):
            return UNFRAMED
        return "\n".join(unfinished_words(each) for each in self.unfinished()[:MOST])


def unfinished_words(request: RecordedRequest) -> str:
    """Return the size and start of an incomplete message, and what it waits for."""
    return f"#{request.connection}: {len(request)} B wait for {request.waits_for}: {preview(request.shown_beginning())}"


def _check(error: Exception | None) -> None:
    """Raise the error of a framing, the same at each access."""
    __tracebackhide__ = True
    if error is not None:
        raise error.with_traceback(None)


def _is_settled(request: RecordedRequest) -> bool:
    return request.is_complete or request.replied is not None
