"""Whether two recordings say the same: a cassette, and what has just passed between a client and the real server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import unified_diff
from itertools import accumulate, islice, zip_longest
from typing import TypeAlias

from windsock.cassettes.cassette import Cassette
from windsock.cassettes.line import CassetteLine, Message, What, line_text
from windsock.cassettes.matching import Matching
from windsock.recording import preview

__all__ = ["Difference", "find_difference"]

DIRECTIONS = (What.REQUEST, What.REPLY)
DIFF = 40
"""The lines of a diff that are shown..."""
WIDTH = 160
"""...and the characters of each."""

Placed: TypeAlias = tuple[int, CassetteLine]
"""A line and its offset in the file; -1 for one of the new recording."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first difference of a connection: `offset` in the file of the line in question, why, and a diff.

    `is_missing`: what has passed so far is the same, and there is less of it.
    """

    offset: int
    why: str
    is_missing: bool
    diff: tuple[str, ...] = ()


def find_difference(
    cassette: Cassette, new: Iterable[CassetteLine], matching: Matching, *, is_in_order: bool
) -> Difference | None:
    """Return where the messages of the first connection that differs do; None if all are as they were.

    Pauses and the ends of connections may differ, and so may the order of requests and replies to one another. Without
    framing each direction is compared as a whole, since it may be cut in other places. Connections are compared in
    their order, or in that of their first requests.
    """
    is_framed = cassette.header.is_datagram or cassette.framing() is not None
    before = _conversations(each for number in cassette.numbers for each in cassette.lines(number))
    after = _conversations((-1, each) for each in new)
    for number, (old, now) in enumerate(_pairs(before, after, is_in_order=is_in_order), 1):
        found = _Comparison(old, now, matching).first(is_framed=is_framed)
        if found is not None:
            return replace(found, why=f"connection {number}: {found.why}")
    return None


def _conversations(lines: Iterable[Placed]) -> dict[int, list[Placed]]:
    """Return the messages of each connection."""
    found: dict[int, list[Placed]] = {}
    for at, line in lines:
        messages = found.setdefault(line.connection, [])
        if line.what in DIRECTIONS:
            messages.append((at, line))
    return found


def _pairs(
    before: Mapping[int, list[Placed]], after: Mapping[int, list[Placed]], *, is_in_order: bool
) -> Iterator[tuple[list[Placed], list[Placed]]]:
    old, now = list(before.values()), list(after.values())
    if not is_in_order:
        old.sort(key=_first_request)
        now.sort(key=_first_request)
    yield from zip_longest(old, now, fillvalue=[])


def _first_request(lines: Sequence[Placed]) -> bytes:
    return next((line.message.data for _, line in lines if line.what is What.REQUEST), b"")


class _Comparison:
    """One connection, as it was and as it is now."""

    def __init__(self, before: Sequence[Placed], now: Sequence[Placed], matching: Matching) -> None:
        self._before = before
        self._now = now
        self._matching = matching

    def first(self, *, is_framed: bool) -> Difference | None:
        """Return the first difference; one in what has passed comes before what is missing."""
        find = self._of_messages if is_framed else self._of_bytes
        found = [each for what in DIRECTIONS if (each := find(what)) is not None]
        if not found:
            return None
        return replace(min(found, key=lambda each: (each.is_missing, each.offset)), diff=self._diff())

    def _of(self, what: What) -> tuple[list[Placed], list[Placed]]:
        before, now = ([each for each in lines if each[1].what is what] for lines in (self._before, self._now))
        return before, now

    def _of_messages(self, what: What) -> Difference | None:
        last = 0
        for old, now in zip_longest(*self._of(what)):
            if old is None:
                return Difference(
                    last, f"{_words(what)} more than before: {preview(now[1].message.data)}", is_missing=False
                )
            last = old[0]
            if now is None:
                return Difference(
                    last, f"{_words(what)} less than before: {preview(old[1].message.data)}", is_missing=True
                )
            if (why := self._miss(old[1].message, now[1].message.data)) is not None:
                return Difference(last, f"{_words(what)} that differs: {why}", is_missing=False)
        return None

    def _of_bytes(self, what: What) -> Difference | None:
        """Compare a direction as a whole, in which the line that differs is found by the number of bytes."""
        before, now = self._of(what)
        expected = self._matching.expected(_joined([line.message for _, line in before]))
        received = b"".join(line.message.data for _, line in now)
        if expected.fits(received):
            return None
        place, why = expected.miss(received)
        ends = accumulate(len(line.message.data) for _, line in before)
        offset = next((at for (at, _), end in zip(before, ends, strict=True) if place < end), 0)
        return Difference(offset, f"{_words(what)} that differs: {why}", is_missing=place >= len(received))

    def _miss(self, old: Message, received: bytes) -> str | None:
        """Return how a message differs; None if it does not."""
        expected = self._matching.expected(old)
        return None if expected.fits(received) else expected.miss(received)[1]

    def _diff(self) -> tuple[str, ...]:
        """Return a diff in which messages that fit are as they were."""
        fitting: dict[int, CassetteLine] = {}
        for what in DIRECTIONS:
            for (_, old), (_, now) in zip(*self._of(what), strict=False):
                if self._miss(old.message, now.message.data) is None:
                    fitting[id(now)] = old
        before = [_text(line) for _, line in self._before]
        now_lines = [_text(fitting.get(id(line), line)) for _, line in self._now]
        return tuple(islice(unified_diff(before, now_lines, "recorded", "now", lineterm="", n=2), DIFF))


def _words(what: What) -> str:
    return "a request" if what is What.REQUEST else "a reply"


def _joined(messages: Sequence[Message]) -> Message:
    starts = accumulate((len(each.data) for each in messages), initial=0)
    spans = [
        (start + first, start + last)
        for start, each in zip(starts, messages, strict=False)
        for first, last in each.secrets
    ]
    return Message(b"".join(each.data for each in messages), tuple(spans))


def _text(line: CassetteLine) -> str:
    """Return a line without its time and connection, cut to a width that can be shown."""
    text = line_text(replace(line, after=0.0, connection=1)).partition(" 1 ")[2]
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}..."
