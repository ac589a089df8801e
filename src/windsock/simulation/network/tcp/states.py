"""The states of a TCP connection (RFC 9293, section 3.3.2)."""

from __future__ import annotations

import enum

__all__ = ["TCPState"]


class TCPState(enum.Enum):
    """Where a connection is. There is no TIME_WAIT: such a connection is CLOSED, and its port is free."""

    CLOSED = 0
    SYN_SENT = 1
    ESTABLISHED = 2
    FIN_WAIT_1 = 3
    FIN_WAIT_2 = 4
    CLOSE_WAIT = 5
    CLOSING = 6
    LAST_ACK = 7
