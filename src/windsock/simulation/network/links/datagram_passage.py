"""Faults on datagrams: a chain of faults between one address and another."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING

from windsock.faults.items import Datagram
from windsock.net.callbacks import nothing

if TYPE_CHECKING:
    from windsock.faults import Chain
    from windsock.simulation.network.timers import Timers

__all__ = ["DatagramPassage"]


class DatagramPassage:
    """One direction between two addresses."""

    def __init__(self, chain: Chain, timers: Timers) -> None:
        self._chain = chain
        self._timers = timers
        self._planned: float | None = None
        self._forward: Callable[[bytes], object] = nothing
        self._refuse: Callable[[int], object] = nothing

    def take(self, data: bytes, forward: Callable[[bytes], object], refuse: Callable[[int], object]) -> None:
        """Pass a datagram to the faults: they call `forward` with data, or `refuse` with an errno value."""
        self._forward, self._refuse = forward, refuse
        self._chain.feed(Datagram(self._timers.now(), data))
        self.pump()

    def pump(self) -> None:
        """Carry out what is due, and plan the rest."""
        for item in self._chain.due(self._timers.now()):
            if isinstance(item, Datagram):
                self._perform(item)
        when = self._chain.next_time()
        if when is not None and when != self._planned:
            self._planned = when
            self._timers.call_at(when, self._wake)

    def _wake(self) -> None:
        self._planned = None
        self.pump()

    def _perform(self, item: Datagram) -> None:
        if item.refuse:
            self._refuse(getattr(errno, item.refuse))
        else:
            self._forward(item.data)

    def refresh(self) -> None:
        """Apply changes of the faults."""
        self._chain.refresh(self._timers.now())
        self.pump()
