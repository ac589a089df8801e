"""Whether what has come is what a step expects. The way the bytes are cut never matters. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from windsock.steps.inbox import Inbox
from windsock.steps.kinds import Expect, ExpectEof, ExpectReset, ExpectSilence, Step

__all__ = ["Met", "Open", "Unmet", "Verdict", "judge"]

MOST = 16 * 1024
"""Bytes that a pattern without until= or length= is tried on: each longer run costs another try."""


@dataclass(frozen=True, slots=True)
class Met:
    """The step is met by the first `size` bytes."""

    size: int


@dataclass(frozen=True, slots=True)
class Unmet:
    """The step can't be met any more: why, and the offset of the byte that shows it."""

    why: str
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Open:
    """More has to come. `tried`: the length of the longest run that has been looked at."""

    tried: int = 0


Verdict: TypeAlias = Met | Unmet | Open


def judge(step: Step, inbox: Inbox, tried: int = 0) -> Verdict:
    """Return whether the inbox meets an expectation. `tried` is what the last verdict on it said."""
    if isinstance(step, Expect):
        return _datagram(step, inbox) if inbox.is_datagram else _stream(step, inbox, tried)
    if isinstance(step, ExpectEof | ExpectReset):
        return _ending(step, inbox)
    if isinstance(step, ExpectSilence):
        return _silence(inbox)
    raise TypeError(f"{step!r} expects nothing")  # no test's doing: a driver asks for expectations only


def _stream(step: Expect, inbox: Inbox, tried: int) -> Verdict:
    unread = inbox.unread
    if isinstance(step.what, bytes):
        verdict = _exact(step.what, unread)
    elif step.until is not None or step.length is not None:
        verdict = _unit(step, unread, tried)
    else:
        verdict = _shortest(step, unread, tried)
    if isinstance(verdict, Open) and inbox.has_ended:
        return Unmet(f"{_ended(inbox)} after {_bytes(len(unread))} of it", len(unread))
    return verdict


def _exact(what: bytes, unread: bytearray) -> Verdict:
    if unread.startswith(what):
        return Met(len(what))
    offset = first_difference(what, unread)
    if offset < len(unread):
        return Unmet(f"bytes differ at offset {offset}", offset)
    return Open()


def _unit(step: Expect, unread: bytearray, tried: int) -> Verdict:
    """A run that ends by itself: with a delimiter, or after so many bytes."""
    if step.until is not None:
        found = unread.find(step.until, max(0, tried - len(step.until) + 1))
        size = found + len(step.until) if found >= 0 else 0
    else:
        size = step.length or 0
    if not size or len(unread) < size:
        return Open(len(unread))
    return Met(size) if _is_in(step, bytes(unread[:size])) else Unmet(f"the first {_bytes(size)} do not match")


def _is_in(step: Expect, unit: bytes) -> bool:
    if step.what is None:
        return True
    if isinstance(step.what, re.Pattern):
        return step.what.search(unit) is not None
    assert callable(step.what)
    return bool(step.what(unit))


def _shortest(step: Expect, unread: bytearray, tried: int) -> Verdict:
    """Return the shortest run that matches in full: the longest would depend on how much has come so far."""
    whole = bytes(unread[:MOST])
    for size in range(tried + 1, len(whole) + 1):
        if isinstance(step.what, re.Pattern):
            is_met = step.what.fullmatch(whole, 0, size) is not None
        else:
            assert callable(step.what)
            is_met = bool(step.what(whole[:size]))
        if is_met:
            return Met(size)
    if len(unread) >= MOST:
        return Unmet(f"none of the first {MOST} runs of bytes matches; say until= or length= to look at more", MOST)
    return Open(len(whole))


def _datagram(step: Expect, inbox: Inbox) -> Verdict:
    if not inbox.datagrams:
        return Unmet(_ended(inbox)) if inbox.has_ended else Open()
    data = inbox.datagrams[0]
    if isinstance(step.what, bytes):
        if data == step.what:
            return Met(len(data))
        offset = first_difference(step.what, data)
        return Unmet(f"datagrams differ at offset {offset}", offset)
    if step.length is not None and len(data) != step.length:
        return Unmet(f"the datagram has {_bytes(len(data))}", min(len(data), step.length))
    return Met(len(data)) if _is_in(step, data) else Unmet("the datagram does not match")


def _ending(step: ExpectEof | ExpectReset, inbox: Inbox) -> Verdict:
    if inbox.unread and not step.discard:
        return Unmet("bytes came instead")
    if inbox.has_eof if isinstance(step, ExpectEof) else inbox.was_reset:
        return Met(len(inbox.unread))
    if isinstance(step, ExpectEof) and inbox.was_reset:
        return Unmet(_ended(inbox))
    return Open()  # after an EOF a reset may still come


def _silence(inbox: Inbox) -> Verdict:
    if inbox:
        return Unmet("something came")
    return Unmet(_ended(inbox)) if inbox.has_ended else Open()


def _ended(inbox: Inbox) -> str:
    return "the connection was reset" if inbox.was_reset else "the other end closed (EOF)"


def _bytes(count: int) -> str:
    return f"{count} byte{'' if count == 1 else 's'}"


def first_difference(one: bytes | bytearray, other: bytes | bytearray) -> int:
    """Return the first offset at which two runs of bytes differ; the length of the shorter if one begins the other."""
    size = min(len(one), len(other))
    if one[:size] == other[:size]:
        return size
    return next(offset for offset in range(size) if one[offset] != other[offset])
