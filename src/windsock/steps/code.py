"""Values as the code that makes them."""

from __future__ import annotations

import re
from typing import Any

__all__ = ["code_of"]

FLAGS = (
    (re.DOTALL, "re.DOTALL"),
    (re.IGNORECASE, "re.IGNORECASE"),
    (re.MULTILINE, "re.MULTILINE"),
    (re.VERBOSE, "re.VERBOSE"),
)


def code_of(value: Any) -> str:
    """Return Python code that makes the value; for what has none (events, lambdas) something that names it."""
    if isinstance(value, re.Pattern):
        flags = " | ".join(name for flag, name in FLAGS if value.flags & flag)
        return f"re.compile({value.pattern!r}{', ' + flags if flags else ''})"
    if callable(value) and hasattr(value, "__qualname__"):
        return str(value.__qualname__)
    return repr(value)
