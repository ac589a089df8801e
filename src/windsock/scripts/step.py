"""The base of all steps: a frozen value with checked arguments, whose repr is the code that creates it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, Field, dataclass, fields
from typing import Any, ClassVar, Protocol, TypeAlias

from windsock.errors import UsageError
from windsock.scripts.checks import check_seconds
from windsock.scripts.repr import brief_of, code_of

__all__ = ["Argument", "Step", "StepSequence", "Waitable", "steps_of", "written"]

Argument: TypeAlias = tuple[str, Any]
"""The keyword, empty for a positional argument, and the value."""


class StepSequence(Protocol):
    """A script, as seen by the steps that contain it."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps, in order."""
        ...

    @property
    def expects_urgent(self) -> bool:
        """Whether a step expects urgent data."""
        ...

    def check(self, *, is_datagram: bool, is_record: bool = ...) -> None:
        """Raise UsageError for a step that such sockets do not support."""
        ...


class Waitable(Protocol):
    """An object that `wait_for()` can wait for: a threading.Event, a multiprocessing.Event, a trio.Event.

    It must also have a `wait()` method.
    """

    def is_set(self) -> bool:
        """Return whether the event is set."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class Step:
    """One step. `timeout` (seconds) limits it; None: the peer's default."""

    method: ClassVar[str] = ""
    """The name of the step as a method of scripts and clients."""
    is_for: ClassVar[str] = ""
    """The only kind of sockets that supports it, "stream" or "datagram"; empty: both."""
    is_for_bytes: ClassVar[bool] = False
    """Whether it needs a stream of bytes: other steps for streams suit records too."""
    takes_timeout: ClassVar[bool] = False
    """Whether the step waits for the other end or an event, so that a timeout makes sense."""
    is_restful: ClassVar[bool] = True
    """Whether it sends, takes or waits for something: a loop without such a step could spin."""

    _: KW_ONLY
    timeout: float | None = None

    def __post_init__(self) -> None:
        self._check()
        self._check_timeout()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({written(self.arguments())})"

    @property
    def text(self) -> str:
        """The step as a method call on one line, shortened for messages."""
        return f"{self.method}({written(self.arguments(), brief_of)})"

    def misfit(self, kind: str) -> str:
        """Return why sockets of that kind do not support it, or "" if they do. May be extended (call super)."""
        if self.is_for in ("", kind) or (kind == "record" and self.is_for == "stream" and not self.is_for_bytes):
            return ""
        return f"that is for {self.is_for}s, and this peer's socket carries {kind}s; leave it out"

    def arguments(self) -> list[Argument]:
        """Return the arguments that create it, without those equal to their default. May be overridden."""
        given = []
        for each in sorted(filter(is_given, fields(self)), key=lambda each: each.name == "timeout"):
            value = getattr(self, each.name)
            if not each.kw_only:
                given.append(("", value))
            elif value != each.default:
                given.append((each.name, value))
        return given

    def _check(self) -> None:
        """Raise UsageError for invalid values. May be overridden."""

    def _check_timeout(self) -> None:
        if self.timeout is None:
            return
        where = f"{self.method}(timeout={self.timeout!r})"
        if not self.takes_timeout:
            raise UsageError(f"{where}: this step does not wait; leave timeout= out")
        check_seconds(where, self.timeout)


def is_given(field: Field[Any]) -> bool:
    """Return whether a field is an argument."""
    return field.init


def written(arguments: list[Argument], write: Any = code_of) -> str:
    """Return arguments as the text between the parentheses of a call."""
    return ", ".join(f"{name}={write(value)}" if name else write(value) for name, value in arguments)


def steps_of(method: str, script: Any) -> Sequence[Step]:
    """Return the steps of a script. Raises UsageError if it is not a script."""
    steps = getattr(script, "steps", None)
    if not isinstance(steps, tuple):
        raise UsageError(f"{method}({script!r}): expected a Script")
    return steps
