"""The waits of `selectors`, which are rounded up to whole milliseconds for the kernel: in a world they are exact."""

from __future__ import annotations

import selectors as standard  # the standard library's own: its classes are changed
from collections.abc import Callable
from typing import Any

from windsock.net.system import selectors
from windsock.simulation.live import current

__all__ = ["METHODS", "exact"]

_exact: list[float | None] = [None]


def exact(seconds: float) -> float:
    """Return the seconds that a selector was given which has called the calling function, or else those given here."""
    found, _exact[0] = _exact[0], None
    return seconds if found is None else found


def _selecting(old: Callable[..., Any]) -> Callable[..., Any]:
    def select(self: Any, timeout: float | None = None) -> Any:
        if current() is None or timeout is None or timeout <= 0:
            return old(self, timeout)
        _exact[0] = timeout
        try:
            return old(self, timeout)
        finally:
            _exact[0] = None

    return select


def _classes() -> list[Any]:
    """Return the classes whose waits are rounded."""
    kinds: list[Any] = [getattr(module, name, None) for module in (standard, selectors) for name in NAMES]
    found = [next(class_ for class_ in kind.__mro__ if "select" in vars(class_)) for kind in kinds if kind is not None]
    return list(dict.fromkeys(found))


NAMES = ("PollSelector", "EpollSelector")
METHODS: dict[tuple[Any, str], Any] = {(class_, "select"): _selecting(class_.select) for class_ in _classes()}
