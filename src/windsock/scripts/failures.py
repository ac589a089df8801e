"""Errors of a script: the other end did something unexpected, or was too slow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from windsock.errors import PeerError, WaitTimeout
from windsock.redaction import masked
from windsock.scripts.inbox import HistoryEntry
from windsock.scripts.messages import ROW, count_of, history, side_by_side, sketch
from windsock.scripts.steps import Expect, Send, Step

__all__ = ["Failure", "ScriptMismatch", "ScriptTimeout"]


@dataclass(frozen=True, slots=True)
class Failure:
    """The facts about a step that failed.

    `number` is its position in the script, from 1, such as "3", or "2.1" within a loop; `offset` counts from the first
    byte that the step examined; `unread` is everything received and not expected before (of `datagrams`, the first);
    `taken` is the number of bytes taken by then. `is_cut`: the time of the test was over. Times are in monotonic
    seconds. `received` and `sent` are the latest bytes of a stream, by which is seen what is secret; the text of a
    failure has that masked.
    """

    number: str
    step: Step
    why: str
    offset: int = 0
    unread: bytes = b""
    taken: int = 0
    deeds: tuple[HistoryEntry, ...] = ()
    now: float = 0.0
    whose: str = ""
    datagrams: int = 0
    unit: str = "datagram"
    received: bytes = field(default=b"", compare=False, repr=False)
    sent: bytes = field(default=b"", compare=False, repr=False)
    is_cut: bool = False

    def __str__(self) -> str:
        return _redacted(self).in_words()

    def in_words(self) -> str:
        """Return the failure in words, with secrets."""
        lines = [f"{self.whose}step {self.number}, {self.step.text}: {self.why}"]
        expected = self.step.what if isinstance(self.step, Expect) else None
        if isinstance(expected, bytes) and (self.unread or self.datagrams):
            shown = -(-max(len(expected), self.offset + 1) // ROW) * ROW
            lines += side_by_side(expected, self.unread[:shown], self.offset)
        lines.append(f"  unread: {self._what_is_unread()}")
        if self.deeds:
            lines += ["  before:", *history(self.deeds, self.now)]
        return "\n".join(lines)

    def _what_is_unread(self) -> str:
        words = f"an empty {self.unit}" if self.datagrams else "nothing"
        if self.unread:
            words = f"{len(self.unread)} B {sketch(self.unread)}"
        if self.datagrams > 1:
            words += f", and {count_of(self.datagrams - 1, self.unit)} more"
        return f"{words}, after {self.taken} B that were read" if self.taken else words


class ScriptMismatch(PeerError):
    """The other end did something else than the script expected. `failure` has the facts."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(str(failure))

    def __reduce__(self) -> tuple[type[ScriptMismatch], tuple[Failure]]:
        return type(self), (self.failure,)


class ScriptTimeout(WaitTimeout):
    """The other end did not do in time what the script expected. `failure` has the facts."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        self.is_cut: bool = failure.is_cut
        super().__init__(str(failure))

    def __reduce__(self) -> tuple[type[ScriptTimeout], tuple[Failure]]:
        return type(self), (self.failure,)


def _redacted(failure: Failure) -> Failure:
    """Return the failure with secrets masked in all its bytes, also those that began in bytes before."""
    unread = failure.unread
    before = failure.received[: len(failure.received) - len(unread)]
    shown = _after(before, unread)
    at = slice(failure.offset, failure.offset + 1)
    return replace(
        failure,
        step=_step(failure.step, before, failure.sent),
        why=failure.why if shown[at] == unread[at] else failure.why.partition(", b")[0],
        unread=shown,
        deeds=tuple(_deeds(failure)),
    )


def _after(before: bytes, data: bytes) -> bytes:
    """Return what follows other bytes, masked."""
    return masked(before + data)[len(before) :]


def _step(step: Step, before: bytes, sent: bytes) -> Step:
    if isinstance(step, Expect) and isinstance(step.what, bytes):
        shown = _after(before, step.what)
        return step if shown == step.what else replace(step, what=shown)
    if isinstance(step, Send) and isinstance(step.data, bytes):
        shown = _after(sent, step.data)
        return step if shown == step.data else replace(step, data=shown)
    return step


def _deeds(failure: Failure) -> Iterator[HistoryEntry]:
    ends = {each.what: each.end for each in failure.deeds}
    latest = {"received": failure.received, "sent": failure.sent}
    shown = {what: masked(data) for what, data in latest.items()}
    for each in failure.deeds:
        known = shown.get(each.what, b"")
        start = len(known) - (ends[each.what] - each.end) - each.size
        is_known = bool(known) and start >= 0
        yield replace(each, data=known[start : start + len(each.data)] if is_known else masked(each.data))
