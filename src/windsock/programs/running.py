"""A real program in a test: started, ready, broken on purpose, stopped."""

from __future__ import annotations

import contextlib
import signal
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Self

from windsock import redaction
from windsock.errors import UsageError, WindsockError
from windsock.net import addresses
from windsock.net.blocks import Block
from windsock.net.interrupts import stop_forgotten, uninterrupted
from windsock.net.permission import check_allowed
from windsock.net.system import os, socket
from windsock.programs import start
from windsock.programs.errors import ProgramEnded, ending_of
from windsock.programs.execution import Execution, name_of
from windsock.programs.options import ProgramOptions
from windsock.programs.output import ProgramOutput
from windsock.programs.place import ProgramPlace
from windsock.programs.ports import family_of
from windsock.programs.process import Process

if TYPE_CHECKING:
    from windsock.proxies.proxy import FaultProxy

__all__ = ["RealServer"]

LAST = 20
"""The lines of output that are noted on the exception of a failed `with`."""


class RealServer(ProgramPlace):
    """A running program, from `real_server()` to `stop()`; also a context manager, which finishes it.

    `command` is the command as it was run, `addresses` are those of its placeholders by name ("port" and "path" where
    they have none), `directory` is its private directory, `{tmp}`. `output` is what it has written to stdout and
    stderr.
    """

    _is_stopped = True
    """Whether it does not run: not any more, or not yet."""

    def __init__(self, options: ProgramOptions, _make_proxy: Callable[..., FaultProxy] | None = None) -> None:
        super().__init__(name_of(options), options, _make_proxy)
        self._is_excused = False
        self._owner = os.getpid()
        redaction.keep(self, redaction.rules_from(options.redact))
        self._execution = Execution(options, self.name, weakref.ref(self))
        try:
            start.check_ready_can_be_seen(self._execution)
            check_allowed(self.name, self._family())
            self._is_stopped = False
            start.first_start(self._execution)
        except BaseException:
            self._give_up()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        __tracebackhide__ = True  # pytest leaves such frames out
        if error is None:
            self.finish()
            return
        lines = [redaction.line(each) for each in self.output.lines[-LAST:]]
        error.add_note("\n  ".join([f"windsock: {self.describe()}", *lines]))
        with contextlib.suppress(WindsockError):
            self.stop()

    def __repr__(self) -> str:
        return f"<{self.describe()}>"

    def __del__(self) -> None:
        if not (self._is_stopped or os.getpid() != self._owner or sys.is_finalizing()):
            stop_forgotten(self)

    def describe(self) -> str:
        """Return in one line what this is and where."""
        address = self._execution.address
        where = "" if address is None else f" at {addresses.show(address)}"
        return f"{self.name}{where}, {'stopped' if self._is_stopped else self._execution.state()}"

    # --- where it is

    @property
    def direct_address(self) -> Any:
        """The program's own address, also with a proxy in front. Raises UsageError for one without an address."""
        return self._execution.known_address

    @property
    def addresses(self) -> dict[str, Any]:
        """The program's own addresses, by the names of their placeholders."""
        return dict(self._execution.workspace.placeholders.addresses)

    @property
    def directory(self) -> str:
        """Its private directory, `{tmp}`, which is removed when it is stopped."""
        return self._execution.workspace.directory

    @property
    def command(self) -> list[str]:
        """The command as it was run."""
        return list(self._execution.workspace.command)

    # --- whether it runs

    @property
    def pid(self) -> int | None:
        """The process id, or None while it is down."""
        return self._execution.pid

    @property
    def process(self) -> Process:
        """Its process. Raises UsageError while it is down."""
        return self._execution.process

    @property
    def output(self) -> ProgramOutput:
        """What it has written to stdout and stderr."""
        return self._execution.output

    @property
    def is_running(self) -> bool:
        """Whether the program runs, paused or not."""
        return self._execution.is_running

    @property
    def is_stopped(self) -> bool:
        """Whether `stop()` was called."""
        return self._is_stopped

    @property
    def exit_code(self) -> int | None:
        """The exit code of the process that ended last: negative for a signal; None if none has, or it is unknown."""
        return self._execution.exit_code

    # --- what fails the test

    def failure(self) -> ProgramEnded | None:
        """Return an error if it is strict, and has ended by itself since its last start, with another code than 0.

        None if a report shows that already.
        """
        execution = self._execution
        if self._is_excused or not (self.options.strict and execution.has_failed):
            return None
        return execution.error(f"{ending_of(execution.exit_code)} while the test needed it")

    @property
    def errors(self) -> list[ProgramEnded]:
        """What `finish()` would raise now."""
        failure = self.failure()
        return [] if failure is None else [failure]

    def notes(self, *, is_over: bool = True) -> list[str]:  # noqa: ARG002  # as of servers
        """Return what to say on the exception of a test."""
        return list(map(str, self.errors))

    def excuse(self, errors: Iterable[BaseException]) -> None:  # noqa: ARG002  # as of servers
        """Have `finish()` not raise that it has ended: a report shows it."""
        self._is_excused = True

    # --- faults

    @property
    def proxy(self) -> FaultProxy:
        """The proxy in front of it, made on first use; from then on `address` is the proxy's."""
        if self._faulty is None:
            self._check_not_stopped("proxy")
        return super().proxy

    def remove_proxy(self) -> None:
        """Finish the proxy in front of it, if there is one: `address` is its own again. Raises what `finish()` does."""
        __tracebackhide__ = True  # pytest leaves such frames out
        if self._owner == os.getpid():
            super().remove_proxy()

    # --- what happens to it

    def pause(self) -> None:
        """Stop all its processes where they stand (SIGSTOP): it accepts connections, and does not answer."""
        process = self._running("pause()")
        self._changes.note("pause()", is_down=True)
        process.signal_all(signal.SIGSTOP)
        process.wait_until_paused()

    def resume(self) -> None:
        """Undo `pause()`."""
        self._running("resume()").signal_all(signal.SIGCONT)
        if self._changes and self._changes[-1].is_down:
            self._changes.note("resume()", is_down=False)

    def kill(self) -> None:
        """Kill all its processes (SIGKILL), and wait until they are gone. Connections are reset or ended."""
        self._running("kill()")
        self._changes.note("kill()", is_down=True)
        self._execution.kill()

    def restart(self) -> None:
        """Stop it if it runs, and start it again on the same addresses, in the same directory; wait until it is ready.

        Raises what `stop()` and `real_server()` raise.
        """
        with self._down("restart()", self._check_not_stopped):
            pass

    def outage(self) -> Block[None]:
        """Be down for the length of a `with`: it is stopped, clients are refused; then up again, same address."""
        return Block("outage()", self._down("outage()", self._running))

    @uninterrupted
    def stop(self) -> None:
        """Ask it to end, insist, and kill what is left of it; remove its directory. Idempotent.

        Each of its processes is gone when this returns. Does nothing in a forked child. Raises ProgramStuck if it had
        to be killed, `stop_timeout` seconds after it was asked.
        """
        if self._is_stopped or self._owner != os.getpid():
            return
        self._is_stopped = True
        faulty = self._taken_proxy()
        try:
            if faulty is not None:
                faulty.stop()
        finally:
            failure = self._execution.end()
            self._execution.workspace.remove()
        if failure is not None:
            raise failure

    def finish(self) -> None:
        """Finish the proxy in front of it, if any, and stop; if it is strict, raise what went wrong.

        That is a program that has ended by itself, with an exit code other than 0.
        """
        __tracebackhide__ = True  # pytest leaves such frames out
        failure = self.failure()
        try:
            self.remove_proxy()
        finally:
            self.stop()
        if failure is not None:
            raise failure

    # --- ends

    @contextlib.contextmanager
    def _down(self, call: str, check: Callable[[str], object]) -> Iterator[None]:
        check(call)
        with self._changes.during(call):
            before = self._execution.address
            failure = self._execution.end()
            try:
                yield
            finally:
                if not self._is_stopped:
                    self._is_excused = False
                    start.start_again(self._execution)
                    self._check_proxy_leads_here(before)
            if failure is not None:
                raise failure

    @uninterrupted
    def _give_up(self) -> None:
        self._is_stopped = True
        self._execution.kill()
        self._execution.workspace.remove()

    def _running(self, call: str) -> Process:
        self._check_not_stopped(call)
        if not self.is_running:
            raise UsageError(f"{call}: {self.describe()}; expected a program that runs: call restart() first")
        return self.process

    def _check_not_stopped(self, what: str) -> None:
        if self._is_stopped:
            raise UsageError(f"{what}: {self.name} is stopped already")
        if self._owner != os.getpid():
            raise UsageError(f"{what}: {self.name} is this child's parent's; expected it in the parent")

    def _check_proxy_leads_here(self, before: Any) -> None:
        now = self._execution.address
        if self._faulty is not None and before != now:
            raise UsageError(
                f"{self.name} has chosen another port at its restart: it is at {addresses.show(now)}, its proxy "
                f"leads to {addresses.show(before)}; pass {{port}} in its command, so that it keeps its port"
            )

    def _family(self) -> int:
        address = self._execution.address
        return int(family_of(address[0]) if isinstance(address, tuple) else socket.AF_UNIX)
