"""Facts of failed tests, made without running any."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from windsock.findings.conclusions import findings_in
from windsock.findings.facts import Case, Comparison, ConnectionFacts, FailureFacts, ServerFacts
from windsock.recording import Chunk, Direction

__all__ = ["chunks", "compared", "connection", "sentences"]


def chunks(*shown: str) -> tuple[Chunk, ...]:
    """Return chunks written as "> PING" (upstream) and "< PONG" (downstream), one each second; "" lets one pass."""
    ways = {">": Direction.UPSTREAM, "<": Direction.DOWNSTREAM}
    written = ((time, each.partition(" ")) for time, each in enumerate(shown) if each)
    return tuple(
        Chunk(float(time), ways[way], text.encode("latin-1").decode("unicode_escape").encode("latin-1"))
        for time, (way, _, text) in written
    )


def connection(*shown: str, index: int = 0, **facts: Any) -> ConnectionFacts:
    """Return a connection with these chunks."""
    passed = chunks(*shown)
    by_way = {way: b"".join(each.data for each in passed if each.direction is way) for way in Direction}
    facts.setdefault("latest", passed[-1].time if passed else 0.0)
    return ConnectionFacts(
        index=index,
        chunks=passed,
        upstream=by_way[Direction.UPSTREAM],
        downstream=by_way[Direction.DOWNSTREAM],
        **facts,
    )


def compared(left: bytes, right: bytes) -> FailureFacts:
    """Return the failure of `assert left == right`."""
    begins = right.startswith(left) and 0 < len(left) < len(right)
    comparison = Comparison(left, right, len(left), len(right), begins)
    return FailureFacts(
        kinds=frozenset({"traffic"}), compared=comparison, text=f"assert {left!r} == {right!r}", at=99.0
    )


def sentences(failure: FailureFacts, connections: Iterable[ConnectionFacts] = (), **server: Any) -> list[str]:
    """Return what is concluded of a test with one server."""
    facts = ServerFacts(name="server", shown="127.0.0.1:80", connections=tuple(connections), **server)
    return [each.sentence for each in findings_in(Case(servers=(facts,), failure=failure))]
