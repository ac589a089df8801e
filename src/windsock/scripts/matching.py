"""Matching of received bytes with a step's expectation. The result does not depend on how they are cut. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, TypeAlias

from windsock.protocols.errors import FramingError
from windsock.protocols.message_pattern import MessagePattern
from windsock.scripts.checks import MessageFraming
from windsock.scripts.inbox import Inbox
from windsock.scripts.messages import count_of, difference, ended
from windsock.scripts.shortest_match import most_of, shortest
from windsock.scripts.steps import Expect, ExpectEnd, ExpectEof, ExpectReset, ExpectSilence, ExpectUrgent, Step

__all__ = ["Failed", "Matched", "NeedMore", "Verdict", "first_difference", "judge"]


@dataclass(frozen=True, slots=True)
class Matched:
    """The step is met by the first `size` bytes."""

    size: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The step cannot be met any more: why, and the offset of the byte that shows it."""

    why: str
    offset: int = 0


@dataclass(frozen=True, slots=True)
class NeedMore:
    """The step needs more data. `tried`: the length of the longest run that has been examined."""

    tried: int = 0


Verdict: TypeAlias = Matched | Failed | NeedMore

OPEN = NeedMore()
MOST_UNTIL = 16 * 1024 * 1024
"""The number of bytes in which `expect(until=...)` searches for the delimiter."""


def judge(step: Step, inbox: Inbox, tried: int = 0) -> Verdict:
    """Return whether the inbox meets an expectation. `tried` is that of the previous verdict on it."""
    if isinstance(step, Expect):
        return _unit_of_its_own(step, inbox) if inbox.has_units else _stream(step, inbox, tried)
    if isinstance(step, ExpectEof | ExpectReset | ExpectEnd):
        return _ending(step, inbox)
    if isinstance(step, ExpectSilence):
        return _silence(inbox)
    if isinstance(step, ExpectUrgent):
        return _urgent(step, inbox)
    raise TypeError(f"{step!r} expects nothing")  # not a test's fault: drivers ask for expectations only


# --- streams


def _urgent(step: ExpectUrgent, inbox: Inbox) -> Verdict:
    """Look at the next byte: the mark is reported with it."""
    if not inbox.unread:
        return Failed(f"{ended(inbox)} before an urgent byte") if inbox.has_ended else OPEN
    first = bytes(inbox.unread[:1])
    if inbox.taken not in inbox.marks:
        return Failed(f"the next byte, {first!r}, is not urgent")
    if step.what not in (None, first):
        return Failed(f"the urgent byte is {first!r}, expected {step.what!r}")
    return Matched(1)


def _stream(step: Expect, inbox: Inbox, tried: int) -> Verdict:
    unread = inbox.unread
    if isinstance(step.what, bytes):
        verdict = _exact(step.what, unread, tried)
    elif step.until is not None or step.length is not None:
        verdict = _unit(step, unread, tried)
    elif isinstance(step.what, MessageFraming):
        size = _size_of_message(step.what, unread)
        verdict = Matched(size) if 0 < size <= len(unread) else OPEN
    elif isinstance(step.what, MessagePattern):
        verdict = _message(step.what, bytes(unread))
    else:
        verdict = _shortest(step, unread, tried)
    if isinstance(verdict, NeedMore) and inbox.has_ended:
        return Failed(f"{ended(inbox)} {_how_far(step, unread)}", len(unread))
    return verdict


def _exact(what: bytes, unread: bytearray, tried: int) -> Verdict:
    """Compare bytes. Bytes found equal are not compared again, as there may be megabytes."""
    size = len(unread)
    if not unread.startswith(what[tried:size], tried):
        offset = tried + first_difference(what[tried:size], unread[tried : len(what)])
        return Failed(f"bytes {difference(what, unread, offset)}", offset)
    return Matched(len(what)) if size >= len(what) else NeedMore(size)


def _unit(step: Expect, unread: bytearray, tried: int) -> Verdict:
    """Match a run with an end of its own: a delimiter, or a number of bytes."""
    if step.until is not None:
        found = unread.find(step.until, max(0, tried - len(step.until) + 1))
        size = found + len(step.until) if found >= 0 else 0
        if (size or len(unread)) > MOST_UNTIL:
            return Failed(f"no {step.until!r} in the first {MOST_UNTIL} bytes; pass length= to take more", MOST_UNTIL)
        if not size:
            return NeedMore(len(unread))
    else:
        assert isinstance(step.length, int)  # the progress has called a function before
        size = step.length
    if len(unread) < size:
        return NeedMore(len(unread))
    if _is_in(step, bytes(unread[:size])):
        return Matched(size)
    return Failed("the first byte does not match" if size == 1 else f"the first {size} bytes do not match")


