"""Finding: no client ever connected, or sent a datagram, to a server."""

from __future__ import annotations

from collections.abc import Iterator

from windsock.findings.facts import Case, Finding, ServerFacts

__all__ = ["find"]

MOMENTS = ("refused", "timeout", "reset", "end", "ours", "traffic")
"""Failures that may come of it."""

NOTHING = "nothing was recorded"
"""How a wait for requests shows a server without any."""


def find(case: Case) -> Iterator[Finding]:
    """Give the servers that had no client, if that may be why the test failed."""
    for server in case.servers:
        moments = (*MOMENTS, "missing") if isinstance(server.address, str) else MOMENTS
        if not case.failure.has(*moments):
            continue
        if not server.connections and not server.firings and _matters(case, server):  # a fault may have stopped them
            yield Finding(88, _said(case, server), (server.name, server.shown))


def _matters(case: Case, server: ServerFacts) -> bool:
    """Return whether the failure is about this server: others of the test may be none of its business."""
    is_named = server.shown in case.failure.text or NOTHING in case.failure.text
    is_only_one = not any(each.connections for each in case.servers)
    return is_named or is_only_one or _was_passed_by(case, server) or _went_astray(case)


def _went_astray(case: Case) -> bool:
    """Return whether a client was refused at an address that no server of the test has."""
    tried = case.failure.tried
    return bool(tried) and tried not in [each.shown for each in case.servers]


def _was_passed_by(case: Case, server: ServerFacts) -> bool:
    """Return whether it is a proxy, and clients went to the server behind it."""
    behind = [each for each in case.servers if each.address == server.upstream and not each.is_proxy]
    return server.is_proxy and any(each.connections for each in behind)


def _said(case: Case, server: ServerFacts) -> str:
    what = "no datagram came to" if server.is_datagram else "no client connected to"
    sentence = f"{what} {server.name}, which is at {server.shown}"
    tried = case.failure.tried
    if tried and tried != server.shown:
        return f"{sentence}; the client tried {tried}"
    if _was_passed_by(case, server):
        return f"{sentence}: the client went to the server behind it"
    return sentence
