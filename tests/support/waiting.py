"""Waits with a deadline."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from time import monotonic

DEADLINE = 10.0
"""Seconds after which a wait of a test has failed."""
HOUR = 3600.0
"""Seconds that an interval or a timeout is given which must not be waited for."""


def wait_until(condition: Callable[[], object], what: str = "it to be true") -> None:
    """Wait for something that no event tells of."""
    deadline = monotonic() + DEADLINE
    pause = threading.Event()
    while not condition():
        assert monotonic() < deadline, f"waited {DEADLINE:g} s for {what}"
        pause.wait(0.001)


@contextlib.contextmanager
def ends_in_time() -> Iterator[None]:
    """Make sure that the block does not hang. How fast it is does not matter: that is a figure for benchmarks/."""
    start = monotonic()
    yield
    assert monotonic() - start < DEADLINE
