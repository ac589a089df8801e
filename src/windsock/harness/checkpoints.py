"""Checkpoints: one server for several tests, each with a recording, expectations, faults and a verdict of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from windsock.errors import StillRunning, UsageError
from windsock.harness.draining import GRACE, Drain
from windsock.harness.verdict import ServerVerdict
from windsock.net import addresses
from windsock.net.deadlines import is_over, within
from windsock.net.system import monotonic
from windsock.recording.errors import first_of_each
from windsock.recording.part import Part

if TYPE_CHECKING:
    from windsock.clients.client_group import ClientGroup
    from windsock.fakes.fake import Fake
    from windsock.harness.server_run import ServerRun
    from windsock.injection.server_faults import ServerFaults

__all__ = ["Checkpoint", "CheckpointAPI"]


class Checkpoint:
    """The part of one test on a server that goes on after it, as a context manager; see `RunningServer.checkpoint`.

    Its end raises what the end of a server raises. An exception that leaves the `with` gets notes in its place.
    """

    def __init__(
        self,
        name: str,
        *,
        is_automatic: bool,
        begin: Callable[[Checkpoint], None],
        finish: Callable[[], None],
        finish_and_show: Callable[[], None],
        explain: Callable[[BaseException], None],
        discard: Callable[[], None],
    ) -> None:
        self.name = name
        self.is_automatic = is_automatic
        """Whether a plugin made it, for a test that may have others of its own."""
        self.has_others = False
        """Whether there were others in it: what it has defined is then for each of them, and need not be used."""
        self._begin = begin
        self._finish = finish
        self._finish_and_show = finish_and_show
        self._explain = explain
        self._discard = discard

    def __repr__(self) -> str:
        return f"<checkpoint {self.name!r}>"

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        __tracebackhide__ = True  # pytest leaves such frames out
        if error is None:
            self._finish_and_show()
        else:
            self._explain(error)

    def begin(self) -> None:
        """Begin. Raises UsageError in another checkpoint of the same server, and if the server is stopped."""
        __tracebackhide__ = True
        self._begin(self)

    def finish(self) -> None:
        """Drain the server and end the test's part; if the server is strict, raise what went wrong in it."""
        __tracebackhide__ = True
        self._finish()

    def stop(self) -> None:
        """End the test's part without a verdict, and without waiting for handlers. Idempotent."""
        self._discard()


