"""What ready sets of rules have in common: they keep a state in this process. No I/O."""

from __future__ import annotations

from typing import Any

from windsock.errors import UsageError

__all__ = ["check_keeps_state"]


def check_keeps_state(call: str, server: Any) -> None:
    """Raise UsageError if the server forks: a child does not share the state."""
    if getattr(getattr(server, "options", None), "concurrency", "") == "forking":
        raise UsageError(f"{call}: a child of a forking server has a memory of its own; use another concurrency")
