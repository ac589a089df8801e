"""Waits with a deadline."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic

DEADLINE = 10.0
"""Seconds after which a wait of a test has failed."""


def wait_until(condition: Callable[[], object], what: str = "it to be true") -> None:
    """Wait for something that no event tells of."""
    deadline = monotonic() + DEADLINE
    pause = threading.Event()
    while not condition():
        assert monotonic() < deadline, f"waited {DEADLINE:g} s for {what}"
        pause.wait(0.001)
