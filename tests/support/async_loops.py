"""Coroutines of tests in each event loop there is: asyncio's own, uvloop's, and trio's."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
import pytest

from tests.support.waiting import DEADLINE

__all__ = ["ASYNCIO_LOOPS", "LOOPS", "run_in"]

T = TypeVar("T")
BACKENDS: dict[str, dict[str, Any]] = {
    "asyncio": {"backend": "asyncio"},
    "uvloop": {"backend": "asyncio", "backend_options": {"use_uvloop": True}},
    "trio": {"backend": "trio"},
}
HAS_UVLOOP = importlib.util.find_spec("uvloop") is not None
if HAS_UVLOOP:
    importlib.import_module("uvloop").new_event_loop().close()  # a pipe of the first one stays as long as the process
NO_UVLOOP = pytest.mark.skipif(not HAS_UVLOOP, reason="uvloop has no wheel for this Python")
LOOPS = ["asyncio", pytest.param("uvloop", marks=NO_UVLOOP), "trio"]
ASYNCIO_LOOPS = LOOPS[:2]


def run_in(loop: str, main: Callable[[], Awaitable[T]]) -> T:
    """Run a function in a new loop of this kind, for at most DEADLINE seconds."""

    async def bounded() -> T:
        with anyio.fail_after(DEADLINE):
            return await main()

    result: T = anyio.run(bounded, **BACKENDS[loop])
    return result
