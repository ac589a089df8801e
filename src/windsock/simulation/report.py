"""What each thread of a world waits for, in words: the report of a deadlock."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import FrameType

from windsock.simulation.tasks import Task

__all__ = ["describe", "name_of"]

HERE = str(Path(__file__).parent)
STANDARD_LIBRARY = sysconfig.get_path("stdlib")


def describe(tasks: Iterable[Task], holders: Mapping[int, str]) -> list[str]:
    """Return a line for each task: what it waits for, since when, and where."""
    frames = sys._current_frames()
    return [_line(task, holders, frames.get(task.ident)) for task in tasks]


def _line(task: Task, holders: Mapping[int, str], frame: FrameType | None) -> str:
    what = task.waits_for or "its first turn"
    return f"{task.name} waits for {what}{_holder(task, holders)} since {task.since:.6g} s{_place(frame)}"


def _holder(task: Task, holders: Mapping[int, str]) -> str:
    name = next((holders[key] for key in _keys(task) if key in holders), None)
    return f" held by {name}," if name else ""


def _keys(task: Task) -> list[int]:
    """Return the locks that a task waits for."""
    waiters: dict[int, list[Task]] = task.baton.waiters
    return [key for key, waiting in waiters.items() if task in waiting] if "lock" in task.waits_for else []


def _place(frame: FrameType | None) -> str:
    """Return the innermost line that is not the standard library's."""
    outer = first = _outside(frame, (HERE,))
    while outer is not None and _is_library(outer.f_code.co_filename):
        outer = outer.f_back
    found = outer or first
    return f", at {found.f_code.co_filename}:{found.f_lineno} in {name_of(found)}" if found else ""


def name_of(frame: FrameType) -> str:
    """Return the name of a frame's function."""
    return frame.f_code.co_qualname


def _outside(frame: FrameType | None, folders: tuple[str, ...]) -> FrameType | None:
    while frame is not None and frame.f_code.co_filename.startswith(folders):
        frame = frame.f_back
    return frame


def _is_library(path: str) -> bool:
    return path.startswith((STANDARD_LIBRARY, "<frozen")) and "site-packages" not in path
