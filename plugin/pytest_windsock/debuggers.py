"""Whether a debugger is at work, by the signs that pytest-timeout goes by.

See https://github.com/pytest-dev/pytest-timeout#debugger-detection: trace functions, `sys.monitoring` since Python
3.12, and pytest's own entries into pdb. Here also without pytest-timeout, and from another thread than the debugged
one.
"""

from __future__ import annotations

import sys

import pytest

from pytest_windsock import deadline
from windsock.net.stacks import stack_of

__all__ = ["ENTERED", "are_at_work", "traces_here"]

ENTERED = pytest.StashKey[bool]()
"""Kept if pytest has entered pdb in this run: from then on nothing is ended, as pytest-timeout has it."""
MODULES = ("bdb", "pdb", "ipdb", "pudb", "pydevd", "_pydevd", "debugpy")


def traces_here() -> bool:
    """Return whether a debugger traces this thread."""
    trace = sys.gettrace()
    return trace is not None and _is_debuggers(trace)


def are_at_work(ident: int) -> bool:
    """Return whether a debugger is at work, or has stopped in the thread of that identifier. From any thread."""
    monitoring = getattr(sys, "monitoring", None)
    if monitoring is not None and monitoring.get_tool(monitoring.DEBUGGER_ID) is not None:
        return True
    # a debugger that has stopped traces each frame up to the first
    if any(frame.f_trace is not None and _is_debuggers(frame.f_trace) for frame in stack_of(ident)):
        return True
    return traces_here() or deadline.is_debugging()


def _is_debuggers(trace: object) -> bool:
    """Return whether a trace function, or a method or an object that is one, comes from a debugger's module."""
    module = getattr(trace, "__module__", None) or type(trace).__module__
    return any(part.startswith(MODULES) for part in module.split("."))
