"""Messages of failed steps: the position, the expectation, what was received, and what happened before."""

from __future__ import annotations

from collections.abc import Sequence

from windsock.errors import whole
from windsock.protocols.message_pattern import MessagePattern
from windsock.scripts.checks import MessageFraming
from windsock.scripts.inbox import HistoryEntry, Inbox
from windsock.scripts.repr import sketch
from windsock.scripts.steps import Expect, ExpectEnd, ExpectEof, ExpectReset, ExpectUrgent, OneOf, Step, WaitFor

__all__ = ["count_of", "difference", "ended", "hexdump", "history", "lack_of", "none_of", "side_by_side", "sketch"]

ROW = 8
"""Bytes in each row of a side-by-side dump."""
AROUND = 2
"""Rows before and after the row with the offset."""


# --- reasons, which follow the step


def count_of(number: int, what: str = "byte") -> str:
    """Return "1 byte", "2 bytes"."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def difference(expected: bytes | bytearray, received: bytes | bytearray, offset: int) -> str:
    """Return where two runs of bytes differ, and the bytes there, in words."""
    there, wanted = received[offset : offset + 1], expected[offset : offset + 1]
    if not there or not wanted:
        return f"differ at offset {offset}, where the {'expected' if there else 'received'} one ends"
    return f"differ at offset {offset}, {bytes(there)!r} instead of {bytes(wanted)!r}"


def ended(inbox: Inbox) -> str:
    """Return how the other end ended, in words: whatever came first."""
    if inbox.has_eof:
        return "the other end closed (EOF)"
    return f"the connection {inbox.how}" if inbox.how == "was reset" else f"the connection ended ({inbox.how})"


def none_of(reasons: Sequence[tuple[str, str]]) -> str:
    """Return why each of several expectations was not met, in words."""
    return "none of these matched" + "".join(f"\n    {text}: {why}" for text, why in reasons)


def lack_of(step: Step, inbox: Inbox, seconds: float, *, is_cut: bool) -> str:
    """Return what did not happen within `seconds`, in words; `is_cut`: the test's time is over before."""
    but = ""
    if isinstance(step, WaitFor):
        what = "the event was not set"
    elif isinstance(step, ExpectEof):
        what = "the other end did not close"
    elif isinstance(step, ExpectEnd):
        what = "the other end did not end the connection"
    elif isinstance(step, ExpectReset):
        what = f"{ended(inbox)}, but no reset came" if inbox.has_eof else "no reset came"
    elif isinstance(step, ExpectUrgent):
        what = "no urgent byte came"
    elif isinstance(step, Expect | OneOf):
        what, but = _what_came(step, len(inbox.unread)) if inbox else ("nothing came", "")
    else:
        what = "it was not finished"
    return f"{what} within {whole(seconds, is_cut=is_cut)}{but}"


def _what_came(step: Expect | OneOf, size: int) -> tuple[str, str]:
    """Return how much came, and why it is not enough, in words."""
    if isinstance(step, OneOf):
        return f"{size} B came", ", which meet none of the branches"
    if isinstance(step.what, bytes):
        return f"{size} of {len(step.what)} B came", ""
    if step.length is not None:
        return f"{size} of {step.length} B came", ""
    if isinstance(step.what, MessageFraming | MessagePattern):
        return f"{size} B came", " without the end of a message"
    return f"{size} B came", ", of which no run matches" if step.until is None else f" without {step.until!r}"


# --- bytes


def hexdump(data: bytes | bytearray) -> str:
    """Return one row of bytes as hexadecimal numbers and as text, padded to its width."""
    numbers = " ".join(f"{each:02x}" for each in data)
    text = "".join(chr(each) if 32 <= each < 127 else "." for each in data)
    return f"{numbers:<{ROW * 3 - 1}}  {text:<{ROW}}"


def side_by_side(
    left: bytes | bytearray,
    right: bytes | bytearray,
    offset: int,
    *,
    titles: tuple[str, str] = ("expected", "received"),
    around: int = AROUND,
) -> list[str]:
    """Return a short dump of both sides around an offset, whose row is marked."""
    middle = offset // ROW
    last = (max(len(left), len(right), 1) - 1) // ROW
    lines = [f"{'':11}{titles[0]:<{ROW * 4 + 3}}{titles[1]}"]
    for row in range(max(0, middle - around), min(last, middle + around) + 1):
        start = row * ROW
        sides = f"{hexdump(left[start : start + ROW])}  {hexdump(right[start : start + ROW])}"
        lines.append(f"  {'>' if row == middle else ' '} {start:06x} {sides}".rstrip())
    return lines


# --- history


def history(deeds: Sequence[HistoryEntry], now: float) -> list[str]:
    """Return the latest actions of both ends, one a line, each with the time since."""
    lines = []
    for each in deeds:
        line = f"    -{max(0.0, now - each.at):.4f} s {each.what}"
        if each.size:
            line += f" {each.size} B {each.data!r}{'...' if each.size > len(each.data) else ''}"
        elif each.what in ("sent", "received"):
            line += " an empty datagram"
        lines.append(line)
    return lines
