"""The stages of a chain: the order in which faults act, whatever the order in which they were installed."""

from __future__ import annotations

import enum

__all__ = ["Stage"]


class Stage(enum.IntEnum):
    """The stage of a fault in the chain; a lower one comes first.

    Within a stage, the fault's class decides (`Fault.chain_order`), then the order of installation.
    """

    ACCEPT = 0
    """Before there is a connection: Refuse, AcceptDelay, AcceptError, BacklogFull, MaxConnections."""
    HANDSHAKE = 1
    """During the TLS handshake: TLSStall, TLSAlert, TLSPlaintext, TLSTruncate."""
    PROCESS = 2
    """In the server itself: ForkError, ThreadError, HandlerError, Pause, Resume, Kill."""
    QUEUE = 3
    """At the entry to the line: Mtu, QueueLimit."""
    DELAY = 4
    """In transit: Delay, then Blackhole, then Hold."""
    RATE = 5
    """At which rate: Rate."""
    MODIFY = 6
    """Changes on the way: Drop, Loss, Duplicate, Reorder, Corrupt, Replace, Inject, functions."""
    SEGMENT = 7
    """In what pieces it arrives: Segment, Dribble."""
    CLOSE = 8
    """How it ends: Truncate, HalfClose, Stall, Reset, CloseDelay, Rebind."""
