"""What was found out about the current step of a progress, so that no byte is looked at twice. No I/O."""

from __future__ import annotations

import re
from collections.abc import Sequence

from windsock.protocols.message_pattern import MessagePattern
from windsock.scripts.bound_function import BoundFunction
from windsock.scripts.control import OneOf
from windsock.scripts.cursor import Cursor
from windsock.scripts.expectations import Expect, ExpectEof, ExpectReset, ExpectUrgent
from windsock.scripts.failures import Failure
from windsock.scripts.inbox import Inbox
from windsock.scripts.long_run import LongRun, is_long
from windsock.scripts.matching import Matched, NeedMore, Verdict, judge
from windsock.scripts.step import Step

__all__ = ["Judging", "branch_met"]

RANKS: dict[type[Step], int] = {Expect: 0, ExpectUrgent: 0, ExpectEof: 1, ExpectReset: 2}
"""The order of expectations met with the same number of bytes: bytes, then a normal end, then a reset."""


class Judging:
    """Judges the current step of a cursor, or the first steps of its branches. `whose` is a prefix of errors."""

    __slots__ = ("_counted", "_cursor", "_inbox", "_tried", "_whose", "run")

    def __init__(self, inbox: Inbox, cursor: Cursor, whose: str) -> None:
        self._inbox = inbox
        self._cursor = cursor
        self._whose = whose
        self._tried: dict[int, int] = {}
        self._counted: dict[int, Expect] = {}
        """The steps whose length a function has returned."""
        self.run: LongRun | None = None
        """The long run that the current step takes."""

    def where(self) -> str:
        """Return the current step in words, for errors."""
        step = self._cursor.step
        return f"{self._whose}step {self._cursor.number}, {'' if step is None else step.text}"

    def failure(self, why: str, offset: int, now: float, *, is_cut: bool = False) -> Failure:
        """Return the facts about the current step, which has failed."""
        step = self._cursor.step or self._cursor.script.steps[-1]  # after the last one: more came than expected
        received, sent = (b"", b"") if self._inbox.has_units else self._inbox.latest
        return Failure(
            number=self._cursor.number,
            step=step,
            why=why,
            offset=offset,
            unread=bytes(self._inbox.unread),
            datagrams=len(self._inbox.datagrams),
            unit=self._inbox.unit,
            taken=self._inbox.taken,
            deeds=tuple(self._inbox.deeds),
            now=now,
            whose=self._whose,
            received=received,
            sent=sent,
            is_cut=is_cut,
        )

    def forget(self) -> None:
        """Forget all of it: there is another step."""
        self.run = None
        if self._tried:
            self._tried.clear()
        if self._counted:
            self._counted.clear()

    def judge(self, step: Step) -> Verdict:
        """Return whether the inbox meets a step."""
        verdict = judge(self.counted(step), self._inbox, self._tried.get(id(step), 0))
        if isinstance(verdict, NeedMore) and verdict.tried:
            self._tried[id(step)] = verdict.tried
        return verdict

    def take(self, step: Step) -> Verdict | None:
        """Take what has come of a long run; None for any other step."""
        if not isinstance(step, Expect) or step.length is None or self._inbox.has_units:
            return None
        step = self.counted(step)
        if not is_long(step):
            return None
        self.run = self.run or LongRun(step)
        return self.run.take(self._inbox)

    def counted(self, step: Step) -> Step:
        """Return a step with its length as a number; call its function once."""
        if not isinstance(step, Expect) or type(step.length) is not BoundFunction:
            return step
        if id(step) not in self._counted:
            self._counted[id(step)] = step.counted(self.where(), self._inbox.conversation)
        return self._counted[id(step)]

    def note(self, step: Step, size: int) -> None:
        """Note that the latest bytes taken, `size` of them, have met a step, for functions of what was taken."""
        if isinstance(step, Expect):
            conversation = self._inbox.conversation
            if not size:
                conversation.message = b""
            if isinstance(step.what, re.Pattern):
                conversation.matched(step.what, conversation.message)
            elif isinstance(step.what, MessagePattern):
                conversation.understood(step.what.protocol, is_reply=bool(step.what.is_reply))


def branch_met(step: OneOf, verdicts: Sequence[Verdict]) -> int | None:
    """Return which branch is met, with the fewest bytes; None if none is."""
    met = [
        (each.size, RANKS[type(step.scripts[number].steps[0])], number)
        for number, each in enumerate(verdicts)
        if isinstance(each, Matched)
    ]
    return min(met)[2] if met else None
