"""Limits of what a program may use, as the lines of a shell that set them (setrlimit(2))."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from windsock.errors import UsageError

__all__ = ["checked", "shell_lines"]

FLAGS = {"descriptors": ("n", 1), "memory": ("v", 1024), "file_size": ("f", 512)}
"""The options of `ulimit`, and its units in bytes."""


def checked(limits: Mapping[str, Any]) -> dict[str, int]:
    """Return the limits. Raises UsageError for unknown names and values."""
    for name, value in limits.items():
        if name not in FLAGS:
            raise UsageError(f"limits={{{name!r}: ...}}: expected some of {', '.join(map(repr, FLAGS))}")
        if not isinstance(value, int) or isinstance(value, bool) or value < FLAGS[name][1]:
            unit = "a number" if name == "descriptors" else "bytes"
            raise UsageError(f"limits={{{name!r}: {value!r}}}: expected {unit}, {FLAGS[name][1]} or more")
    return dict(limits)


def shell_lines(limits: Mapping[str, int]) -> Iterator[str]:
    """Give a line for each limit; the shell ends if it cannot be set."""
    for name, value in limits.items():
        flag, unit = FLAGS[name]
        yield f"ulimit -{flag} {value // unit} || exit 125"
