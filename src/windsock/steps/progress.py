"""How far a script has come: a value fed with bytes, ends and time, which says what to do next. No I/O.

A driver asks `next(now)` in a loop: it does what an action says, or waits as a `Wait` says and feeds the inbox,
until there is nothing left to do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from windsock.steps import kinds
from windsock.steps.failures import Failure, ScriptMismatch, ScriptTimeout
from windsock.steps.inbox import Inbox
from windsock.steps.judging import Met, Open, Unmet, Verdict, judge
from windsock.steps.kinds import Event, Step
from windsock.steps.script import Script

__all__ = ["Act", "Action", "Progress", "Transmit", "Wait"]


@dataclass(frozen=True, slots=True)
class Transmit:
    """Send these bytes, all of them, until the monotonic time `deadline`."""

    data: bytes
    deadline: float
    is_urgent: bool = False


@dataclass(frozen=True, slots=True)
class Act:
    """Do what a step says: HalfClose, Close, Reset, Stall, Resume, ReadRate, StartTLS."""

    step: Step
    deadline: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait for bytes (unless reading is stalled) or for the event, until the monotonic time `until` at the latest."""

    until: float
    event: Event | None = None


Action: TypeAlias = Transmit | Act | Wait


@dataclass(slots=True)
class Frame:
    """Where we are in one script: the outermost one, or that of a loop or a branch."""

    steps: tuple[Step, ...]
    prefix: str = ""
    index: int = 0
    loop: kinds.Loop | None = None
    round: int = 1
    taken: int = 0
    """What the inbox had taken when the round began."""

    @property
    def number(self) -> str:
        """The number of the current step, such as "2.1"."""
        rounds = f" (round {self.round})" if self.loop is not None else ""
        return f"{self.prefix}{self.index + 1}{rounds}"


