"""Finding: one connection after the other, all alike, at regular intervals: a client that tries again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from windsock.findings.facts import Case, ConnectionFacts, Finding, ServerFacts
from windsock.findings.phrases import seconds, shown
from windsock.recording import Ending

__all__ = ["find"]

FEWEST = 3
SHORTEST = 0.005
"""Seconds between two connections below which they came at once."""
IN_ORDER = (Ending.CLIENT_EOF, Ending.SERVER_CLOSE)


def find(case: Case) -> Iterator[Finding]:
    """Give the servers whose connections came to nothing, all in the same way."""
    if not case.failure.is_about_traffic:
        return
    for server in case.answering:
        found = server.connections
        if not server.is_datagram and len(found) >= FEWEST and _are_alike(found) and (every := _interval(found)):
            yield Finding(40, _said(server, every), (server.name, server.shown, "all"))


def _are_alike(found: Sequence[ConnectionFacts]) -> bool:
    """Return whether all came to nothing in the same way; the last one may not have ended yet.

    Connections that were open at the same time are no attempts of which one follows the other.
    """
    first = found[0]
    if first.closed is not None and first.closed > found[-1].opened:
        return False
    came_to_nothing = bool(first.faults) or not first.downstream or first.ending not in IN_ORDER
    return came_to_nothing and len({_what_became_of(each) for each in found[:-1]}) == 1


def _what_became_of(connection: ConnectionFacts) -> tuple[object, ...]:
    if connection.faults:
        return ("fault", _fault_of(connection))
    return connection.upstream, connection.downstream, connection.ending


def _fault_of(connection: ConnectionFacts) -> str:
    return f"{connection.faults[0].partition(') ')[0].partition('):')[0]})"


def _interval(found: Sequence[ConnectionFacts]) -> float:
    """Return the seconds from one to the next; 0 if they came at once, or at odd times."""
    gaps = [later.opened - earlier.opened for earlier, later in pairwise(found)]
    mean = sum(gaps) / len(gaps)
    is_regular = all(mean / 3 <= gap <= mean * 3 for gap in gaps)
    return mean if is_regular and min(gaps) >= SHORTEST else 0.0


def _said(server: ServerFacts, every: float) -> str:
    first = server.connections[0]
    all_of_them = f"{server.name}: {len(server.connections)} connections, one about every {seconds(every)}"
    if first.faults:
        return f"{all_of_them}, each met by {_fault_of(first)}"
    sent = f"sent {shown(first.upstream)}" if first.upstream else "sent nothing"
    got = f"got {shown(first.downstream)}" if first.downstream else "got nothing"
    ended = f", ended by: {first.ending}" if first.ending is not None else ""
    return f"{all_of_them}, each {sent} and {got}{ended}"
