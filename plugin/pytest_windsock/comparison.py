"""Explanations of failed asserts about bytes: where they differ, and both sides around that offset."""

from __future__ import annotations

from windsock.redaction import masked
from windsock.scripts.matching import first_difference
from windsock.scripts.messages import side_by_side, sketch

__all__ = ["of_bytes"]

SKETCH = 32
"""Bytes of each side in the first line: with all lines, pytest cuts off what has more than 640 characters..."""
AROUND = 1
"""...or eight lines; so there is one row before and one after that in which they differ."""


def of_bytes(left: bytes | bytearray, right: bytes | bytearray) -> list[str]:
    """Return the explanation of a failed assert: the two values, where they differ, and a short dump of both."""
    offset = first_difference(left, right)
    there = _there(left, right, offset)
    left, right = masked(bytes(left)), masked(bytes(right))
    return [
        f"{sketch(left, SKETCH)} == {sketch(right, SKETCH)}",
        f"bytes differ at offset {offset}, {there}; {len(left)} B and {len(right)} B",
        *side_by_side(left, right, offset, titles=("left", "right"), around=AROUND),
    ]


def _there(left: bytes | bytearray, right: bytes | bytearray, offset: int) -> str:
    sides = [bytes(each[offset : offset + 1]) for each in (left, right)]
    if not all(sides):
        return f"where the {'right' if sides[0] else 'left'} one ends"
    return f"{sides[0]!r} and {sides[1]!r}"