class CheckpointAPI(ServerVerdict):
    """The checkpoints of a running server."""

    _fake: Fake | None
    _faults: ServerFaults | None
    _drain: Drain
    _run: ServerRun
    _part = Part()
    _outer: tuple[tuple[Checkpoint | None, ClientGroup | None], ...] = ()
    """The checkpoints that this one is in, or None for none, and the clients of each."""

    def checkpoint(
        self, name: str = "", *, _seed: Callable[[], int] | None = None, _is_automatic: bool = False
    ) -> Checkpoint:
        """Return a context manager for one of several tests that use this server, one after the other.

        In its `with`, `requests`, `connections` and `errors` are those of the test, numbered from 0. Connections that
        were open before keep their index, and come first; of them there is what came since, from the start of a
        message. Rules, replies, scripts, faults and clients from before are there as if made just now; those that are
        added in it are tried first, and gone at its end. It ends as a server does: what clients sent before they left
        is handled, then errors, unmet expectations and unfired faults of the test are raised; expectations from before
        need not be met by each test. `name` is the test's, for errors that come too late for its verdict; the end of
        the server raises them.

        Raises UsageError if the server is stopped, and at the start of a `with` in that of another checkpoint.
        """
        self._check_begins(name)

        def begin(checkpoint: Checkpoint) -> None:
            self._begin_part(checkpoint, _seed)

        return Checkpoint(
            name or (self._checkpoint.name if self._checkpoint is not None else "a checkpoint"),
            is_automatic=_is_automatic,
            begin=begin,
            finish=self._finish_part,
            finish_and_show=partial(self._finish_and_show, self._finish_part),
            explain=self._explain_part,
            discard=self._drop_part,
        )

    def _check_begins(self, name: str) -> None:
        if not isinstance(name, str):
            raise UsageError(f"checkpoint({name!r}): expected the name of a test, a str")
        if self._is_stopped:
            raise UsageError(f"checkpoint(): the {self.name} is stopped already; expected one before stop()")
        if self._is_inherited:
            raise UsageError(f"checkpoint(): the {self.name} is this child's parent's; expected it in the parent")

    def _begin_part(self, checkpoint: Checkpoint, seed: Callable[[], int] | None) -> None:
        self._check_begins(checkpoint.name)
        outer = self._checkpoint
        if outer is not None:
            self._interrupt(outer)
        self._outer = (*self._outer, (outer, self._client_group))
        self._checkpoint, self._has_failed, self._client_group = checkpoint, False, None
        self._part = Part(checkpoint.name, monotonic())
        self._seed = seed or self._seed
        self._drain.begin_again()
        if self._faults is not None:
            self._faults.number_clients_anew()
        with self._recorder.waiters:  # no connection is accepted meanwhile
            self._recorder.begin_part(self._part)
            self.requests.forget()
            if self._run.acceptances is not None:
                self._run.acceptances.begin_again()
            if self._fake is not None:
                self._fake.begin_part()
            if self._faults is not None:
                self._faults.begin_part(self.seed, [each.index for each in self._recorder.connections])

    def _interrupt(self, outer: Checkpoint) -> None:
        """Have a test go on in checkpoints of its own. Raises UsageError, and the errors that there are."""
        if not outer.is_automatic:
            raise UsageError(
                f"checkpoint(): the {self.name} is in another one, {outer.name!r}; expected its end first: each "
                "request belongs to one test"
            )
        outer.has_others = True
        self.drain()
        verdict = self._verdict(first_of_each(self._failures()))
        if verdict is not None:
            raise verdict

    def _finish_part(self) -> None:
        __tracebackhide__ = True
        if self._checkpoint is None or self._is_inherited:
            return
        self._check_waits_for_another("the end of a checkpoint")
        try:
            busy = self._settle_part()
            verdict = self._verdict([*first_of_each(self._failures()), *busy])
            self._has_failed |= verdict is not None
        finally:
            self._end_part()
        if verdict is not None:
            raise verdict

    def _explain_part(self, error: BaseException) -> None:
        if self._checkpoint is None or self._is_inherited:
            return
        try:
            self._explain(error, self._settle_part)
            self._has_failed = True
        finally:
            self._end_part()

    def _drop_part(self) -> None:
        if self._checkpoint is not None and not self._is_inherited:
            self._has_failed = True
            try:
                self._close_clients()
            finally:
                self._end_part()

    def _settle_part(self) -> list[StillRunning]:
        """Handle what clients have sent; return an error if handlers go on that should have ended."""
        self._close_clients()
        self._settle()
        return self._wait_for_leavers()

    def _wait_for_leavers(self) -> list[StillRunning]:
        """Wait for the handlers of clients that have left; return an error for those that go on, and for those that
        have not read what their clients sent.

        Waits for async handlers, which a stop would cancel, for a second at most.
        """
        is_async = getattr(self.server, "handles_async", False)
        seconds = within(min(GRACE, self.timeout) if is_async else self.timeout)
        names = [f"#{each.index} from {addresses.show(each.peer)}" for each in self._drain.wait_for_leavers(seconds)]
        what = f"{self._checkpoint!r} on the {self.name}: handlers that have not read all, or whose client has left,"
        return [StillRunning(what, seconds, names, is_cut=is_over())] if names and not is_async else []

    def _end_part(self) -> None:
        *outer, (self._checkpoint, group) = self._outer
        self._outer = (*outer,)
        self._part.is_over, self._part.has_failed = self._checkpoint is None, self._has_failed
        self.excuse(self.errors)
        self._has_failed = False
        if self._run.acceptances is not None:
            self._run.acceptances.begin_again()
        if self._faults is not None:
            self._faults.fault_set.end_part()
        if self._fake is not None:
            self._fake.end_part()
        self._client_group, self._client_failures = group, ()

    # --- what a running server does at its own end, too

    def drain(self) -> None:
        """Handle what clients sent before they left."""
        raise NotImplementedError

    def _check_waits_for_another(self, what: str) -> None:
        raise NotImplementedError

    def _settle(self) -> None:
        raise NotImplementedError
