"""The two halves of a connection, as bits of what has been shut down (shutdown(2))."""

from __future__ import annotations

import errno

from windsock.net.system import socket
from windsock.simulation.network.failure import failure

__all__ = ["BOTH", "RECEIVING", "SENDING", "halves_of", "mirrored"]

RECEIVING, SENDING = 1, 2
BOTH = RECEIVING | SENDING
HALVES = {socket.SHUT_RD: RECEIVING, socket.SHUT_WR: SENDING, socket.SHUT_RDWR: BOTH}
MIRRORED = {RECEIVING: SENDING, SENDING: RECEIVING, BOTH: BOTH}


def halves_of(how: int) -> int:
    """Return the halves that an argument of shutdown() means. Raises OSError (EINVAL) for another number."""
    if how not in HALVES:
        raise failure(errno.EINVAL)
    return HALVES[how]


def mirrored(halves: int) -> int:
    """Return the halves of the other end: what one end sends, the other receives."""
    return MIRRORED[halves]
