"""The options `multicast=` and `broadcast=`: a group for a UDP server to listen at, instead of a host of its own."""

from __future__ import annotations

from windsock.errors import UsageError
from windsock.net import groups

__all__ = ["group_from"]


def group_from(multicast: str | None, *, broadcast: bool, host: str | None, transport: str) -> str | None:
    """Return the group, or the broadcast address, that a server listens at; None for neither. Raises UsageError."""
    if multicast is None and not broadcast:
        return None
    if multicast is None:
        word, group = "broadcast=True", groups.BROADCAST
    else:
        word, group = f"multicast={multicast!r}", groups.checked_group(multicast)
    if transport != "udp":
        raise UsageError(f"{word}: that is for transport='udp', and this server is {transport!r}")
    if host is not None or (group == multicast and broadcast):
        other = "broadcast=True" if host is None else f"host={host!r}"
        raise UsageError(f"{word}, {other}: pass one of them; each is an address to listen at")
    return group
