"""The base of all steps: a frozen value, checked when it is made, that prints as the code that makes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, fields
from typing import Any, ClassVar, Protocol, TypeAlias

from windsock.errors import UsageError
from windsock.scripts.checks import check_seconds
from windsock.scripts.repr import brief_of, code_of

__all__ = ["Argument", "Step", "StepSequence", "Waitable", "steps_of", "written"]

Argument: TypeAlias = tuple[str, Any]
"""The keyword, empty for a positional argument, and the value."""


class StepSequence(Protocol):
    """A script, as steps see it that hold one."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps, in order."""
        ...

    def check(self, *, is_datagram: bool) -> None:
        """Raise UsageError for a step that such sockets can't take."""
        ...


class Waitable(Protocol):
    """An object that `wait_for()` can wait for: a threading.Event, a multiprocessing.Event, a trio.Event.

    It has to have a `wait()` too.
    """

    def is_set(self) -> bool:
        """Return whether it has happened."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class Step:
    """One step. `timeout` (seconds) is how long it may take; None: as long as the peer's default."""

    method: ClassVar[str] = ""
    """What the step is called as a method of scripts and clients."""
    is_for: ClassVar[str] = ""
    """The kind of sockets, "stream" or "datagram", that alone can take it; empty: either."""
    takes_timeout: ClassVar[bool] = False
    """Whether the step waits for somebody else, so that a time for it has a meaning."""
    is_restful: ClassVar[bool] = True
    """Whether it sends, takes or waits for something: a loop without any such step could spin."""

    _: KW_ONLY
    timeout: float | None = None

    def __post_init__(self) -> None:
        self._check()
        self._check_timeout()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({written(self.arguments())})"

    @property
    def text(self) -> str:
        """The step as the method call that makes it, in one line and cut short: for messages."""
        return f"{self.method}({written(self.arguments(), brief_of)})"

    def misfit(self, kind: str) -> str:
        """Return why sockets of that kind can't take it; empty if they can. May be extended (call super)."""
        if not self.is_for or self.is_for == kind:
            return ""
        return f"that is for {self.is_for}s, and this peer's socket carries {kind}s; leave it out"

    def arguments(self) -> list[Argument]:
        """Return the arguments that make it, those left out that have their default. May be overridden."""
        given = []
        for each in sorted(fields(self), key=lambda each: each.name == "timeout"):
            value = getattr(self, each.name)
            if not each.kw_only:
                given.append(("", value))
            elif value != each.default:
                given.append((each.name, value))
        return given

    def _check(self) -> None:
        """Raise UsageError for values that can't work. May be overridden."""

    def _check_timeout(self) -> None:
        if self.timeout is None:
            return
        where = f"{self.method}(timeout={self.timeout!r})"
        if not self.takes_timeout:
            raise UsageError(f"{where}: this step does not wait; leave timeout= out")
        check_seconds(where, self.timeout)


def written(arguments: list[Argument], write: Any = code_of) -> str:
    """Return arguments as they stand between the brackets of a call."""
    return ", ".join(f"{name}={write(value)}" if name else write(value) for name, value in arguments)


def steps_of(method: str, script: Any) -> Sequence[Step]:
    """Return the steps of a script. Raises UsageError for what is none."""
    steps = getattr(script, "steps", None)
    if not isinstance(steps, tuple):
        raise UsageError(f"{method}({script!r}): expected a Script")
    return steps
