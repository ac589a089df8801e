"""Multicast groups and the broadcast address, on the loopback interface alone (ip(7))."""

from __future__ import annotations

import ipaddress
from typing import Any

from windsock.errors import UsageError
from windsock.net.system import platform, socket

__all__ = ["BROADCAST", "checked_group", "is_group", "join", "reach", "share"]

BROADCAST = "127.255.255.255"
"""The broadcast address of the loopback network."""
INTERFACE = ipaddress.IPv4Address("127.0.0.1").packed
ALL_GROUPS = 49
"""IP_MULTICAST_ALL of Linux, which the socket module has no name for."""


def checked_group(group: Any) -> str:
    """Return `multicast=`. Raises UsageError for what is no IPv4 group."""
    try:
        if isinstance(group, str) and ipaddress.IPv4Address(group).is_multicast:
            return group
    except ValueError:
        pass
    raise UsageError(f"multicast={group!r}: expected an IPv4 group, from '224.0.0.0' to '239.255.255.255'")


def is_group(host: Any) -> bool:
    """Return whether datagrams to the host go to all that listen there: an IPv4 group, or our broadcast address."""
    try:
        return isinstance(host, str) and (host == BROADCAST or ipaddress.IPv4Address(host).is_multicast)
    except ValueError:
        return False


def join(each: socket.socket, host: str) -> None:
    """Have a socket take datagrams to a group, or to the broadcast address, from the loopback interface alone.

    It is to be bound to that host. What it sends to groups stays on that interface.
    """
    reach(each)
    if host != BROADCAST:
        membership = ipaddress.IPv4Address(host).packed + INTERFACE
        each.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
        if platform == "linux":  # not what other processes have joined on other interfaces
            each.setsockopt(socket.IPPROTO_IP, ALL_GROUPS, 0)


def share(each: socket.socket) -> None:
    """Let other receivers have the port of a socket, which has been bound: before, it could get a port of another."""
    each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


def reach(each: socket.socket) -> None:
    """Have a socket send to groups over the loopback interface, and to the broadcast address."""
    each.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, INTERFACE)
    each.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
