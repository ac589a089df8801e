"""Finding: a fault of the listener has turned the client away."""

from __future__ import annotations

from collections.abc import Iterator

from windsock.faults import Firing
from windsock.findings.facts import Case, Finding, ServerFacts

__all__ = ["find"]

SAID = {
    "Refuse": ("refused", "refused the client's connection"),
    "BacklogFull": ("timeout", "had filled the listener's queue, so the client waited in vain to be connected"),
}
"""For each fault, the kind of the failure that it causes, and what to say."""


def find(case: Case) -> Iterator[Finding]:
    """Give the servers and proxies whose listener was shut or full, if that may be why the client failed."""
    for server in case.servers:
        firing = next((each for each in reversed(server.firings) if _name(each) in SAID), None)
        if firing is None or case.is_about_another(server.address, server.shown):
            continue
        kind, said = SAID[_name(firing)]
        if case.failure.has(kind) and not _came_in_later(server, firing):
            about = server.name, server.shown
            yield Finding(89, f"{server.name}: {firing.fault} {said}", about, case.in_line_with(server.address))


def _name(firing: Firing) -> str:
    return firing.fault.partition("(")[0]


def _came_in_later(server: ServerFacts, firing: Firing) -> bool:
    """Return whether a client was connected since: the fault was over by then."""
    return any(each.opened > firing.at and each.refused is None for each in server.connections)
