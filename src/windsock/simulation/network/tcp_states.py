"""The states of a TCP connection (RFC 9293, section 3.3.2) and the halves of a connection that are shut down."""

from __future__ import annotations

import enum

__all__ = ["BOTH", "RECEIVING", "SENDING", "State"]

RECEIVING, SENDING = 1, 2
"""Bits for the halves of a connection that have ended."""
BOTH = RECEIVING | SENDING


class State(enum.Enum):
    """Where a connection is. There is no TIME_WAIT: such a connection is CLOSED, and its port is free."""

    CLOSED = 0
    SYN_SENT = 1
    ESTABLISHED = 2
    FIN_WAIT_1 = 3
    FIN_WAIT_2 = 4
    CLOSE_WAIT = 5
    CLOSING = 6
    LAST_ACK = 7
