"""What happened to a server, a proxy or a program as a whole, such as an outage: when, and whether it is down since."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from windsock.net.system import monotonic

__all__ = ["Change", "Changes"]


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `at` is in monotonic seconds, `call` is what the test has called, such as "outage()".

    `is_down`: whether clients get no answer from then on. `is_left_by_error`: an exception has left its `with`.
    """

    at: float
    call: str
    what: str
    is_down: bool
    is_left_by_error: bool = False

    def __str__(self) -> str:
        return f"{self.call} {self.what}".rstrip()


class Changes(list[Change]):
    """The changes so far, in the order of time."""

    def note(self, call: str, what: str = "", *, is_down: bool, is_left_by_error: bool = False) -> None:
        """Note a change of this moment."""
        self.append(Change(monotonic(), call, what, is_down, is_left_by_error))

    @contextmanager
    def during(self, call: str) -> Iterator[None]:
        """Note when a `with` begins in which it is down, and when it has ended."""
        self.note(call, "began", is_down=True)
        is_left_by_error = True
        try:
            yield
            is_left_by_error = False
        finally:
            self.note(call, "ended", is_down=False, is_left_by_error=is_left_by_error)

    def begin_part(self) -> None:
        """Forget them, but not that it is down: another test begins."""
        self[:] = [each for each in self[-1:] if each.is_down]
