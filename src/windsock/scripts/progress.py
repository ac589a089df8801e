"""The progress of a script: a value that is fed with bytes, ends and time, and returns the next action. No I/O.

A driver calls `next(now)` in a loop: it carries out the action, or waits as a `Wait` says and feeds the inbox, until
no action is left. (`__tracebackhide__`: pytest shows the test's line, not the code that found the failure.)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

from windsock.errors import whole
from windsock.scripts import steps as kinds
from windsock.scripts.cursor import Cursor
from windsock.scripts.failures import ScriptMismatch, ScriptTimeout
from windsock.scripts.inbox import Inbox
from windsock.scripts.judging import Judging, branch_met
from windsock.scripts.matching import Failed, Matched, NeedMore
from windsock.scripts.messages import lack_of, none_of
from windsock.scripts.orders import Act, Action, Transmit, Wait
from windsock.scripts.sending import Sending
from windsock.scripts.step import StepSequence
from windsock.scripts.steps import Step

__all__ = ["Act", "Action", "Progress", "Transmit", "Wait"]


class Progress:
    """One script being played with one inbox.

    `timeout` is for steps that have none of their own; `limit` is the monotonic time at which everything must be over,
    except for pauses if `can_be_stopped` (something else ends them then); `first` is the number of the first step, and
    `whose` a prefix of error messages. `cursor` is the position.
    """

    def __init__(
        self,
        script: StepSequence,
        inbox: Inbox,
        *,
        timeout: float,
        limit: float = math.inf,
        can_be_stopped: bool = False,
        first: int = 1,
        whose: str = "",
    ) -> None:
        script.check(is_datagram=inbox.is_datagram, is_record=inbox.is_record)
        self.inbox = inbox
        self.cursor: Cursor = Cursor(script, inbox, first)
        self._timeout = timeout
        self._limit = limit
        self._pause_limit = math.inf if can_be_stopped else limit
        self._begun: float | None = None
        self._is_acting = False
        self._judging = Judging(inbox, self.cursor, whose)
        self._sending: Sending | None = None

    def __repr__(self) -> str:
        return f"<Progress at {self.cursor.where}>"

    @property
    def expects_urgent(self) -> bool:
        """Whether a step expects urgent data: the endpoint must report the marks from the start."""
        return self.cursor.script.expects_urgent

    @property
    def deadline(self) -> float:
        """The monotonic time at which the current step times out."""
        step = self.cursor.step
        if step is None or self._begun is None:
            return self._limit
        end = self._begun + self._seconds
        return end if end < self._limit else self._limit

    # --- progress

    def next(self, now: float) -> Action | None:
        """Return the next action or wait at this time; None when all steps are done.

        An action counts as done when `next` is called again. Raises ScriptMismatch if the other end did something
        unexpected, ScriptTimeout if it was too slow.
        """
        __tracebackhide__ = True
        while True:
            step = self.cursor.step
            if step is None:
                if not self.cursor.go_on():
                    return None
                continue
            if self._begun is None:
                self._begun = now
            action = self._handlers[type(step)](self, step, now)
            if action is not None:
                return action

    def stopped(self, why: str, now: float) -> ScriptMismatch:
        """Return the error for a script that ends before its last step."""
        return ScriptMismatch(self._judging.failure(why, 0, now))

    def timed_out(self, now: float, why: str = "") -> ScriptTimeout:
        """Return the error for a current step that has taken too long."""
        is_cut = self._is_cut(now)
        what = f"{why} within {whole(self._seconds, is_cut=is_cut)}" if why else self._lack(now)
        return ScriptTimeout(self._judging.failure(what, 0, now, is_cut=is_cut))

    def _advance(self) -> None:
        self.cursor.advance()
        self._begun = None
        self._judging.forget()

    # --- one method for each kind of step; None: done, continue with the next step

    def _send(self, step: kinds.Send, now: float) -> Action | None:
        __tracebackhide__ = True
        if step.pieces is None and type(step.data) is bytes:
            return None if self._has_been_done() else Transmit(step.data, self.deadline)
        if self._sending is None:
            self._sending = Sending(step, self._judging.where(), self.inbox.conversation, now)
        sending = self._sending
        if sending.left and now < min(sending.due_at, self._pause_limit):
            return Wait(min(sending.due_at, self._pause_limit))
        if sending.left and now >= self._limit:
            why = f"the time of the test is over, and {sending.rest_in_words()}"
            raise ScriptTimeout(self._judging.failure(why, 0, now, is_cut=True))
        data = sending.take(now)
        if data is None:
            self._sending = None
            self._advance()
        if not data and (data is None or not self.inbox.has_units):
            return None
        self._begun = now  # each piece has the whole timeout
        return Transmit(data, self.deadline)

    def _urgent(self, step: kinds.Urgent, now: float) -> Action | None:  # noqa: ARG002  # one signature for all
        return None if self._has_been_done() else Transmit(step.data, self.deadline, True)

    def _act(self, step: Step, now: float) -> Action | None:  # noqa: ARG002  # one signature for all
        return None if self._has_been_done() else Act(step, self.deadline)

    def _has_been_done(self) -> bool:
        """Return True from the second call on: until then, `timed_out()` and `stopped()` name this step."""
        self._is_acting = not self._is_acting
        if self._is_acting:
            return False
        self._advance()
        return True

    def _pause(self, step: kinds.Pause, now: float) -> Action | None:
        __tracebackhide__ = True
        return self._until(self._since(now) + step.seconds, now)

    def _wait_for(self, step: kinds.WaitFor, now: float) -> Action | None:
        __tracebackhide__ = True
        if step.event.is_set():
            self._advance()
            return None
        if now >= self.deadline:
            raise self.timed_out(now)
        return Wait(self.deadline, step.event)

    def _silence(self, step: kinds.ExpectSilence, now: float) -> Action | None:
        __tracebackhide__ = True
        end = self._since(now) + step.for_
        verdict = self._judging.judge(step)
        if isinstance(verdict, Failed) and self.inbox.came_at < end:
            self._unmet(verdict, now)
            return None
        return self._until(end, now)

    def _expect(self, step: kinds.Expect, now: float) -> Action | None:
        __tracebackhide__ = True
        inbox = self.inbox
        if not inbox.has_units and type(step.what) is bytes:  # the usual case, without a verdict
            if not inbox.unread and not inbox.has_eof and not inbox.was_reset:
                return self._patience(now)
            if inbox.unread.startswith(step.what):
                inbox.take(len(step.what))
                self._advance()
                return None
        return self._look(step, now)

    def _look(self, step: Step, now: float) -> Action | None:
        __tracebackhide__ = True
        if isinstance(step, kinds.ExpectEof | kinds.ExpectReset | kinds.ExpectEnd) and step.discard:
            self.inbox.discard()  # at once, since an endless stream would fill the memory
        verdict = self._judging.take(step)
        if verdict is None:
            verdict = self._judging.judge(step)
        elif self.inbox.came_at > self._since(now):
            self._begun = self.inbox.came_at  # each part has the whole timeout
        if isinstance(verdict, Matched):
            if verdict.size or self.inbox.datagrams:
                self.inbox.take(verdict.size)
            self._judging.note(step, verdict.size)
            self._advance()
            return None
        if isinstance(verdict, NeedMore):
            return self._patience(now)
        self._unmet(verdict, now)
        return None

    def _loop(self, step: kinds.Loop, now: float) -> Action | None:  # noqa: ARG002  # one signature for all
        self.cursor.enter(step.script, loop=step)
        self._begun = None
        return None

    def _one_of(self, step: kinds.OneOf, now: float) -> Action | None:
        __tracebackhide__ = True
        verdicts = [self._judging.judge(each.steps[0]) for each in step.scripts]
        number = branch_met(step, verdicts)
        if number is not None:
            self._judging.forget()
            self.cursor.enter(step.scripts[number], branch=number + 1)
            return None
        if any(isinstance(each, NeedMore) for each in verdicts):
            return self._patience(now)
        unmet = [each for each in verdicts if isinstance(each, Failed)]
        reasons = [(script.steps[0].text, each.why) for script, each in zip(step.scripts, unmet, strict=True)]
        self._unmet(Failed(none_of(reasons), max(each.offset for each in unmet)), now)
        return None

    _handlers: ClassVar[dict[type[Step], Callable[[Any, Any, float], Action | None]]] = {
        kinds.Send: _send,
        kinds.Urgent: _urgent,
        kinds.Pause: _pause,
        kinds.WaitFor: _wait_for,
        kinds.Expect: _expect,
        kinds.ExpectEof: _look,
        kinds.ExpectReset: _look,
        kinds.ExpectEnd: _look,
        kinds.ExpectSilence: _silence,
        kinds.ExpectUrgent: _look,
        kinds.Loop: _loop,
        kinds.OneOf: _one_of,
        kinds.Forward: _act,
        kinds.HalfClose: _act,
        kinds.Close: _act,
        kinds.Reset: _act,
        kinds.Stall: _act,
        kinds.Resume: _act,
        kinds.ReadRate: _act,
        kinds.StartTLS: _act,
        kinds.StopTLS: _act,
    }

    # --- helpers

    def _unmet(self, verdict: Failed, now: float) -> None:
        """Raise the mismatch, unless it ends an endless loop."""
        __tracebackhide__ = True
        if not self.cursor.end_loop():
            raise ScriptMismatch(self._judging.failure(verdict.why, verdict.offset, now))
        self._begun = None
        self._judging.forget()

    def _patience(self, now: float) -> Action:
        __tracebackhide__ = True
        deadline = self.deadline
        if now >= deadline:
            offset = len(self.inbox.unread)
            raise ScriptTimeout(self._judging.failure(self._lack(now), offset, now, is_cut=self._is_cut(now)))
        return Wait(deadline)

    def _until(self, end: float, now: float) -> Action | None:
        __tracebackhide__ = True
        if now >= end:
            self._advance()
            return None
        if now >= self._pause_limit:
            left = self._pause_limit - self._since(now)
            why = f"only {left:.3g} s were left of the time of the test" if left > 0 else "the time of the test is over"
            raise ScriptTimeout(self._judging.failure(why, 0, now, is_cut=True))
        return Wait(min(end, self._pause_limit))

    def _since(self, now: float) -> float:
        return now if self._begun is None else self._begun

    def _lack(self, now: float) -> str:
        """Return what did not happen in time, in words."""
        step = self.cursor.step
        assert step is not None
        if self._judging.run is not None:
            return f"{self._judging.run} came within {whole(self._seconds, is_cut=self._is_cut(now))} of the latest"
        return lack_of(self._judging.counted(step), self.inbox, self._seconds, is_cut=self._is_cut(now))

    @property
    def _seconds(self) -> float:
        """How long the step may take."""
        step = self.cursor.step
        return self._timeout if step is None or step.timeout is None else step.timeout

    def _is_cut(self, now: float) -> bool:
        """Return whether the time of the test is over before that of the step."""
        return self._limit <= now < self._since(now) + self._seconds
