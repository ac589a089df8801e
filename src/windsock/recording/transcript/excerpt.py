"""A transcript that is limited in length: the connections that differ from the others first."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from windsock.recording.events import Kind
from windsock.recording.transcript.lines import OPENED
from windsock.recording.transcript.subjects import CaptureSubject
from windsock.recording.transcript.transcript import NOTHING, Named, Transcript

__all__ = ["LINES", "excerpt"]

LINES = 60
"""The lines that an excerpt has at most, for all servers of a test."""
FIRST = LINES // 3
"""How many of them are at the beginning, where the middle is left out."""
OF_EXAMPLE = 12
"""The lines of a connection that stands for others."""
MANY = 4
"""The connections from which on those that are alike are shown by one of them."""
ANSWER = 12
"""The bytes by which answers are told apart where whole connections are all different, as by `HTTP/1.1 404`."""

Item = tuple[float, Named]


@dataclass(slots=True)
class _Course:
    """The first and the last lines of one connection, and keys by which it is like others: the strictest first."""

    index: int
    first: list[Item] = field(default_factory=list)
    last: deque[Item] = field(default_factory=lambda: deque(maxlen=LINES))
    count: int = 0
    keys: tuple[int, int, int] = (0, 0, 0)

    def add(self, item: Item) -> None:
        self.count += 1
        (self.first if self.count <= FIRST else self.last).append(item)
        line = item[1][1]
        kind = line.kind
        if kind != OPENED:
            whole, answers, kinds = self.keys
            said = line.data[:ANSWER] if kind == Kind.DOWN else line.text
            self.keys = (
                hash((whole, kind, line.size, line.data, line.text)),
                hash((answers, kind, said)),
                hash((kinds, kind)),
            )

    @property
    def items(self) -> list[Item]:
        return [*self.first, *self.last]


@dataclass(slots=True)
class _Group:
    """The connections of one subject: those that are alike, of which `example` is the first, and the others."""

    subject: CaptureSubject
    others: list[_Course]
    count: int = 0
    example: _Course | None = None


def excerpt(transcript: Transcript, limit: int = LINES) -> tuple[list[str], bool]:
    """Return the lines of a transcript, at most about `limit`, and whether these are all.

    If there are more, then most connections of a subject are as a rule alike: the others are shown first, then one of
    those. Where lines are left out in the middle, a line says how many.
    """
    if transcript.is_empty:
        return [NOTHING], True
    groups = [_group(transcript, each) for each in transcript.subjects]
    others = transcript.others()
    if len(others) + sum(each.count for group in groups for each in group.others) <= limit:
        every = [course for group in groups for course in group.others]
        return [transcript.written(named) for named in _in_order(every, others)], True
    groups = [_told_apart(each) for each in groups]
    examples = [line for group in groups if group.example is not None for line in _example(transcript, group)]
    examples = _cut(examples, len(examples), limit - FIRST)
    courses = [course for group in groups for course in group.others]
    count = len(others) + sum(each.count for each in courses)
    shown = [transcript.written(named) for named in _in_order(courses, others)]
    return [*_cut(shown, count, limit - len(examples)), *examples], False


def _group(transcript: Transcript, subject: CaptureSubject) -> _Group:
    return _Group(
        subject, [_course(transcript.of_connection(subject, each), each.index) for each in subject.connections]
    )


def _course(items: Iterable[Item], index: int) -> _Course:
    course = _Course(index)
    for each in items:
        course.add(each)
    return course


def _told_apart(group: _Group) -> _Group:
    """Return the connections by whether they are like more than half of all, by the strictest key that there is."""
    total = len(group.others)
    for place in range(3) if total >= MANY else ():
        ((key, count),) = Counter(each.keys[place] for each in group.others).most_common(1)
        if count > total / 2:
            alike = [each for each in group.others if each.keys[place] == key]
            others = [each for each in group.others if each.keys[place] != key]
            return _Group(group.subject, others, count, alike[0])
    return group


def _in_order(courses: Iterable[_Course], others: Sequence[Item]) -> Iterator[Named]:
    items = [*others, *(item for each in courses for item in each.items)]
    return (named for _, named in sorted(items, key=itemgetter(0)))


def _example(transcript: Transcript, group: _Group) -> Iterator[str]:
    """Give a line that says how many connections are alike, and the lines of the first of these."""
    example = group.example
    assert example is not None
    total = group.count + len(group.others)
    what = f"all {total:,}" if group.count == total else f"{group.count:,} of the {total:,}"
    noun = "datagrams" if any(each.is_datagram for each in group.subject.connections[:1]) else "connections"
    yield f"--- {what} {noun} of {group.subject.name} are alike; the first of them:"
    lines = [transcript.written(named) for _, named in example.items]
    yield from _cut(lines, example.count, OF_EXAMPLE)


def _cut(lines: Sequence[str], count: int, limit: int) -> list[str]:
    """Return the beginning and the end of the lines, which may lack some in the middle; there were `count`."""
    if count <= limit:
        return list(lines)
    first = limit // 3
    last = limit - first - 1
    return [*lines[:first], f"... {count - first - last:,} more lines ...", *lines[len(lines) - last :]]
