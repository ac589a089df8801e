"""BacklogFull: connections are neither accepted nor refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from windsock.faults.fault import ACCEPT, Fault
from windsock.faults.stages import Stage

__all__ = ["BacklogFull"]


@dataclass(frozen=True, slots=True, repr=False)
class BacklogFull(Fault):
    """The listener's queue is full: a client's connect waits, as its SYN is dropped (listen(2), tcp_abort_on_overflow).

    After healing, Linux clients get through with their next retransmission: 1 s after the first SYN, then 3, 7, ...
    On Unix stream sockets, a non-blocking connect gets EAGAIN at once (unix(7)).
    """

    chain_stage: ClassVar[Stage] = Stage.ACCEPT
    chain_order: ClassVar[int] = 20
    applies_to: ClassVar[frozenset[str]] = ACCEPT
