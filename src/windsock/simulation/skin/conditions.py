"""Conditions that were made before a world: they keep methods of their lock, which a world has replaced."""

from __future__ import annotations

import threading  # the standard library's own: its class is changed
from typing import Any

__all__ = ["install", "remove"]

KEPT = ("acquire", "release", "_release_save", "_acquire_restore", "_is_owned")
"""The attributes in which a condition keeps methods of its lock."""


class MethodOfLock:
    """An attribute of conditions that is looked up in the lock each time, in place of what a condition has kept."""

    def __init__(self, name: str, fallback: Any) -> None:
        self._name = name
        self._fallback = fallback

    def __get__(self, condition: Any, _class: type) -> Any:
        if condition is None:
            return self._fallback
        found = getattr(condition._lock, self._name, None)
        return self._fallback.__get__(condition) if found is None else found

    def __set__(self, condition: Any, value: Any) -> None:
        vars(condition)[self._name] = value


_before: dict[str, Any] = {}


def install() -> None:
    """Have all conditions look up the methods of their locks."""
    for name in KEPT:
        _before[name] = vars(threading.Condition).get(name)
        setattr(threading.Condition, name, MethodOfLock(name, _before[name]))


def remove() -> None:
    """Have them use what they have kept."""
    while _before:
        name, old = _before.popitem()
        if old is None:
            delattr(threading.Condition, name)
        else:
            setattr(threading.Condition, name, old)