class Progress:
    """One script being played over one inbox.

    `timeout` is how long a step may take that does not say so itself, `limit` the monotonic time at which all has to
    be over; `first` the number of the first step, and `whose` a word for error messages.
    """

    def __init__(
        self,
        script: Script,
        inbox: Inbox,
        *,
        timeout: float,
        limit: float = math.inf,
        first: int = 1,
        whose: str = "",
    ) -> None:
        script.check(is_datagram=inbox.is_datagram)
        self.script = script
        self.inbox = inbox
        self._timeout = timeout
        self._limit = limit
        self._whose = whose
        self._frames = [Frame(script.steps, index=0)]
        self._first = first
        self._begun: float | None = None
        self._tried: dict[int, int] = {}
        self._pieces: list[bytes] | None = None
        self._piece_at = 0.0
        self._is_acting = False

    def __repr__(self) -> str:
        return f"<Progress at {self.where}>"

    # --- where it is

    @property
    def step(self) -> Step | None:
        """The step that is being taken; None when all have been."""
        for frame in reversed(self._frames):
            if frame.index < len(frame.steps):
                return frame.steps[frame.index]
        return None

    @property
    def is_done(self) -> bool:
        """Whether all steps have been taken."""
        return self.step is None

    @property
    def where(self) -> str:
        """In words, where it is: "step 2 of 3, expect(b'OK')"."""
        step = self.step
        if step is None:
            return f"the end of its {len(self.script)} step{'' if len(self.script) == 1 else 's'}"
        return f"step {self._number()} of {len(self.script) + self._first - 1}, {step.text}"

    @property
    def deadline(self) -> float:
        """The monotonic time until which the current step may take."""
        step = self.step
        if step is None or self._begun is None:
            return self._limit
        own = step.timeout if step.timeout is not None else self._timeout
        return min(self._begun + own, self._limit)

    # --- going on

    def next(self, now: float) -> Action | None:
        """Return what to do or to wait for at this time; None when all steps have been taken.

        An action is taken to be done when this is called again. Raises ScriptMismatch when the other end did
        something else, ScriptTimeout when it did not do it in time.
        """
        while True:
            step = self._current()
            if step is None:
                return None
            if self._begun is None:
                self._begun = now
            action = self._handlers[type(step)](self, step, now)
            if action is not None:
                return action

    def stopped(self, why: str, now: float) -> ScriptMismatch:
        """Return the error that says that it ends here, before its last step."""
        return ScriptMismatch(self._failure(why, 0, now))

    def timed_out(self, now: float, why: str = "") -> ScriptTimeout:
        """Return the error that says that the current step has taken too long."""
        return ScriptTimeout(self._failure(why or self._nothing_in_time(now), 0, now))

    def _current(self) -> Step | None:
        """Return the step to take, out of frames and rounds that have ended."""
        while True:
            frame = self._frames[-1]
            if frame.index < len(frame.steps):
                return frame.steps[frame.index]
            if frame.loop is not None and (frame.loop.times is None or frame.round < frame.loop.times):
                frame.round += 1
                frame.index = 0
                frame.taken = self.inbox.taken
                continue
            if len(self._frames) == 1:
                return None
            self._frames.pop()
            self._advance()

    def _advance(self) -> None:
        self._frames[-1].index += 1
        self._begun = None
        self._tried.clear()

    # --- one method a kind of step; None: taken, go on with the next one

    def _send(self, step: kinds.Send, now: float) -> Action | None:
        if self._pieces is None:
            self._pieces = step.cut()
            self._piece_at = now
        if not self._pieces:
            self._pieces = None
            self._advance()
            return None
        if now < self._piece_at:
            return Wait(min(self._piece_at, self._limit))
        if now >= self._limit:
            raise ScriptTimeout(self._failure(f"the test's time is over, {len(self._pieces)} pieces are left", 0, now))
        self._piece_at = max(self._piece_at + step.every, now)
        self._begun = now  # each piece has the whole time
        return Transmit(self._pieces.pop(0), self.deadline)

    def _urgent(self, step: kinds.Urgent, now: float) -> Action | None:  # noqa: ARG002  # as every kind is asked
        return None if self._has_been_done() else Transmit(step.data, self.deadline, is_urgent=True)

    def _act(self, step: Step, now: float) -> Action | None:  # noqa: ARG002  # as every kind is asked
        return None if self._has_been_done() else Act(step, self.deadline)

    def _has_been_done(self) -> bool:
        """Go on when asked for the second time: until then `timed_out()` and `stopped()` name this step."""
        self._is_acting = not self._is_acting
        if not self._is_acting:
            self._advance()
        return not self._is_acting

    def _pause(self, step: kinds.Pause, now: float) -> Action | None:
        return self._until(self._since(now) + step.seconds, now)

    def _wait_for(self, step: kinds.WaitFor, now: float) -> Action | None:
        if step.event.is_set():
            self._advance()
            return None
        if now >= self.deadline:
            raise ScriptTimeout(self._failure(f"the event was not set within {now - self._since(now):.3g} s", 0, now))
        return Wait(self.deadline, step.event)

    def _silence(self, step: kinds.ExpectSilence, now: float) -> Action | None:
        verdict = judge(step, self.inbox)
        if isinstance(verdict, Unmet):
            raise ScriptMismatch(self._failure(verdict.why, verdict.offset, now))
        return self._until(self._since(now) + step.for_, now)

    def _expect(self, step: Step, now: float) -> Action | None:
        verdict = self._judge(step)
        if isinstance(verdict, Met):
            self._meet(verdict.size)
            return None
        if isinstance(verdict, Open):
            return self._patience(now)
        if self._ends_loop():
            return None
        raise ScriptMismatch(self._failure(verdict.why, verdict.offset, now))

    def _loop(self, step: kinds.Loop, now: float) -> Action | None:  # noqa: ARG002  # as every kind is asked
        prefix = f"{self._number()}."
        self._frames.append(Frame(step.script.steps, prefix, loop=step, taken=self.inbox.taken))
        self._begun = None
        return None

    def _one_of(self, step: kinds.OneOf, now: float) -> Action | None:
        verdicts = [self._judge(each.steps[0]) for each in step.scripts]
        met = [
            (verdict.size, isinstance(step.scripts[number].steps[0], kinds.ExpectEof | kinds.ExpectReset), number)
            for number, verdict in enumerate(verdicts)
            if isinstance(verdict, Met)
        ]
        if met:
            number = min(met)[2]  # an end comes after all bytes
            prefix = f"{self._number()}.{number + 1}."
            self._tried.clear()
            self._frames.append(Frame(step.scripts[number].steps, prefix))
            return None
        if any(isinstance(each, Open) for each in verdicts):
            return self._patience(now)
        if self._ends_loop():
            return None
        whys = "; ".join(
            f"{each.steps[0].text}: {verdict.why}"
            for each, verdict in zip(step.scripts, verdicts, strict=True)
            if isinstance(verdict, Unmet)
        )
        raise ScriptMismatch(self._failure(f"none of them was met ({whys})", 0, now))

    _handlers: ClassVar[dict[type[Step], Callable[[Any, Any, float], Action | None]]] = {
        kinds.Send: _send,
        kinds.Urgent: _urgent,
        kinds.Pause: _pause,
        kinds.WaitFor: _wait_for,
        kinds.Expect: _expect,
        kinds.ExpectEof: _expect,
        kinds.ExpectReset: _expect,
        kinds.ExpectSilence: _silence,
        kinds.Loop: _loop,
        kinds.OneOf: _one_of,
        **dict.fromkeys(
            (
                kinds.HalfClose,
                kinds.Close,
                kinds.Reset,
                kinds.Stall,
                kinds.Resume,
                kinds.ReadRate,
                kinds.StartTLS,
            ),
            _act,
        ),
    }

    # --- what they share

    def _judge(self, step: Step) -> Verdict:
        verdict = judge(step, self.inbox, self._tried.get(id(step), 0))
        if isinstance(verdict, Open):
            self._tried[id(step)] = verdict.tried
        return verdict

    def _meet(self, size: int) -> None:
        if self.inbox.is_datagram or size:
            self.inbox.take(size)
        self._advance()

    def _patience(self, now: float) -> Action:
        if now >= self.deadline:
            raise ScriptTimeout(self._failure(self._nothing_in_time(now), len(self.inbox.unread), now))
        return Wait(self.deadline)

    def _until(self, end: float, now: float) -> Action | None:
        if now >= end:
            self._advance()
            return None
        if end > self._limit:
            left = max(0.0, self._limit - now)
            raise ScriptTimeout(self._failure(f"only {left:.3g} s are left of the test's time", 0, now))
        return Wait(end)

    def _since(self, now: float) -> float:
        return self._begun if self._begun is not None else now

    def _ends_loop(self) -> bool:
        """End an endless loop whose round finds, before its first byte, that the other end has ended."""
        frame = self._frames[-1]
        is_over = self.inbox.has_ended and not self.inbox
        if frame.loop is None or frame.loop.times is not None or frame.index or not is_over:
            return False
        if self.inbox.taken != frame.taken:
            return False
        self._frames.pop()
        self._advance()
        return True

    def _nothing_in_time(self, now: float) -> str:
        seconds = now - self._since(now)
        came = "nothing more came" if self.inbox else "nothing came"
        return f"{came} within {seconds:.3g} s"

    def _number(self) -> str:
        frame = self._frames[-1]
        if len(self._frames) == 1:
            return str(frame.index + self._first)
        return frame.number

    def _failure(self, why: str, offset: int, now: float) -> Failure:
        step = self.step
        assert step is not None
        return Failure(
            number=self._number(),
            step=step,
            why=why,
            offset=offset,
            unread=bytes(self.inbox.unread),
            taken=self.inbox.taken,
            deeds=tuple(self.inbox.deeds),
            now=now,
            whose=self._whose,
        )
