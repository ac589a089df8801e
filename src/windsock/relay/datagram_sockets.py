"""The sockets that carry relayed datagrams."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from windsock.net.addresses import Address
from windsock.net.ancillary import CameWith, ask_for_credentials, receive_with
from windsock.net.sockets import LARGEST_UNIX_DATAGRAM
from windsock.net.system import connect, socket

if TYPE_CHECKING:
    from windsock.faults.items import Attachment

    Send: TypeAlias = Callable[[bytes, Attachment | None], object]

__all__ = ["LARGEST", "make_room", "receive", "upstream_socket"]

LARGEST = LARGEST_UNIX_DATAGRAM
"""A size in bytes. No UDP datagram is larger; the limit of a Unix one is its sender's buffer, mostly up to 416 KiB."""


AF_UNIX = getattr(socket, "AF_UNIX", -1)


BATCH = 64
"""The number of datagrams read in a row before other connections have their turn."""
ONCE_MORE, LONGEST_REST = 0.001, 0.02
"""Seconds until another attempt where the system does not report room: more each time, up to a limit."""


def receive(sock: socket.socket, *, is_unix: bool) -> tuple[bytes, CameWith | None, Any]:
    """Return the next datagram, what came with it, and its sender's address. Raises OSError as recvfrom(2)."""
    if is_unix:
        return receive_with(sock, LARGEST)
    data, peer = sock.recvfrom(LARGEST)
    return data, None, peer


def upstream_socket(family: int, address: Address) -> socket.socket:
    """Return a new socket that sends to the address and has an address for replies."""
    made = socket.socket(family, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        if family == AF_UNIX:
            make_room(made)
            ask_for_credentials(made)
            made.bind("")  # Linux chooses an abstract name (unix(7))
        connect(made, address)
    except BaseException:
        made.close()
        raise
    return made


def make_room(sender: socket.socket) -> None:
    """Let a Unix socket send datagrams of any size: its buffer is the limit (EMSGSIZE, unix(7))."""
    with contextlib.suppress(OSError):
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LARGEST)
