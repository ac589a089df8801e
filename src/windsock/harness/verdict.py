"""What fails the test of a server: errors, unmet expectations, unfired faults, failures of background scripts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from windsock.errors import PeerError, WaitTimeout
from windsock.harness.accept_api import AcceptAPI
from windsock.recording.subject import Subject

if TYPE_CHECKING:
    from windsock.fakes.fake import Fake
    from windsock.harness.checkpoints import Checkpoint

__all__ = ["ServerVerdict"]


class ServerVerdict(AcceptAPI, Subject):
    """The verdict on a running server, at the end of a test or of its own."""

    what_fails = "errors in handlers"
    _fake: Fake | None
    _checkpoint: Checkpoint | None = None
    """The part of one test that goes on."""

    def _verdict(self, failures: list[BaseException]) -> BaseExceptionGroup[BaseException] | None:
        what = self.what_fails if failures else "scripts in the background failed"
        failures = [*failures, *self._client_failures]
        unmet = self._unmet()
        if not failures and unmet and not self._has_failed:
            what, failures = self.what_is_unmet, [*unmet]
        if not failures:
            return None
        group = self._group(what, failures)
        return group if failures == unmet else self._with_unmet(group)

    def _failures(self) -> list[BaseException]:
        found = super()._failures()
        if self._fake is not None and self._has_failed:
            # the expectations that a failed test has not met are not reported again
            found = [each for each in found if not isinstance(each, PeerError | WaitTimeout)]
        late = self._recorder.late_errors
        if late is not None and self._checkpoint is None and self.strict:
            found = [*late.failures(), *found]
        return found

    def _new_errors(self) -> list[BaseException]:
        found = super()._new_errors()
        if self._fake is not None:
            _without_our_way(found)
        return found

    def _unmet(self) -> list[Any]:
        """Return the unmet expectations and unfired faults that should fail the test."""
        found: list[Any] = []
        if self._checkpoint is not None and self._checkpoint.has_others:
            return found
        if self._fake is not None and self.strict:
            found += self._fake.expectations.unreachable()
        if self._fake is not None and self._is_to_be_used:
            found += self._fake.expectations.unmet()
            found += self._never_entered()
        if self.strict and self._faults is not None:
            found += self._faults.failures()
        if self.strict and self._client_group is not None:
            found += self._client_group.unfired
        return found

    @property
    def _is_to_be_used(self) -> bool:
        """True if unmet expectations of the fake fail the test."""
        return self.strict and not self.options.allow_unused

    def _may_be_met(self) -> bool:
        if self._fake is None or not self._is_to_be_used:
            return super()._may_be_met()
        if not self._is_stopped:
            self._fake.expectations.settle(self.server, self.options.timeout)
        return self._fake.expectations.is_waiting()

    def notes(self, *, is_over: bool = True) -> Iterator[str]:
        """See Subject; with failures of scripts in the background."""
        yield from super().notes(is_over=is_over)
        yield from (f"a script in the background failed too: {failure}" for failure in self._client_failures)


def _without_our_way(failures: list[BaseException]) -> None:
    """Remove the tracebacks of a fake's own errors: all frames are ours, and the messages say where."""
    for each in failures:
        if isinstance(each, PeerError | WaitTimeout):
            each.__traceback__ = None
