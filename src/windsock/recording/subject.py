"""The base of servers and proxies in a test: where they are, what they have recorded, and what fails the test."""

from __future__ import annotations

import contextlib
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, count
from typing import Any, ClassVar, Self, TypeVar

from windsock import redaction
from windsock.errors import UsageError, visible
from windsock.net import addresses, virtual
from windsock.net.interrupts import stop_forgotten
from windsock.net.system import monotonic, os
from windsock.recording.async_life import AsyncLife
from windsock.recording.changes import Change
from windsock.recording.connections import Connections
from windsock.recording.errors import HandlerErrors, counted, first_of_each
from windsock.recording.exception_pickle import in_short
from windsock.recording.notes import FindingNote, TranscriptNote
from windsock.recording.protocol_framing import protocol_of
from windsock.recording.recorder import Recorder
from windsock.recording.request_source import RequestSource
from windsock.recording.requests import Requests

__all__ = ["Subject", "distinct_name", "living", "plain_address"]

E = TypeVar("E", bound=BaseException)


class Subject(AsyncLife):
    """A server or proxy that runs from its constructor to `stop()`; also a context manager, which finishes it.

    In a task, `async with` does so while the event loop goes on.

    `requests`, `connections` and `errors` are what it has seen. If it is strict, `finish()` raises its errors. `redact`
    says what is secret in all that is shown.
    """

    address: Any
    """(host, port) that clients connect to, or the path (or abstract name, with its NUL) of a Unix socket."""
    what_fails = "errors"
    """The heading of a group of its errors..."""
    what_is_unmet = "unmet expectations"
    """...and of one of what has not happened."""

    conclude: ClassVar[staticmethod[[BaseException], list[str]]]
    """Return sentences about the cause of an exception; the function is in a room above this one."""

    _is_stopped = True
    """Whether it does not run: not any more, or not yet."""

    def __init__(
        self,
        name: str,
        *,
        strict: bool,
        timeout: float,
        framing: Any,
        is_unix: bool,
        is_datagram: bool,
        redact: Any = None,
    ) -> None:
        self.name = name
        self.strict = strict
        self.timeout = timeout
        self.is_unix = is_unix
        self.is_datagram = is_datagram
        self.began: float = monotonic()
        self._world = virtual.number()
        self._recorder = Recorder()
        self.changes: Sequence[Change] = self._recorder.changes
        """What happened to it as a whole, such as an outage."""
        self._recorder.protocol = protocol_of(framing)
        self._has_failed = False
        self._process_id = os.getpid()
        redaction.keep(self, redaction.rules_from(redact))
        self.requests: Requests = Requests(
            RequestSource(self._recorder, framing, is_datagram=is_datagram), timeout=lambda: timeout
        )

    def _has_started(self) -> None:
        """Be among `living()` from now on. The last call of a constructor: what has failed to start has no facts."""
        _living.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        __tracebackhide__ = True  # pytest leaves such frames out
        if error is None:
            self._finish_and_show(self.finish)
        elif self._is_inherited:
            self.stop()
        else:
            self._explain(error, self.stop)

    def _finish_and_show(self, finish: Callable[[], None]) -> None:
        """Finish; note on what that raises what was recorded."""
        __tracebackhide__ = True
        try:
            finish()
        except Exception as failure:
            failure.add_note(self._transcript_note())
            raise

    def _explain(self, error: BaseException, end: Callable[[], object]) -> None:
        """End it; note on an exception what may have led to it, and unless it ends the program, what was recorded."""
        notes = getattr(error, "__notes__", ())
        if isinstance(error, Exception) and not any(isinstance(each, FindingNote) for each in notes):
            for sentence in self.conclude(error):
                error.add_note(FindingNote(f"windsock: {sentence}"))
        end()
        self.note_on(error)

    def note_on(self, error: BaseException, *, is_over: bool = True) -> None:
        """Note on the exception of a test what went wrong here, which `finish()` does not raise then, and what came.

        `is_over`: it has ended the test. After a wrong call of windsock nothing is said of expectations.
        """
        for note in self.notes(is_over=is_over and not isinstance(error, UsageError)):
            error.add_note(f"windsock: {note}")
        self.excuse(self.errors)
        if isinstance(error, Exception):
            error.add_note(self._transcript_note())

    def _transcript_note(self) -> TranscriptNote:
        return TranscriptNote("\n  ".join([f"windsock: {self.describe()}", *self.transcript()]))

    def __del__(self) -> None:
        if not (self._is_stopped or self._is_inherited or sys.is_finalizing()):
            stop_forgotten(self)

    def stop(self) -> None:
        """Stop. Must be overridden."""
        raise NotImplementedError

    def transcript(self) -> list[str]:
        """Return what was recorded, a line an event. Must be overridden."""
        raise NotImplementedError

    def describe(self) -> str:
        """Return in one line what this is and where. Must be overridden."""
        raise NotImplementedError

    def end_connections(self) -> None:
        """End all connections that are open now, and go on; a client that waits sees the end. From any thread.

        Must be overridden.
        """
        raise NotImplementedError

    def finish(self) -> None:
        """Stop, and raise what fails the test. Must be overridden."""
        raise NotImplementedError

    @property
    def is_stopped(self) -> bool:
        """Whether it has been stopped."""
        return self._is_stopped

    # --- where it is

    @property
    def host(self) -> str:
        """The host that clients connect to. Raises UsageError for Unix sockets."""
        return str(self._ip_address("host")[0])

    @property
    def port(self) -> int:
        """The port that clients connect to. Raises UsageError for Unix sockets."""
        return int(self._ip_address("port")[1])

    @property
    def path(self) -> str:
        """The path (or abstract name, with its NUL) of a Unix socket. Raises UsageError for others."""
        if not self.is_unix:
            raise UsageError(f"path: the {self.name} has none; its address is {self.shown_address}")
        return str(self.address)

    @property
    def shown_address(self) -> str:
        """The address as people write it: `127.0.0.1:80`, `[::1]:80`, `/run/x.sock`, `@name`."""
        return addresses.show(self.address)

    def _ip_address(self, what: str) -> tuple[Any, ...]:
        if self.is_unix:
            raise UsageError(f"{what}: the {self.name} has none; its path is {self.shown_address}")
        return tuple(self.address)

    # --- what happened

    @property
    def connections(self) -> Connections:
        """The connections so far, a list; for datagrams, one for each datagram. `wait()` waits for their ends."""
        return Connections(self._recorder, lambda: self.timeout)

    @property
    def errors(self) -> HandlerErrors:
        """The exceptions of handlers, and of the server or proxy itself; `errors.take()` excuses them."""
        return self._recorder.errors

    def was_active_since(self, time: float) -> bool:
        """Return whether it was started, or a client was connected, at that time (monotonic seconds) or later.

        What is of another simulated world than the live one was not: its clock is another.
        """
        if self._world != virtual.number():
            return False
        return self.began >= time or any(
            each.closed_at is None or each.closed_at >= time for each in list(self._recorder.connections)
        )

    # --- what fails the test

    def failure(self) -> BaseExceptionGroup[BaseException] | None:
        """Return what fails the test at the end of its body; None if there is nothing.

        Its errors, or else the expectations that were not met, unless a connection is open on which they may be.
        """
        found = first_of_each(self._failures())
        if found:
            return self._with_unmet(self._group(self.what_fails, found))
        if self._has_failed or not self._unmet() or self._may_be_met():
            return None
        unmet = self._unmet()  # what has been met by now is not among them
        return self._group(self.what_is_unmet, unmet) if unmet else None

    def excuse(self, errors: Iterable[BaseException]) -> None:
        """Have `finish()` not raise again what was raised already, nor what has not happened because of it."""
        self.errors.excuse(errors)
        self._has_failed = True

    def notes(self, *, is_over: bool = True) -> Iterator[str]:
        """Yield what to say beside another exception that fails the test, which this may be the cause of.

        Errors come with their tracebacks, from the handler on. Nothing is said of expectations unless the test
        `is_over`: it has come to the calls that should meet them.
        """
        for failure, times in counted(self._failures() if is_over else self._new_errors()):
            said = f" ({times} times)" if times > 1 else ""
            told = visible(redaction.text(in_short(failure)), but="\n")
            yield f"the {self.name} had an error too{said}: {told}"
        if is_over:
            yield from (f"the {self.name}: {redaction.text(each.what)}" for each in self._unmet())

    def _failures(self) -> list[BaseException]:
        """Return the errors that fail a strict test. May be extended (call super)."""
        return self._new_errors()

    def _new_errors(self) -> list[BaseException]:
        """Return the errors that no report has had. May be extended (call super)."""
        return self.errors.failures() if self.strict else []

    def _unmet(self) -> list[Any]:
        """Return an error for each expectation that was not met; `what` is its text without the remedy.

        May be overridden.
        """
        return []

    def _may_be_met(self) -> bool:
        """Return whether a connection is open, on which what has not happened may still happen. May be extended."""
        return any(not each.is_closed for each in list(self._recorder.connections))

    def _with_unmet(self, error: E) -> E:
        """Return an error with a note of each expectation that was not met: as a rule that is why."""
        for each in self._unmet():
            error.add_note(f"windsock: the {self.name}: {redaction.text(each.what)}")
        return error

    def _group(self, what: str, failures: list[BaseException]) -> BaseExceptionGroup[BaseException]:
        return BaseExceptionGroup(f"{self.name} on {self.shown_address}: {what}", failures)

    @property
    def is_running(self) -> bool:
        """True from its constructor to `stop()`."""
        return not self._is_stopped

    def _discard(self) -> None:
        """Close the recording of what could not start, and forget it: it has nothing to show."""
        self._recorder.close()  # or the next fork makes it ready for children
        _living.discard(self)

    @property
    def _is_inherited(self) -> bool:
        """True in a forked child, where it is the parent's."""
        return os.getpid() != self._process_id


_living: weakref.WeakSet[Subject] = weakref.WeakSet()


def living() -> list[Subject]:
    """Return the servers and proxies of this process that are still in use, running or stopped, the oldest first."""
    while True:
        with contextlib.suppress(RuntimeError):  # another thread has just started one
            return sorted(_living, key=lambda each: each.began)


def distinct_name(name: str) -> str:
    """Return a name that no server or proxy has that runs now: with a number, if one has it."""
    taken = {each.name for each in living() if each.is_running}
    names = chain([name], (f"{name} {number}" for number in count(2)))
    return next(each for each in names if each not in taken)


def plain_address(name: Any) -> Any:
    """Return (host, port), also for IPv6, or the path."""
    return name[:2] if isinstance(name, tuple) else addresses.plain(name)
