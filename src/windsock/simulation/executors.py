"""Thread pools that live longer than a world: in it they have threads and work of the world's own.

A thread from before would do its work outside, and one of the world has ended when it is over. So while a world is
live, the attributes in which a `ThreadPoolExecutor` keeps both are looked up in the world by threads of the world, and
in the executor by all others. This file alone knows these attributes.
"""

from __future__ import annotations

import itertools
import sys
import threading  # the standard library's own: that of executors
from _queue import SimpleQueue
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import thread as threads_of_executors
from contextlib import suppress
from functools import cache, partial
from typing import Any

from windsock.options.combinations import Unsupported
from windsock.simulation.live import current

__all__ = ["Executors"]

SHUT = "_shutdown"
QUEUE = "_work_queue"
COUNTER = "_counter"
"""The attribute of the class that numbers executors for the names of their threads."""
FRESH: dict[str, Callable[[], Any]] = {
    QUEUE: SimpleQueue,
    "_idle_semaphore": partial(threading.Semaphore, 0),
    "_threads": set,
    "_broken": bool,
    SHUT: bool,
}
"""The attributes, and what makes them anew."""


class Executors:
    """The executors that threads of a world have used, and what they have in it."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[ThreadPoolExecutor, dict[str, Any]]] = {}
        self._shut: set[int] = set()
        self._counter: Any = None

    @staticmethod
    @cache
    def check() -> None:
        """Raise Unsupported for an interpreter whose executors have other attributes."""
        known = {*vars(ThreadPoolExecutor(1, "probe")), *vars(ThreadPoolExecutor)}
        if not known.issuperset((COUNTER, *FRESH)):
            version = sys.version.split()[0]
            raise Unsupported(f"simulated worlds do not know the ThreadPoolExecutor of Python {version}")

    def begin(self) -> None:
        """Have executors look up their threads, and number them for the names of these from 0."""
        self._counter = vars(ThreadPoolExecutor)[COUNTER]
        setattr(ThreadPoolExecutor, COUNTER, itertools.count().__next__)
        for name in FRESH:
            setattr(ThreadPoolExecutor, name, OfThread(name, self.of))

    def of(self, executor: ThreadPoolExecutor) -> dict[str, Any]:
        """Return what an executor has in the world."""
        if id(executor) not in self._known:
            own = vars(executor)
            for name, make in FRESH.items():  # one that is made in the world has nothing yet for the time after it
                if name not in own:
                    own[name] = make()
            values = {name: make() for name, make in FRESH.items()}
            if not isinstance(own[QUEUE], SimpleQueue):  # the user has put another one there
                values[QUEUE] = type(own[QUEUE])()
            self._known[id(executor)] = executor, values | {SHUT: own[SHUT]}
        return self._known[id(executor)][1]

    def finish(self) -> None:
        """Have the threads of the world end once they have done what was given to them."""
        for key, (executor, values) in list(self._known.items()):
            if values[SHUT]:
                self._shut.add(key)
            ThreadPoolExecutor.shutdown(executor, wait=False)

    def cancel(self) -> None:
        """Cancel what they have not begun."""
        for executor, _ in list(self._known.values()):
            ThreadPoolExecutor.shutdown(executor, wait=False, cancel_futures=True)

    def end(self) -> None:
        """Have executors use what they have themselves; the threads of one that the world has shut down end."""
        if self._counter is not None:
            setattr(ThreadPoolExecutor, COUNTER, self._counter)
        for name in vars(ThreadPoolExecutor).keys() & FRESH.keys():
            delattr(ThreadPoolExecutor, name)
        joined_at_exit = vars(threads_of_executors).get("_threads_queues", {})
        for key, (executor, values) in self._known.items():
            for thread in values["_threads"]:
                joined_at_exit.pop(thread, None)  # one that has not ended would not let the interpreter exit
            if key in self._shut:
                vars(executor)[SHUT] = True
                with suppress(Exception):  # a queue of the user's own may not take it
                    vars(executor)[QUEUE].put(None)
        self._known.clear()


class OfThread:
    """An attribute of executors that is another one for threads of the world."""

    def __init__(self, name: str, of: Callable[[ThreadPoolExecutor], dict[str, Any]]) -> None:
        self._name = name
        self._of = of

    def __get__(self, executor: ThreadPoolExecutor | None, _class: type) -> Any:
        if executor is None:
            return self
        values = vars(executor) if current() is None else self._of(executor)
        if self._name not in values:
            raise AttributeError(f"{type(executor).__name__!r} object has no attribute {self._name!r}")
        return values[self._name]

    def __set__(self, executor: ThreadPoolExecutor, value: Any) -> None:
        (vars(executor) if current() is None else self._of(executor))[self._name] = value
