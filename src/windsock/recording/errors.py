"""What went wrong in handlers, kept until somebody takes it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, overload

from windsock import addresses
from windsock.errors import PeerError, WaitTimeout, WindsockError
from windsock.net.system import threading

if TYPE_CHECKING:
    from windsock.recording.connection import Connection

__all__ = [
    "HandlerDied",
    "HandlerErrors",
    "HandlerFailed",
    "RemoteTraceback",
    "RequestMismatch",
    "RequestTimeout",
    "TruncatedDatagram",
]


class HandlerFailed(WindsockError):
    """A handler in another process raised an exception that can't be brought over; its text is the cause."""


class HandlerDied(WindsockError):
    """A handler's process was killed, or left without a word. `exit_code` is negative for a signal."""

    def __init__(self, pid: int, exit_code: int) -> None:
        self.pid = pid
        self.exit_code = exit_code
        how = f"left with exit status {exit_code}"
        if exit_code < 0:
            how = f"was killed by {signal.Signals(-exit_code).name}"
        super().__init__(f"handler process {pid} {how}")


class RemoteTraceback(WindsockError):
    """The text of a traceback from another process."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


class TruncatedDatagram(WindsockError):
    """A datagram was longer than the server takes (`max_packet_size`), and was cut by the kernel."""

    def __init__(self, size: int, limit: int) -> None:
        self.size = size
        self.limit = limit
        super().__init__(f"a datagram of {size} bytes was cut to max_packet_size = {limit}")


class RequestMismatch(PeerError):
    """Other requests were recorded than the test said. `expected` says what, `recorded` what came instead."""

    def __init__(self, expected: str, recorded: str) -> None:
        self.expected = expected
        self.recorded = recorded
        super().__init__(f"expected {expected}; recorded:\n{recorded}")


class RequestTimeout(WaitTimeout):
    """Too few requests came before the deadline, in `seconds`. `recorded` says what came instead."""

    def __init__(self, expected: str, seconds: float, recorded: str, hint: str = "") -> None:
        self.expected = expected
        self.seconds = seconds
        self.recorded = recorded
        more = f"\n({hint})" if hint else ""
        super().__init__(f"waited {seconds:g} s for {expected}; recorded:\n{recorded}{more}")


class HandlerErrors(Sequence[BaseException]):
    """The exceptions that handlers ended with, oldest first. Safe to read while the server runs.

    What nobody takes with `take()` fails a strict test at its end.
    """

    def __init__(self, catch_up: Callable[[], None]) -> None:
        self._catch_up = catch_up
        self._lock = threading.Lock()
        self._errors: list[BaseException] = []
        self._blameless: set[int] = set()

    @overload
    def __getitem__(self, index: int) -> BaseException: ...
    @overload
    def __getitem__(self, index: slice) -> list[BaseException]: ...
    def __getitem__(self, index: int | slice) -> BaseException | list[BaseException]:
        self._catch_up()
        return self._errors[index]

    def __len__(self) -> int:
        self._catch_up()
        return len(self._errors)

    def __iter__(self) -> Iterator[BaseException]:
        self._catch_up()
        return iter(list(self._errors))

    def __repr__(self) -> str:
        return f"<errors: {list(self)!r}>"

    def take(self) -> list[BaseException]:
        """Return all errors, and forget them: the test has dealt with them."""
        self._catch_up()
        with self._lock:
            taken, self._errors = self._errors, []
            self._blameless.clear()
        return taken

    def failures(self) -> list[BaseException]:
        """Return those that a strict test fails with: all but what the server's own stopping has caused."""
        return [error for error in self if id(error) not in self._blameless]

    def part(self) -> None:
        """Let go of the recorder, which has nothing more to tell."""
        self._catch_up = _nothing

    def add(self, connection: Connection | None, error: BaseException, *, is_blameless: bool) -> None:
        """Keep one more."""
        if connection is not None:
            note = f"windsock: while handling #{connection.index} from {addresses.show(connection.peer)}"
            if note not in getattr(error, "__notes__", ()):
                error.add_note(note)
        with self._lock:
            self._errors.append(error)
            if is_blameless:
                self._blameless.add(id(error))


def _nothing() -> None:
    """Nothing more will come."""
