"""The order in which faults meet what passes, whatever the order in which they were installed."""

from __future__ import annotations

import enum

__all__ = ["Stage"]


class Stage(enum.IntEnum):
    """The stage of a fault in the chain; a lower one comes first.

    Within a stage the fault's class decides (`Fault.chain_order`), and among equals the order of installation.
    """

    ACCEPT = 0
    """Before there is a connection: Refuse, AcceptDelay, AcceptError, BacklogFull, MaxConnections."""
    HANDSHAKE = 1
    """While TLS is agreed on: TLSStall, TLSAlert, TLSPlaintext, TLSTruncate."""
    PROCESS = 2
    """In the server itself: ForkError, ThreadError, HandlerError, Pause, Resume, Kill."""
    QUEUE = 3
    """Where the line is entered: Mtu, QueueLimit."""
    DELAY = 4
    """On the way: Delay, then Blackhole, then Hold."""
    RATE = 5
    """How much of it at a time: Rate."""
    MODIFY = 6
    """What becomes of it: Drop, Loss, Duplicate, Reorder, Corrupt, Replace, Inject, functions."""
    SEGMENT = 7
    """In which pieces it arrives: Segment, Dribble."""
    CLOSE = 8
    """How it ends: Truncate, HalfClose, Stall, Reset, CloseDelay, Rebind."""
