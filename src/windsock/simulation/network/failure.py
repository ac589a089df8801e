"""Errors of socket calls, as the operating system raises them."""

from __future__ import annotations

from windsock.net.system import os

__all__ = ["failure"]


def failure(number: int) -> OSError:
    """Return the OSError of an errno value; Python chooses its subclass (ConnectionResetError, BlockingIOError, ...)."""
    return OSError(number, os.strerror(number))
