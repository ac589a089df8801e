"""Checks of ready rules, such as `redis.store(server)` and `smtp.session(server)`."""

from __future__ import annotations

from typing import Any

from windsock.errors import UsageError

__all__ = ["check_shares_memory"]


def check_shares_memory(call: str, server: Any) -> None:
    """Raise UsageError for a server whose handlers have another memory than the test."""
    if getattr(getattr(server, "options", None), "concurrency", "") == "forking":
        raise UsageError(f"{call}: a child of a forking server has a memory of its own; use another concurrency")
