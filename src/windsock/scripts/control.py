"""Steps that contain scripts: loops and alternatives."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from windsock.errors import UsageError
from windsock.scripts.actions import Pause
from windsock.scripts.checks import check_count
from windsock.scripts.expectations import Expect, ExpectEnd, ExpectEof, ExpectReset, ExpectSilence, ExpectUrgent
from windsock.scripts.repr import BRIEF
from windsock.scripts.step import Argument, Step, StepSequence, steps_of, written

__all__ = ["Loop", "OneOf"]


@dataclass(frozen=True, slots=True, repr=False)
class Loop(Step):
    """Play a script `times` times; None: until a round finds that the other end has ended and sent nothing more."""

    method = "loop"
    script: StepSequence
    _: KW_ONLY
    times: int | None = None

    def _check(self) -> None:
        steps = steps_of("loop", self.script)
        if not steps:
            raise UsageError("loop(Script()): it has no steps, so it would never end")
        if self.times is not None:
            check_count(f"loop(times={self.times!r})", self.times)
        elif not any(map(_can_rest, steps)):
            raise UsageError(f"{self.text}: a round takes no time and nothing from the other end; pass times=")

    @property
    def has_no_end(self) -> bool:
        """True if nothing that the other end does can end the loop."""
        first = self.script.steps[0]
        while isinstance(first, Loop):
            first = first.script.steps[0]
        return self.times is None and not isinstance(
            first, Expect | ExpectEnd | ExpectEof | ExpectReset | ExpectSilence | ExpectUrgent | OneOf
        )


@dataclass(frozen=True, slots=True, repr=False)
class OneOf(Step):
    """Play the script whose first step, an expectation, is met with the fewest bytes.

    If two need the same number, the first one is chosen; an end comes after all bytes. This step's timeout applies to
    all of the expectations.
    """

    method = "one_of"
    takes_timeout = True
    scripts: tuple[StepSequence, ...]

    def __repr__(self) -> str:
        scripts, *rest = super(OneOf, self).arguments()
        return f"OneOf({written([scripts, *rest])})"

    @property
    def text(self) -> str:
        """The step as a method call; without the scripts if they are long."""
        text = super(OneOf, self).text
        return text if len(text) <= BRIEF else f"one_of({len(self.scripts)} scripts)"

    def arguments(self) -> list[Argument]:
        """Return the scripts as positional arguments, and the timeout."""
        return [*(("", each) for each in self.scripts), *super(OneOf, self).arguments()[1:]]

    def _check(self) -> None:
        if hasattr(self.scripts, "steps"):
            raise UsageError(f"OneOf({self.scripts!r}): expected a tuple of scripts")
        object.__setattr__(self, "scripts", tuple(self.scripts))
        if not self.scripts:
            raise UsageError("one_of(): expected scripts to choose from")
        for each in self.scripts:
            steps = steps_of("one_of", each)
            if not steps or not isinstance(steps[0], Expect | ExpectEof | ExpectReset | ExpectUrgent):
                first = steps[0].text if steps else "nothing"
                raise UsageError(
                    f"one_of(): each script must begin with expect(), expect_eof() or expect_reset(); "
                    f"this one begins with {first}"
                )


def _can_rest(step: Step) -> bool:
    """Return whether something must happen, or time pass, before the step is over."""
    if isinstance(step, Loop):
        return any(map(_can_rest, step.script.steps))
    return step.is_restful and not (isinstance(step, Pause) and not step.seconds)
