"""The queue of a fake's replies to the next messages, whatever they are."""

from __future__ import annotations

from windsock.fakes.counters import Counters
from windsock.fakes.replies import Answer

__all__ = ["Queue", "in_times"]


class Queue:
    """Replies to the next messages, in order."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._counter = counters.add()
        self._all: list[tuple[Answer, int]] = []
        self._total = 0

    def add(self, answer: Answer, times: int) -> None:
        """Append a reply."""
        self._all = [*self._all, (answer, times)]
        self._total += times

    def take(self) -> Answer | None:
        """Return the next reply, or None if there is none."""
        number = self._counters.take(self._counter, self._total)
        if number is None:
            return None
        for answer, times in self._all:
            number -= times
            if number < 0:
                return answer
        return None

    def is_empty(self) -> bool:
        """Return whether no reply is left."""
        return self._counters.taken(self._counter) >= self._total

    @property
    def replies(self) -> list[tuple[Answer, int]]:
        """All replies, sent ones too, each with how often it is sent."""
        return self._all

    def reset(self, replies: list[tuple[Answer, int]]) -> None:
        """Have only these replies."""
        self._all, self._total = replies, sum(times for _, times in replies)

    def unmet(self, shared: int = 0) -> list[str]:
        """Return descriptions of the replies that were not sent, except for the first `shared`."""
        left, found = self._counters.taken(self._counter), []
        for number, (answer, times) in enumerate(self._all):
            sent = min(left, times)
            left -= sent
            if sent < times and number >= shared:
                state = "never sent" if not sent else f"sent {sent} of {in_times(times)}"
                found.append(f"{answer.code('reply', None if times == 1 else times)}: {state}")
        return found


def in_times(count: int) -> str:
    """Return a number of times in words."""
    return f"{count} time{'' if count == 1 else 's'}"
