"""Partitions of a network: proxies whose lines are down at the same time."""

from __future__ import annotations

from typing import Any

from windsock.errors import UsageError
from windsock.proxies.proxy import FaultProxy

__all__ = ["Partition", "partition"]


class Partition:
    """Lines that are down at the same time. A context manager, which repairs them at its end."""

    def __init__(self, lines: tuple[FaultProxy, ...]) -> None:
        self.lines = lines

    def __repr__(self) -> str:
        return f"<partition of {', '.join(each.name for each in self.lines)}>"

    def __enter__(self) -> Partition:
        return self

    def __exit__(self, *_: object) -> None:
        self.repair()

    def repair(self) -> None:
        """Restore all lines; data in transit on streams goes on. Idempotent."""
        for each in self.lines:
            each.reconnect()


def partition(*groups: Any) -> Partition:
    """Cut the lines of these proxies, all of them now, until `repair()` or the end of a `with`.

    Each group is a proxy, or a list of the proxies in front of one part of the network. Nothing passes a line that is
    down, neither ends nor resets, and new connections are not answered. Raises UsageError for a value that is not a
    proxy.
    """
    lines = tuple(each for group in groups for each in (group if isinstance(group, list | tuple) else (group,)))
    wrong = next((each for each in lines if not isinstance(each, FaultProxy)), None)
    if wrong is not None or not lines:
        raise UsageError(f"partition({wrong!r}): expected proxies, of windsock.proxy(...) or the fixture fault_proxy")
    done = Partition(lines)
    try:
        for each in lines:
            each.disconnect()
    except BaseException:
        done.repair()
        raise
    return done
