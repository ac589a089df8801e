"""What a failed step says: where, what was expected, what came, what went before."""

from __future__ import annotations

from collections.abc import Sequence

from windsock.steps.inbox import Deed

__all__ = ["hexdump", "history", "side_by_side", "sketch"]

ROW = 8
"""Bytes in a row of a dump of two sides."""
AROUND = 2
"""Rows before and after the one with the offset."""
MOST = 64
"""Bytes that are shown in one line."""


def sketch(data: bytes | bytearray, most: int = MOST) -> str:
    """Return bytes in one line, bounded in length, with the number of those that are left out."""
    if len(data) <= most:
        return repr(bytes(data))
    return f"{bytes(data[:most])!r}... ({len(data) - most} more)"


def hexdump(data: bytes | bytearray, width: int = ROW) -> str:
    """Return one row of bytes as hexadecimal numbers and as text, padded to its width."""
    numbers = " ".join(f"{each:02x}" for each in data)
    text = "".join(chr(each) if 32 <= each < 127 else "." for each in data)
    return f"{numbers:<{width * 3 - 1}}  {text:<{width}}"


def side_by_side(expected: bytes | bytearray, received: bytes | bytearray, offset: int) -> list[str]:
    """Return a short dump around an offset, expected on the left, received on the right, rows that differ marked."""
    middle = offset // ROW
    last = (max(len(expected), len(received), 1) - 1) // ROW
    lines = [f"           {'expected':<{ROW * 4 + 3}}received"]
    for row in range(max(0, middle - AROUND), min(last, middle + AROUND) + 1):
        start = row * ROW
        left, right = expected[start : start + ROW], received[start : start + ROW]
        mark = " " if left == right else ">"
        lines.append(f"  {mark} {start:06x} {hexdump(left)}  {hexdump(right)}".rstrip())
    return lines


def history(deeds: Sequence[Deed], now: float) -> list[str]:
    """Return what both ends did last, a line each, with how long before it was."""
    lines = []
    for each in deeds:
        line = f"    {each.at - now:+.3f} s {each.what}"
        if each.size:
            line += f" {each.size} B {sketch_of(each)}"
        lines.append(line)
    return lines


def sketch_of(deed: Deed) -> str:
    """Return the bytes of a deed, with a sign that there were more."""
    return f"{deed.data!r}{'...' if deed.size > len(deed.data) else ''}"
