"""Finding: a length prefix that makes sense when it is read in another way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from windsock.errors import WindsockError
from windsock.findings.facts import Case, ConnectionFacts, Finding
from windsock.recording import LengthPrefix

__all__ = ["find"]


def find(case: Case) -> Iterator[Finding]:
    """Give the messages that are complete if their length is read in another way."""
    if not case.failure.is_about_traffic:
        return
    for server in case.answering:
        framing = server.framing
        if not isinstance(framing, LengthPrefix):
            continue
        for connection in server.connections:
            said = _said(framing, connection) if len(connection.rest) > framing.size else ""
            if said:
                yield Finding(92, f"{server.at(connection)}: {said}", server.about(connection))
                break


def _said(framing: LengthPrefix, connection: ConnectionFacts) -> str:
    """Return a sentence about the first reading by which all that came is one message."""
    rest = connection.rest
    prefix, came = rest[: framing.size], len(rest) - framing.size
    figures = f"the length prefix says {int.from_bytes(prefix, framing.byteorder)} B, {came} came"
    order: Literal["big", "little"] = "little" if framing.byteorder == "big" else "big"
    swapped = replace(framing, byteorder=order)
    if _fits(swapped, rest):
        remedy = f"send it as {framing.byteorder}-endian, or pass framing={swapped!r}"
        return f"{figures}; read as {order}-endian it says {int.from_bytes(prefix, order)}: {remedy}"
    other = replace(framing, includes_prefix=not framing.includes_prefix)
    if _fits(other, rest):
        counts = "without the prefix itself" if framing.includes_prefix else "with the prefix itself"
        return f"{figures}; the client counts {counts}: pass framing={other!r}"
    for size in (1, 2, 4, 8):
        resized = replace(framing, size=size)
        if size != framing.size and _fits(resized, rest):
            return f"{figures}; read as {size} B it says {len(rest) - size}: pass framing={resized!r}"
    return ""


def _fits(framing: LengthPrefix, data: bytes) -> bool:
    try:
        return framing(data) == len(data)
    except WindsockError:
        return False
