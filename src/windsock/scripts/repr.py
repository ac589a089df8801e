"""Values as the code that creates them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

__all__ = ["BRIEF", "brief_of", "code_of", "sketch", "wrapped"]

FLAGS = (
    (re.ASCII, "re.ASCII"),
    (re.DOTALL, "re.DOTALL"),
    (re.IGNORECASE, "re.IGNORECASE"),
    (re.LOCALE, "re.LOCALE"),
    (re.MULTILINE, "re.MULTILINE"),
    (re.VERBOSE, "re.VERBOSE"),
)
LINE = re.compile(rb"[^\n]*\n|[^\n]+")
BRIEF = 64
"""The most bytes, or columns of a script, that a message shows."""


def code_of(value: Any) -> str:
    """Return Python code that creates the value; for events, lambdas and the like, a name."""
    if isinstance(value, re.Pattern):
        flags = " | ".join(name for flag, name in FLAGS if value.flags & flag)
        return f"re.compile({value.pattern!r}{', ' + flags if flags else ''})"
    if callable(value) and hasattr(value, "__qualname__"):
        return str(value.__qualname__).rpartition("<locals>.")[2]
    return repr(value)


def brief_of(value: Any) -> str:
    """Return the code of a value on one line of limited length."""
    if isinstance(value, bytes):
        return sketch(value)
    steps = getattr(value, "steps", None)
    if not isinstance(steps, tuple):
        return _shortened(code_of(value)) if hasattr(value, "__bytes__") else code_of(value)
    line = "Script()" + "".join(f".{each.text}" for each in steps)
    return line if len(line) <= BRIEF else f"Script() of {len(steps)} step{'' if len(steps) == 1 else 's'}"


def _shortened(code: str) -> str:
    return code if len(code) <= BRIEF else f"{code[:BRIEF]}..."


def sketch(data: bytes | bytearray, most: int = BRIEF) -> str:
    """Return bytes on one line of limited length, with the number of those left out."""
    if len(data) <= most:
        return repr(bytes(data))
    return f"{bytes(data[:most])!r}... ({len(data) - most} more)"


def wrapped(data: bytes, columns: int) -> Iterator[str]:
    """Yield literals that together make the bytes, one for each line, of at most `columns` columns."""
    for line in LINE.findall(data):
        at = 0
        while at < len(line):
            size = columns
            while (excess := len(repr(line[at : at + size])) - columns) > 0:
                size = min(size, len(line) - at) - -(-excess // 4)  # a byte takes at most four columns
            yield repr(line[at : at + size])
            at += size
