"""The connections so far, and waiting for their ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from windsock.errors import UsageError
from windsock.net import deadlines
from windsock.recording.connection import Connection
from windsock.recording.errors import RequestTimeout
from windsock.recording.transcript import summary
from windsock.recording.waits import RecordingWait

if TYPE_CHECKING:
    from windsock.recording.recorder import Recorder

__all__ = ["Connections", "arguments_of", "check_count", "count_in_words", "seconds_of", "traffic_in_words"]


class Connections(list[Connection]):
    """The connections at the moment of the call: a list, oldest first."""

    __slots__ = ("_recorder", "_timeout")

    def __init__(self, recorder: Recorder, timeout: Callable[[], float]) -> None:
        recorder.settle()
        super().__init__(recorder.connections)
        self._recorder = recorder
        self._timeout = timeout

    def wait(self, count: int = 1, timeout: float | None = None) -> list[Connection]:
        """Wait up to `timeout` seconds until at least `count` connections have ended; return all that have ended.

        Raises RequestTimeout, which shows what was recorded instead; BlocksLoop if it would have to wait in the thread
        of a running event loop.
        """
        __tracebackhide__ = True  # pytest leaves such frames out
        return self._wait(count, timeout).block()

    async def wait_async(self, count: int = 1, timeout: float | None = None) -> list[Connection]:
        """Wait as `wait()` does, while the event loop of asyncio or trio goes on."""
        __tracebackhide__ = True
        return await self._wait(count, timeout).wait()

    def _wait(self, count: int, timeout: float | None) -> RecordingWait[list[Connection]]:
        check_count(count, "connections")
        seconds = seconds_of(timeout, self._timeout)
        ended: list[Connection] = []

        def are_enough() -> bool:
            self._recorder.catch_up()
            ended[:] = [each for each in self._recorder.connections if each.is_closed]
            return len(ended) >= count

        def result(in_time: bool) -> list[Connection]:
            __tracebackhide__ = True
            if not in_time:
                expected = f"{count} connection{'' if count == 1 else 's'} to end, got {len(ended)}"
                raise RequestTimeout(expected, seconds, summary(self._recorder), is_cut=deadlines.is_over())
            return ended

        return RecordingWait(
            self._recorder.waiters, "connections", "wait", arguments_of(count, timeout), seconds, are_enough, result
        )


def arguments_of(count: int, timeout: float | None) -> str:
    """Return how a wait was called, for messages."""
    return f"{count}" if timeout is None else f"{count}, timeout={timeout:g}"


def check_count(count: Any, of_what: str) -> None:
    """Raise UsageError if a count is not a whole number from 0 up."""
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise UsageError(f"wait(count={count!r}): expected a number of {of_what}, 0 or more")


def seconds_of(value: Any, default: Callable[[], float], name: str = "timeout") -> float:
    """Return how long to wait. Raises UsageError for an invalid time."""
    if value is None:
        value = default()
    if not deadlines.is_seconds(value):
        raise UsageError(f"{name}={value!r}: expected seconds, 0 or more")
    return float(value)


def count_in_words(connections: Sequence[Connection], *, is_datagram: bool) -> str:
    """Return the number of connections or datagrams with its noun."""
    count = len(connections)
    return f"{count} {'datagram' if is_datagram else 'connection'}{'' if count == 1 else 's'}"


def traffic_in_words(name: str, connections: Sequence[Connection], *, is_datagram: bool) -> str:
    """Return how many connections a server or proxy has had, and how many bytes each way."""
    up, down = (sum(len(getattr(each, way)) for each in connections) for way in ("upstream", "downstream"))
    return f"the {name} had {count_in_words(connections, is_datagram=is_datagram)}, {up} B up, {down} B down"
