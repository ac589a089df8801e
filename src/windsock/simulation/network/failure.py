"""Errors of socket calls, as the operating system raises them."""

from __future__ import annotations

from windsock.net.system import os

__all__ = ["failure"]


def failure(number: int) -> OSError:
    """Return the OSError of an errno value, in the subclass that Python has for it (BlockingIOError, ...)."""
    return OSError(number, os.strerror(number))
