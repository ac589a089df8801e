"""A failure as it may be shown: with secrets masked, also those that began in bytes before. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from windsock.redaction import masked
from windsock.scripts.inbox import HistoryEntry
from windsock.scripts.steps import Expect, Send, Step

if TYPE_CHECKING:
    from windsock.scripts.failures import Failure

__all__ = ["redacted"]


def redacted(failure: Failure) -> Failure:
    """Return the failure with secrets masked in all its bytes, which keep their number."""
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
        return replace(step, what=_after(before, step.what))
    if isinstance(step, Send):
        return replace(step, data=_after(sent, step.data))
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
