"""The recorded conversations of a replay: which client gets which, and how far each has been played."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from windsock.cassettes.cassette import Cassette
from windsock.cassettes.errors import UnmatchedTraffic, Unplayed
from windsock.cassettes.line import CassetteLine, What
from windsock.cassettes.matching import Matching
from windsock.cassettes.misses import nearest
from windsock.net.system import threading

__all__ = ["Conversations", "PlayedConversation"]


@dataclass(slots=True)
class PlayedConversation:
    """A recorded connection that is being played; `played` lines of it have been.

    `has_failed`: its client has sent something else, so that the rest is not expected any more.
    """

    number: int
    played: int = 0
    has_failed: bool = False


class Conversations:
    """The conversations of a cassette on streams, each of which is played once."""

    def __init__(self, cassette: Cassette, matching: Matching) -> None:
        self.cassette = cassette
        self.matching = matching
        self._free = {number: PlayedConversation(number) for number in cassette.numbers}
        self._taken: list[PlayedConversation] = []
        self._lock = threading.Lock()

    def lines(self, conversation: PlayedConversation) -> Iterator[tuple[int, CassetteLine]]:
        """Give the lines that have not been played, each with its offset, and count them as played with the next."""
        for at, line in self.cassette.lines(conversation.number, conversation.played):
            yield at, line
            conversation.played += 1

    def in_order(self, index: int) -> PlayedConversation:
        """Return the conversation of the index-th client. Raises UnmatchedTraffic if there are fewer."""
        numbers = self.cassette.numbers
        if index >= len(numbers):
            raise UnmatchedTraffic(self.cassette.path, b"", None, None, self._one_too_many())
        with self._lock:
            return self._take(numbers[index])

    def _one_too_many(self) -> str:
        count = len(self.cassette.numbers)
        return f"one connection too many (the cassette has {count} connection{'' if count == 1 else 's'})"

    def _take(self, number: int) -> PlayedConversation:
        """Take a conversation that is left. With the lock."""
        found = self._free.pop(number)
        self._taken.append(found)
        return found

    # --- by the first message

    def greeting(self) -> list[CassetteLine]:
        """Return what the server says before the first request, in the first conversation that is left."""
        with self._lock:
            first = next(iter(self._free), None)
        return [] if first is None else self._opening(first)[0]

    def with_first(self, message: bytes, greeting: list[CassetteLine]) -> PlayedConversation:
        """Return the first conversation that is left and begins with this request. Raises UnmatchedTraffic."""
        candidates = []
        with self._lock:
            for number in self._free:
                lines, first = self._opening(number)
                if first is None or _said(lines) != _said(greeting):
                    continue
                if self.matching.expected(first[1].message).fits(message):
                    found = self._take(number)
                    found.played = len(lines) + 1
                    return found
                candidates.append(first)
            why = "" if self._free else self._one_too_many()
        miss = nearest(self.cassette, self.matching, message, candidates)
        raise UnmatchedTraffic(self.cassette.path, message, None, miss, why)

    def _opening(self, number: int) -> tuple[list[CassetteLine], tuple[int, CassetteLine] | None]:
        """Return the lines before the first request, and that with its offset."""
        lines: list[CassetteLine] = []
        for at, line in self.cassette.lines(number):
            if line.what is What.REQUEST:
                return lines, (at, line)
            lines.append(line)
        return lines, None

    # --- what was not played

    def unplayed(self) -> list[Unplayed]:
        """Return an error for each conversation with requests that no client has sent."""
        with self._lock:
            left = [*self._taken, *self._free.values()]
        return [
            each for conversation in left if not conversation.has_failed for each in self._unplayed_of(conversation)
        ]

    def _unplayed_of(self, conversation: PlayedConversation) -> Iterator[Unplayed]:
        path, number = self.cassette.path, conversation.number
        for at, line in self.cassette.lines(number, conversation.played):
            if line.what is What.REQUEST:
                why = f"no client has sent this message of connection {number}"
                yield Unplayed(path, self.cassette.line_number(at), why)
                return


def _said(lines: list[CassetteLine]) -> list[bytes]:
    return [each.message.data for each in lines if each.what is What.REPLY]
