"""Sections of a failing test's report: what its servers recorded, and what their faults did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from pytest_windsock import seeds
from pytest_windsock.fixtures import State
from windsock import redaction

if TYPE_CHECKING:
    from windsock import RunningServer
    from windsock.proxies.proxy import FaultProxy

__all__ = ["sections"]


def sections(servers: Iterable[RunningServer | FaultProxy], when: str | None) -> Iterator[tuple[str, str]]:
    """Give the report sections that show what the servers recorded, and what their faults did.

    What the report of the test itself has shown is not shown again at its teardown, only what came after it.
    """
    suffix = " (teardown)" if when == "teardown" else ""
    for server in servers:
        lines = server.transcript()
        shown = State.shown.get(server)
        State.shown[server] = lines
        if shown is not None and lines[: len(shown)] == shown:
            lines = ["... as in the test's own report, and then:", *lines[len(shown) :]]
            if len(lines) == 1:
                continue
        yield f"windsock: {server.describe()}{suffix}", "\n".join(lines)
        if faults := server.fault_report():
            run = seeds.seed_of_run(State.item.config)
            yield (
                f"windsock: faults of {server.name}, --windsock-seed={run}{suffix}",
                "\n".join(map(redaction.line, faults)),
            )
