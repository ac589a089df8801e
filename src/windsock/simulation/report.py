"""What each thread of a world waits for, in words: the report of a deadlock."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import FrameType

from windsock.net.system import os
from windsock.simulation.tasks import Task

__all__ = ["describe", "describe_running", "short_path"]

HERE = str(Path(__file__).parent)
STANDARD_LIBRARY = (sysconfig.get_path("stdlib"), "<frozen")


def describe(tasks: Iterable[Task], holders: Mapping[int, str]) -> list[str]:
    """Return a line for each task: what it waits for, since when, and where."""
    frames = sys._current_frames()
    lines = [_line(task, holders, frames.get(task.ident)) for task in tasks]
    frames.clear()  # this frame is among them, and all that its callers hold would stay
    return lines


def _line(task: Task, holders: Mapping[int, str], frame: FrameType | None) -> str:
    library, own = _split(frame)
    what = _what(task, holders, library)
    called = f" in {library[-1].f_code.co_qualname}()" if library else ""
    return f"{task.name} waits{called} for {what}, since {task.since:.6g} s{_place(own)}"


def describe_running(task: Task) -> str:
    """Return where the task is whose turn it is."""
    _, own = _split(sys._current_frames().get(task.ident))
    return f"{task.name}{_place(own)}"


def _place(frame: FrameType | None) -> str:
    if frame is None:
        return ""
    return f", at {short_path(frame)}:{frame.f_lineno} in {frame.f_code.co_qualname}"


def short_path(frame: FrameType) -> str:
    """Return the path of a frame's code, from the current directory if it is in there."""
    return frame.f_code.co_filename.removeprefix(f"{os.getcwd()}{os.sep}")


def _what(task: Task, holders: Mapping[int, str], library: list[FrameType]) -> str:
    if any(each.f_code.co_qualname == "Condition.wait" for each in library):
        return "a notification"
    waiters: dict[int, list[Task]] = task.baton.waiters
    keys = [key for key, waiting in waiters.items() if task in waiting]
    holder = next((f" held by {holders[key]}" for key in keys if key in holders), "")
    return f"{task.waits_for or 'its first turn'}{holder}"


def _split(frame: FrameType | None) -> tuple[list[FrameType], FrameType | None]:
    """Return the innermost frames that are the standard library's, and the one that has called them."""
    frames = [each for each in _outwards(frame) if not each.f_code.co_filename.startswith(HERE)]
    number = next((n for n, each in enumerate(frames) if not _is_library(each)), len(frames))
    if number < len(frames):
        return frames[:number], frames[number]
    return [each for each in frames if not each.f_code.co_qualname.startswith("Thread.")], None


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_library(frame: FrameType) -> bool:
    path = frame.f_code.co_filename
    return path.startswith(STANDARD_LIBRARY) and "site-packages" not in path
