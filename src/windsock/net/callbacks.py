"""A callback that does nothing."""

from __future__ import annotations

__all__ = ["nothing"]


def nothing(*_: object) -> None:
    """Do nothing."""
