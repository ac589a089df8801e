"""Lines of the user's own code: where a client failed, and where handlers stand."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Callable, Container, Iterable, Iterator
from itertools import chain, takewhile
from types import FrameType, TracebackType
from typing import Any

from windsock.findings.facts import HandlerPlace, SourceLine
from windsock.net import whereabouts
from windsock.net.stacks import MOST_FRAMES, locals_of, stacks
from windsock.net.system import os, threading
from windsock.taps.requests import connection_of

__all__ = [
    "frames_of",
    "place_of_error",
    "places_in_children",
    "places_of_handlers",
    "places_of_threads",
    "user_frames",
]

READS = {"recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "recvmsg_into", "receive_some"}
"""Methods of taps in which a handler waits for its client; other sockets of a handler have no tap."""


def user_frames(frames: Iterable[tuple[FrameType, int]]) -> Iterator[tuple[FrameType, int]]:
    """Give the frames of the user's own code, each with its line number."""
    return (each for each in frames if whereabouts.is_users(each[0]))


def frames_of(error: BaseException) -> list[tuple[FrameType, int]]:
    """Return the frames of an exception, the innermost first, each with the number of its line."""
    found: list[tuple[FrameType, int]] = []
    link: TracebackType | None = error.__traceback__
    while link is not None:
        found.append((link.tb_frame, link.tb_lineno))
        link = link.tb_next
    return found[: -MOST_FRAMES - 1 : -1]


def place_of_error(error: BaseException) -> SourceLine | None:
    """Return the innermost line of the user's that an exception has passed."""
    return _first_place(frames_of(error))


def _first_place(frames: Iterable[tuple[FrameType, int]]) -> SourceLine | None:
    for frame, line in user_frames(frames):
        return _place(frame.f_code.co_filename, line, frame.f_globals)
    return None


def _place(path: str, line: int, module: dict[str, Any] | None = None) -> SourceLine:
    return SourceLine(f"{os.path.basename(path)}:{line}", linecache.getline(path, line, module).strip())


def places_in_children(server: Any) -> dict[int, HandlerPlace]:
    """Return where the handlers of a forking server stand, by the number of the process; of those that answer."""
    handler_stacks = getattr(server, "handler_stacks", None)
    stacks = handler_stacks() if handler_stacks is not None else {}
    return {pid: place for pid, stack in stacks.items() if (place := _place_in(stack)) is not None}


def _place_in(stack: list[whereabouts.Line]) -> HandlerPlace | None:
    place = next(filter(whereabouts.is_users_code, stack), None)
    if place is None:
        return None
    called = stack[: stack.index(place)]
    is_waiting = any(each.function in READS and whereabouts.is_ours(each) for each in called)
    return HandlerPlace(_place(place.path, place.number), is_waiting)


def places_of_handlers(server: Any, is_wanted: Callable[[int], bool]) -> dict[int, HandlerPlace]:
    """Return where the handlers of a server stand, by the index of the connection, of those that are wanted.

    Those of forked children are not among them.
    """
    found = {}
    for request, frames in chain(_of_threads(server), _of_turns_and_tasks(server)):
        connection = connection_of(request)
        if connection is None or not is_wanted(connection.index):
            continue
        place = _first_place(frames)
        if place is not None:
            found[connection.index] = HandlerPlace(place, _reads(frames))
    return found


def places_of_threads(without: Container[int] = ()) -> Iterator[tuple[str, SourceLine]]:
    """Give the threads that the test has started, by name, and where in its code they stand: no handlers.

    Threads are left out by their identifiers.
    """
    current = threading.get_ident()
    names = {each.ident: each.name for each in sys.modules["threading"].enumerate() if each.name != "MainThread"}
    for ident, stack in stacks().items():
        frames = [] if ident == current else [(each, each.f_lineno) for each in stack]
        users = list(user_frames(frames))
        if ident in names and ident not in without and users and not _is_called_by_us(frames, users[0]):
            place = _first_place(users)
            if place is not None:
                yield names[ident], place


def _is_called_by_us(frames: list[tuple[FrameType, int]], user: tuple[FrameType, int]) -> bool:
    outer = frames[frames.index(user) :]
    return any(whereabouts.package_of(frame) in whereabouts.OURS for frame, _ in outer)


def _reads(frames: Iterable[tuple[FrameType, int]]) -> bool:
    """Return whether the user's innermost frame has called a tap to read."""
    called = takewhile(lambda pair: not whereabouts.is_users(pair[0]), frames)
    return any(
        frame.f_code.co_name in READS and whereabouts.package_of(frame) in whereabouts.OURS for frame, _ in called
    )


def _of_threads(server: Any) -> Iterator[tuple[Any, list[tuple[FrameType, int]]]]:
    """Give the requests that threads of this process handle, each with its frames, the innermost first."""
    for stack in stacks().values():
        frames = [(frame, frame.f_lineno) for frame in stack]
        for frame in stack:
            if frame.f_code.co_name == "finish_request" and (known := locals_of(frame)).get("self") is server:
                yield known.get("request"), frames


def _of_turns_and_tasks(server: Any) -> Iterator[tuple[Any, list[tuple[FrameType, int]]]]:
    """Give the same for the greenlets of a selecting server and the tasks of a trio server."""
    handler_frames = getattr(server, "handler_frames", None)
    for request, frames in handler_frames() if handler_frames is not None else ():
        yield request, [pair for frame in frames for pair in ([(frame, frame.f_lineno)] if frame else [])]
