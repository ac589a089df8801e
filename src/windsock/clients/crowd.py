"""Many clients at once: the same script, or one for each, and one summary of what became of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from windsock.clients.crowd_loop import CrowdLoop
from windsock.clients.summary import CrowdSummary
from windsock.errors import UsageError
from windsock.net.system import monotonic, selectors
from windsock.scripts import Script
from windsock.scripts.checks import check_count, check_seconds

if TYPE_CHECKING:
    from windsock.clients.connector import Connector

__all__ = ["crowd"]


def crowd(
    connector: Connector,
    count: int,
    script: Script | Callable[[int], Script],
    *,
    spread: float = 0.0,
    strict: bool = True,
) -> CrowdSummary:
    """Play a script with `count` clients at once, in this thread; see RunningServer.crowd()."""
    check_count(f"crowd({count!r}, ...)", count)
    check_seconds(f"crowd(spread={spread!r})", spread, or_none=True)
    scripts = _scripts(count, script)
    with selectors.DefaultSelector() as selector:
        loop = CrowdLoop(selector, connector, scripts, spread)
        try:
            loop.run()
        finally:
            loop.close()
    summary = CrowdSummary(tuple(each.result() for each in loop.members), monotonic() - loop.started)
    if strict:
        summary.check()
    return summary


def _scripts(count: int, script: Script | Callable[[int], Script]) -> list[Script]:
    """Return each client's script. Raises UsageError for what is none."""
    if isinstance(script, Script):
        return [script] * count
    if not callable(script):
        raise UsageError(f"crowd({count}, {script!r}): expected a Script, or a function from the index to a Script")
    scripts = [script(index) for index in range(count)]
    for index, each in enumerate(scripts):
        if not isinstance(each, Script):
            raise UsageError(f"crowd(): the function returned {each!r} for index {index}; expected a Script")
    return scripts
