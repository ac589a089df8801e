"""The ini values of pytest that are for windsock."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import pytest

__all__ = ["add_ini_values", "hang_timeout_of", "idle_threads_of", "timeout_of"]

Number = TypeVar("Number", int, float)


def add_ini_values(parser: pytest.Parser) -> None:
    """Add the ini values, with types where pytest has them (8.4): native TOML of pytest 9 takes numbers only so."""
    has_types = pytest.version_tuple >= (8, 4)
    seconds: Any = "float" if has_types else "string"
    count: Any = "int" if has_types else "string"
    parser.addini(
        "windsock_timeout",
        "windsock: seconds that a server's stop and a wait for requests may take (default: 5)",
        type=seconds,
        default=5.0,
    )
    parser.addini(
        "windsock_hang_timeout",
        "windsock: seconds after which a setup, test or teardown that uses servers counts as a hang, and is ended, if "
        "pytest-timeout sets no timeout; 0: never (default: 60)",
        type=seconds,
        default=60.0,
    )
    parser.addini(
        "windsock_idle_threads",
        "windsock: threads that may stay idle between tests, for a second each, ready for the next server (default: 2)",
        type=count,
        default=2,
    )


def timeout_of(config: pytest.Config) -> float:
    """Return the ini value in seconds. Raises pytest.UsageError if it is no such thing."""
    seconds = _ini_number(config, "windsock_timeout", float, "seconds, more than 0")
    if not 0 < seconds < math.inf:
        raise pytest.UsageError(f"windsock_timeout: expected seconds, more than 0; got {seconds:g}")
    return seconds


def hang_timeout_of(config: pytest.Config) -> float:
    """Return the ini value in seconds; 0: no limit. Raises pytest.UsageError if it is no such thing."""
    seconds = _ini_number(config, "windsock_hang_timeout", float, "seconds, or 0 for no limit")
    if not 0 <= seconds < math.inf:
        raise pytest.UsageError(f"windsock_hang_timeout: expected seconds, or 0 for no limit; got {seconds:g}")
    return seconds


def idle_threads_of(config: pytest.Config) -> int:
    """Return the ini value. Raises pytest.UsageError if it is no number of threads."""
    count = _ini_number(config, "windsock_idle_threads", int, "a whole number, 0 or more")
    if count < 0:
        raise pytest.UsageError(f"windsock_idle_threads: expected a whole number, 0 or more; got {count}")
    return count


def _ini_number(config: pytest.Config, name: str, kind: type[Number], expected: str) -> Number:
    """Return an ini value as a number, whichever version of pytest and kind of file it comes from."""
    try:
        return kind(str(config.getini(name)))
    except (TypeError, ValueError, OverflowError, pytest.UsageError) as reason:
        raise pytest.UsageError(f"{name}: expected {expected}; {reason}") from None
