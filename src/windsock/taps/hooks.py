"""The hooks of a server that the seam replaces on the instance, and putting them back."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from typing import Any

__all__ = ["HOOKS", "hooks_of_its_own", "is_default", "put_back", "stand_ins"]


def stand_ins(*hooks: str) -> dict[str, str]:
    """Return the name of the replacement method for each hook; computed once, to save time for each server."""
    return {hook: sys.intern(f"_{hook}") for hook in hooks}


HOOKS = stand_ins(
    "get_request",
    "verify_request",
    "start_tls",
    "authenticate",
    "finish_request",
    "handle_refused",
    "handle_error",
    "handle_accept_error",
    "handle_truncated",
    "handle_descriptors",
    "child_exited",
)

GUARDED = (
    "verify_request",
    "process_request",
    "process_request_thread",
    "process_request_greenlet",
    "shutdown_request",
    "close_request",
)
"""Hooks that a class may define itself, whose errors are not those of its handler."""

OWN_HOOKS: weakref.WeakKeyDictionary[type, tuple[str, ...]] = weakref.WeakKeyDictionary()


def hooks_of_its_own(server_class: type) -> tuple[str, ...]:
    """Return the hooks of GUARDED that a class of servers defines itself; cached, since each test creates a server."""
    found = OWN_HOOKS.get(server_class)
    if found is None:
        found = tuple(name for name in GUARDED if not is_default(getattr(server_class, name, None)))
        OWN_HOOKS[server_class] = found
    return found


def put_back(server: Any, name: str, original: Callable[..., Any]) -> None:
    """Undo `setattr(server, name, ...)`; for a method of the class, delete the attribute."""
    if getattr(original, "__self__", None) is server:
        vars(server).pop(name, None)
    else:
        setattr(server, name, original)


def is_default(hook: Callable[..., Any] | None) -> bool:
    """Return whether a hook is a default; those for errors only write to stderr what is recorded already."""
    if hook is None:
        return True
    function = getattr(hook, "__func__", hook)
    return getattr(function, "__module__", "").split(".")[0] in ("socketserver", "windsock")
