"""Errors of socket calls, as the operating system raises them."""

from __future__ import annotations

from functools import cache

from windsock.net.system import os

__all__ = ["failure"]


_text = cache(os.strerror)


def failure(number: int) -> OSError:
    """Return the OSError of an errno value, in the subclass that Python has for it (BlockingIOError, ...)."""
    return OSError(number, _text(number))
