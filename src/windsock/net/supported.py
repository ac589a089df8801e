"""What windsock runs on: Linux and macOS, CPython with its global interpreter lock."""

from __future__ import annotations

import sys

from windsock.errors import UnsupportedInterpreter

__all__ = ["check_supported"]


def check_supported() -> None:
    """Raise UnsupportedInterpreter where windsock does not run."""
    if reason := _reason():
        raise UnsupportedInterpreter(f"windsock does not run {reason}")


def _reason() -> str:
    if sys.platform == "win32":
        return (
            "on Windows, which lacks fork(2), poll(2) and other calls that it needs; "
            "run these tests on Linux, macOS or in WSL"
        )
    if sys.implementation.name != "cpython":
        return (
            f"on {sys.implementation.name}, which lacks os.waitid() and closes descriptors late; "
            "run these tests on CPython"
        )
    is_gil_enabled = getattr(sys, "_is_gil_enabled", None)  # documented for CPython, from 3.13 on
    if is_gil_enabled is not None and not is_gil_enabled():
        return "without the global interpreter lock, where it is not tested; run these tests with PYTHON_GIL=1"
    return ""
