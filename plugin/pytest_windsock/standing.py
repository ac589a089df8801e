"""Where everyone stands when a test hangs or is interrupted: the test itself, and the handlers of its servers."""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from pytest_windsock import past_threads
from windsock.net import whereabouts
from windsock.net.system import threading

if TYPE_CHECKING:
    from windsock import RunningServer
    from windsock.proxies.proxy import FaultProxy

__all__ = ["ident_of_main", "others", "test_at", "test_now"]

MOST = 20
"""Places of threads, and of the children of one server."""


def ident_of_main() -> int:
    """Return the identifier of the thread that runs the tests."""
    return threading.main_thread().ident or 0


def test_now() -> list[str]:
    """Return a line on where the test stands now; from another thread."""
    return list(_attempt(f"the test stood at {whereabouts.place_of_thread(ident_of_main())}" for _ in range(1)))


def test_at(error: BaseException) -> list[str]:
    """Return a line on where the test stood when it was interrupted by an exception."""
    return list(_attempt(f"the test stood at {place}" for place in whereabouts.places_of_error(error)))


def others(servers: Iterable[RunningServer | FaultProxy]) -> list[str]:
    """Return a line for each thread, task, greenlet and child that stands in code of the test."""
    without: Container[int] = {ident_of_main(), threading.get_ident(), *past_threads.idents()}
    lines = list(_attempt(islice(whereabouts.places(without=without), MOST)))
    for server in list(servers):
        lines += _attempt(islice(_in_children(server), MOST))
    return lines


def _in_children(server: Any) -> Iterator[str]:
    handler_stacks = getattr(getattr(server, "server", None), "handler_stacks", None)
    for pid, stack in handler_stacks().items() if handler_stacks is not None else ():
        place = next(filter(whereabouts.is_users_code, stack), None)
        if place is not None:
            yield f"process {pid}: {whereabouts.place_of_line(place)}"


def _attempt(lines: Iterable[str]) -> Iterator[str]:
    """Give lines up to the first exception: threads go on meanwhile, and what is looked at may change."""
    with contextlib.suppress(Exception):
        yield from lines
