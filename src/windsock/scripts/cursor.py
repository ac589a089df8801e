"""The position in a script: the step, the round of a loop, the branch."""

from __future__ import annotations

from dataclasses import dataclass

from windsock.scripts.control import Loop, OneOf
from windsock.scripts.expectations import Expect, ExpectEnd, ExpectEof, ExpectReset, ExpectSilence, ExpectUrgent
from windsock.scripts.inbox import Inbox
from windsock.scripts.step import Step, StepSequence

__all__ = ["Cursor"]

EXPECTATIONS = (Expect, ExpectEnd, ExpectEof, ExpectReset, ExpectSilence, ExpectUrgent, OneOf)


@dataclass(slots=True)
class Frame:
    """A script within a script: where to continue after it, and its round or branch."""

    steps: tuple[Step, ...]
    index: int
    loop: Loop | None = None
    branch: int = 0
    round: int = 1
    takes: int = 0
    """The count of takes from the inbox when the round began."""


class Cursor:
    """The current step of a script, within loops and branches. `first` is the number of the script's first step."""

    __slots__ = ("_first", "_frames", "_index", "_steps", "inbox", "script")

    def __init__(self, script: StepSequence, inbox: Inbox, first: int = 1) -> None:
        self.script: StepSequence = script
        self.inbox: Inbox = inbox
        self._first = first
        self._steps = script.steps
        self._index = 0
        self._frames: list[Frame] = []

    @property
    def step(self) -> Step | None:
        """The current step; None at the end of a script."""
        return self._steps[self._index] if self._index < len(self._steps) else None

    @property
    def is_done(self) -> bool:
        """True once all steps are done."""
        return self.step is None

    @property
    def number(self) -> str:
        """The number of the current step, such as "3", or "2.1 (round 3)" within a loop; of the last one at the end."""
        if self.step is None:
            return str(len(self.script.steps) + self._first - 1)
        parts: list[int] = []
        rounds: list[str] = []
        for frame in self._frames:
            parts.append(frame.index + 1)
            if frame.branch:
                parts.append(frame.branch)
            if frame.loop is not None:
                rounds.append(f"{'inner ' if rounds else ''}round {frame.round}")
        parts.append(self._index + 1)
        parts[0] += self._first - 1
        return ".".join(map(str, parts)) + (f" ({', '.join(rounds)})" if rounds else "")

    @property
    def where(self) -> str:
        """The position in words: "step 2 of 3, expect(b'OK')"."""
        if self.step is None:
            return f"the end of its {len(self.script.steps)} step{'' if len(self.script.steps) == 1 else 's'}"
        return f"step {self.number} of {len(self.script.steps) + self._first - 1}, {self.step.text}"

    def advance(self) -> None:
        """Go to what follows the current step."""
        self._index += 1

    def enter(self, script: StepSequence, *, loop: Loop | None = None, branch: int = 0) -> None:
        """Go to the first step of a script within the current step."""
        self._frames.append(Frame(self._steps, self._index, loop, branch, takes=self.inbox.takes))
        self._steps, self._index = script.steps, 0

    def go_on(self) -> bool:
        """At the end of a script, move to its next round or to what follows it; return False at the end of all."""
        if not self._frames:
            return False
        frame = self._frames[-1]
        if frame.loop is None or not self._has_another_round(frame.loop, frame):
            self._leave()
        else:
            frame.round += 1
            frame.takes = self.inbox.takes
            self._index = 0
        return True

    def _has_another_round(self, loop: Loop, frame: Frame) -> bool:
        """Return whether a loop continues; an endless one ends after a round in which the other end only ended."""
        if loop.times is None:
            return not self.inbox.has_ended or self.inbox.takes != frame.takes
        return frame.round < loop.times

    def _leave(self) -> None:
        frame = self._frames.pop()
        self._steps, self._index = frame.steps, frame.index + 1

    @property
    def is_expecting(self) -> bool:
        """True if the current step waits for the other end."""
        return isinstance(self.step, EXPECTATIONS)

    @property
    def is_between_rounds(self) -> bool:
        """True while an endless loop waits for its next round: the other end may end the connection now."""
        is_waiting = self.is_expecting and not self.inbox
        return is_waiting and self._idle_loop() is not None

    def end_loop(self) -> bool:
        """End an endless loop if the other end has ended at the first step of a round; return whether it did."""
        depth = self._idle_loop() if self.inbox.has_ended and not self.inbox else None
        if depth is None:
            return False
        del self._frames[depth + 1 :]
        self._leave()
        return True

    def _idle_loop(self) -> int | None:
        """Return the depth of the endless loop whose round has begun with nothing taken yet; None if there is none."""
        if self._index:
            return None
        for depth, frame in reversed(list(enumerate(self._frames))):
            if frame.takes != self.inbox.takes or frame.loop is None:
                return None
            if frame.loop.times is None:
                return depth
            if frame.index or frame.round > 1:
                return None
        return None
