"""Errors of handlers, kept until the test takes them."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import overload

from windsock.errors import PeerError, WaitTimeout, WindsockError, text_of, whole
from windsock.net.callbacks import nothing
from windsock.net.system import threading
from windsock.protocols.errors import FramingError
from windsock.redaction import masked

__all__ = [
    "FramingError",
    "HandlerDied",
    "HandlerErrors",
    "HandlerFailed",
    "MessageTooLong",
    "RemoteTraceback",
    "RequestMismatch",
    "RequestTimeout",
    "TruncatedDatagram",
    "counted",
    "first_of_each",
]


class HandlerFailed(WindsockError):
    """Replaces an exception of a handler that cannot be raised as it is; its cause is that exception.

    Either one from another process that cannot be unpickled here, replaced by its text, or one that would end more than
    the request (SystemExit, pytest.fail()).
    """


class HandlerDied(WindsockError):
    """A handler's process was killed, or exited without an error report. `exit_code` is negative for a signal."""

    def __init__(self, pid: int, exit_code: int) -> None:
        self.pid = pid
        self.exit_code = exit_code
        how = f"exited with status {exit_code}"
        if exit_code < 0:
            how = f"was killed by {signal.Signals(-exit_code).name}"
        super().__init__(f"handler process {pid} {how}")


class RemoteTraceback(WindsockError):
    """The text of a traceback from another process."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


class TruncatedDatagram(WindsockError):
    """A datagram was longer than the server's `max_packet_size`, and the kernel truncated it."""

    def __init__(self, size: int, limit: int) -> None:
        self.size = size
        self.limit = limit
        super().__init__(f"a datagram of {size} bytes was cut to max_packet_size = {limit}")


class MessageTooLong(FramingError):
    """A message is longer than `limit` bytes, by the length that it gives or because its end has not come by then.

    `size` is the size in bytes according to the framing, None if unknown.
    """

    def __init__(
        self,
        framing: object,
        limit: int,
        size: int | None,
        data: bytes,
        *,
        connection: int | None = None,
        offset: int | None = None,
    ) -> None:
        self.limit = limit
        self.size = size
        what = "no end of the message within" if size is None else f"a message of {size} bytes, longer than"
        why = f"{what} the limit of {limit} bytes"
        super().__init__(framing, data, why, value=size, connection=connection, offset=offset)

    def _words(self) -> str:
        name = getattr(self.framing, "__name__", None)
        larger = f"say {name}.limit = ..." if name else f"say framing={type(self.framing).__name__}(..., limit=...)"
        if getattr(self.framing, "protocol", None) is not None:
            larger = "give the protocol a larger limit"
        return (
            f"{self.why}, framing {self.framing!r}; it begins with {masked(self.data)[:32]!r}\n"
            f"(if a message may be that long, {larger})"
        )


class RequestMismatch(PeerError):
    """The recorded requests are not those that were expected. `expected` and `recorded` describe both."""

    def __init__(self, expected: str, recorded: str) -> None:
        self.expected = expected
        self.recorded = recorded
        super().__init__(f"expected {expected}; recorded:\n{recorded}")


class RequestTimeout(WaitTimeout):
    """Too few requests came within `seconds`. `recorded` describes what came instead."""

    def __init__(self, expected: str, seconds: float, recorded: str, hint: str = "", *, is_cut: bool = False) -> None:
        self.expected = expected
        self.seconds = seconds
        self.recorded = recorded
        self.is_cut = is_cut
        more = f"\n({hint})" if hint else ""
        super().__init__(f"waited {whole(seconds, is_cut=is_cut)} for {expected}; recorded:\n{recorded}{more}")


WHERE = "windsock: while handling"


class HandlerErrors(Sequence[BaseException]):
    """The exceptions of handlers, oldest first. Can be read while the server runs.

    Errors that are not taken with `take()` fail a strict test at its end.
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
        """Return all errors and remove them: the test has dealt with them."""
        self._catch_up()
        with self._lock:
            taken, self._errors = self._errors, []
            self._blameless.clear()
        return taken

    def failures(self) -> list[BaseException]:
        """Return the errors that fail a strict test: all but those that the server's own stop caused."""
        return [error for error in self if id(error) not in self._blameless]

    def excuse(self, errors: Iterable[BaseException]) -> None:
        """Do not fail the test for these errors, and all of the same kind so far, since they were raised already."""
        kinds = set(map(_kind, errors))
        with self._lock:
            self._blameless.update(id(each) for each in self._errors if _kind(each) in kinds)

    def begin_again(self) -> list[BaseException]:
        """Remove all errors; return those that would still fail a strict test."""
        with self._lock:
            left = [error for error in self._errors if id(error) not in self._blameless]
            self._errors = []
            self._blameless.clear()
        return left

    def part(self) -> None:
        """Drop the reference to the recorder, which has nothing more to report."""
        self._catch_up = nothing

    def add(self, error: BaseException, connection: str, *, is_blameless: bool) -> None:
        """Add an error of a connection ("#0 from 127.0.0.1:1234") or of none (empty).

        If an error of a hook ends the loop, it is added again, without a connection.
        """
        if not connection and any(each is error for each in self._errors):
            return
        if connection:
            notes = getattr(error, "__notes__", ())
            if not any(each.startswith(WHERE) for each in notes):  # the same object may be raised repeatedly
                error.add_note(f"{WHERE} {connection}")
        with self._lock:
            self._errors.append(error)
            if is_blameless:
                self._blameless.add(id(error))


def counted(errors: Iterable[BaseException]) -> list[tuple[BaseException, int]]:
    """Return the first error of each kind, with the number of errors of that kind.

    Errors are of one kind if they have the same type and text, and were raised at the same line.
    """
    kinds: dict[object, list[BaseException]] = {}
    for each in errors:
        kinds.setdefault(_kind(each), []).append(each)
    return [(same[0], len(same)) for same in kinds.values()]


def first_of_each(errors: Iterable[BaseException]) -> list[BaseException]:
    """Return the first error of each kind, with a note of their number if there are several."""
    found = []
    for error, count in counted(errors):
        note = f"windsock: {count} times, this is the first"
        if count > 1 and note not in getattr(error, "__notes__", ()):
            error.add_note(note)
        found.append(error)
    return found


def _kind(error: BaseException) -> object:
    if isinstance(error, BaseExceptionGroup):
        return (type(error), error.message, *map(_kind, error.exceptions))
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return type(error), text_of(error), trace and (trace.tb_frame.f_code, trace.tb_lineno)
