"""The options `multicast=` and `broadcast=`: a group for a UDP server to listen at, instead of a host of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from windsock.errors import UsageError
from windsock.net import groups

if TYPE_CHECKING:
    from windsock.options.server_options import Options

__all__ = ["group_from"]


def group_from(options: Options, transport: str) -> str | None:
    """Return the group, or the broadcast address, that a server listens at; None for neither. Raises UsageError."""
    if options.multicast is None and not options.broadcast:
        return None
    if options.multicast is None:
        word, group = "broadcast=True", groups.BROADCAST
    else:
        word, group = f"multicast={options.multicast!r}", groups.checked_group(options.multicast)
    if transport != "udp":
        raise UsageError(f"{word}: that is for transport='udp', and this server is {transport!r}")
    if options.host is not None or (group == options.multicast and options.broadcast):
        other = "broadcast=True" if options.host is None else f"host={options.host!r}"
        raise UsageError(f"{word}, {other}: pass one of them; each is an address to listen at")
    return group