def _message(pattern: MessagePattern, unread: bytes) -> Verdict:
    """Match the first message of a protocol."""
    try:
        size = pattern.size(unread) if unread else None
    except FramingError as error:
        return Failed(error.why)
    if size is None or size > len(unread):
        return OPEN
    return Matched(size) if pattern(unread[:size]) else Failed(f"the message differs: {pattern.why_not(unread[:size])}")


def _size_of_message(what: MessageFraming | MessagePattern, data: bytes | bytearray) -> int:
    """Return the size of the first message, even if it is incomplete; 0 if the size is not known yet."""
    framing: Any = what.size if isinstance(what, MessagePattern) else what
    return framing(bytes(data)) or 0


def _is_in(step: Expect, unit: bytes) -> bool:
    if isinstance(step.what, re.Pattern):
        return step.what.search(unit) is not None
    return bool(step.what(unit)) if callable(step.what) else True


def _shortest(step: Expect, unread: bytearray, tried: int) -> Verdict:
    """Take the shortest run that matches in full: the longest would depend on how much has come so far."""
    assert isinstance(step.what, re.Pattern) or callable(step.what)
    most = most_of(step.what)
    size = shortest(step.what, bytes(unread[:most]), tried)
    if size is not None:
        return Matched(size)
    if len(unread) >= most:
        return Failed(f"no run of bytes matches in the first {most}; pass until= or length= to look at more", most)
    return NeedMore(len(unread))


def _how_far(step: Expect, unread: bytearray) -> str:
    """Return how much had come when the stream ended, in words."""
    size = len(unread)
    if not size:
        return "before it"
    if isinstance(step.what, bytes) or step.length is not None:
        whole = len(step.what) if isinstance(step.what, bytes) else step.length
        return f"after {size} of {whole} bytes"
    if step.until is not None:
        return f"after {count_of(size)} without {step.until!r}"
    if isinstance(step.what, MessageFraming | MessagePattern):
        whole = _size_of_message(step.what, unread)
        return f"after {size} of {whole} bytes" if whole else f"after {count_of(size)} without the end of a message"
    return f"after {count_of(size)}, of which no run matches"


# --- datagrams and records


def _unit_of_its_own(step: Expect, inbox: Inbox) -> Verdict:
    if not inbox.datagrams:
        return Failed(f"{ended(inbox)} before it") if inbox.has_ended else OPEN
    data = inbox.datagrams[0]
    if isinstance(step.what, bytes):
        if data == step.what:
            return Matched(len(data))
        offset = first_difference(step.what, data)
        return Failed(f"{inbox.unit}s {difference(step.what, data, offset)}", offset)
    if isinstance(step.length, int) and len(data) != step.length:
        return Failed(f"the {inbox.unit} has {count_of(len(data))}", min(len(data), step.length))
    if _fits(step, data):
        return Matched(len(data))
    why = f": {step.what.why_not(data)}" if isinstance(step.what, MessagePattern) else ""
    return Failed(f"the {inbox.unit} does not match{why}")


def _fits(step: Expect, data: bytes) -> bool:
    """Return whether a datagram or record matches: a pattern must match all of it; with a length, any part."""
    if isinstance(step.what, re.Pattern) and step.length is None:
        return step.what.fullmatch(data) is not None
    if isinstance(step.what, MessageFraming):
        return step.what.is_datagram(data)
    return _is_in(step, data)


# --- ends and silence


def _ending(step: ExpectEof | ExpectReset | ExpectEnd, inbox: Inbox) -> Verdict:
    if inbox.unread and not step.discard:
        return Failed("bytes came instead")
    if isinstance(step, ExpectEnd):
        return Matched(len(inbox.unread)) if inbox.has_ended else OPEN
    if inbox.has_eof if isinstance(step, ExpectEof) else inbox.was_reset:
        return Matched(len(inbox.unread))
    if isinstance(step, ExpectEof) and inbox.was_reset:
        return Failed(ended(inbox))
    if isinstance(step, ExpectReset) and inbox.is_sealed:
        return Failed(f"{ended(inbox)}; on a Unix socket that is a reset only if it left data unread (unix(7))")
    return OPEN  # after an EOF a reset may still come


def _silence(inbox: Inbox) -> Verdict:
    if inbox:
        return Failed("something came")
    return Failed(ended(inbox)) if inbox.has_ended else OPEN


def first_difference(one: bytes | bytearray, other: bytes | bytearray) -> int:
    """Return the first offset at which two runs of bytes differ; the shorter length if one starts with the other."""
    size = min(len(one), len(other))
    if one[:size] == other[:size]:
        return size
    low, high = 0, size  # the first `low` bytes are equal, the first `high` ones are not
    while high - low > 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low
