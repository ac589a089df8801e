"""The links of a network, by the names of the hosts that they join."""

from __future__ import annotations

from typing import TYPE_CHECKING

from windsock.simulation.network.links.link import Link, LinkDirection
from windsock.simulation.network.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from windsock.faults import FaultHandle
    from windsock.faults.options import FaultOptions

__all__ = ["Links"]


class Links:
    """All links of a network: one for each pair of hosts, made on first use. `seed` is that of their faults."""

    def __init__(self, timers: Timers, seed: int) -> None:
        self.timers = timers
        self._seed = seed
        self._links: dict[frozenset[str], tuple[str, Link]] = {}
        self._plans: Sequence[FaultOptions] = ()

    def between(self, first: str, second: str) -> Link:
        """Return the link between two hosts, or of a host to itself."""
        return self._link(first, second)[1]

    def install(self, plans: Sequence[FaultOptions]) -> None:
        """Have faults act on each link that is made from now on. They need not fire."""
        self._plans = plans

    @property
    def fault_handles(self) -> tuple[FaultHandle, ...]:
        """The handles of all faults that were ever installed on a link."""
        return tuple(handle for _, link in self._links.values() for handle in link.fault_handles)

    def direction(self, source: str, target: str) -> LinkDirection:
        """Return the direction of the link from one host to another."""
        first, link = self._link(source, target)
        return link.directions[source != first]

    def _link(self, first: str, second: str) -> tuple[str, Link]:
        key = frozenset((first, second))
        if key not in self._links:
            link = Link(self.timers, self._seed)
            link.install(self._plans)
            self._links[key] = (first, link)
        return self._links[key]
