"""The replies of one rule, in turn."""

from __future__ import annotations

from windsock.fakes.replies import Answer
from windsock.protocols.values import MessageAnswer
from windsock.scripts import Script
from windsock.scripts.bodies import Body
from windsock.scripts.template import Template

__all__ = ["Answers"]


class Answers:
    """Several replies, in turn: each `times` times (None: once, and the last one always)."""

    def __init__(self) -> None:
        self._all: tuple[tuple[Answer, int | None], ...] = ()

    def __bool__(self) -> bool:
        return bool(self._all)

    def add(self, answer: Answer, times: int | None) -> None:
        """Append a reply."""
        self._all = (*self._all, (answer, times))

    @property
    def needed(self) -> int:
        """The number of messages needed so that each reply is sent as often as it should be."""
        return sum(times or 1 for _, times in self._all) or 1

    @property
    def limit(self) -> int | None:
        """The number of replies that can be sent; None: no limit."""
        return None if not self._all or self._all[-1][1] is None else self.needed

    @property
    def states(self) -> tuple[str, ...]:
        """The states that the replies lead to."""
        return tuple(dict.fromkeys(answer.then for answer, _ in self._all if answer.then is not None))

    def number(self, turn: int) -> Answer | None:
        """Return the reply for the given turn, from 0, or None if there are no replies."""
        for answer, times in self._all:
            turn -= times or 1
            if turn < 0:
                return answer
        return self._all[-1][0] if self._all else None

    def code(self, first: str = "reply") -> list[str]:
        """Return the calls that create the replies."""
        calls = []
        for number, (answer, times) in enumerate(self._all):
            calls.append(answer.code("then" if number else _method(answer, first), times))
        return calls


def _method(answer: Answer, first: str) -> str:
    if isinstance(answer.what, Script):
        return "play"
    return first if isinstance(answer.what, bytes | Body | Template | MessageAnswer) else "reply_with"
