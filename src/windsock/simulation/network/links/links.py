"""The links of a network, by the names of the hosts that they join."""

from __future__ import annotations

from windsock.simulation.network.links.link import Link, LinkDirection
from windsock.simulation.network.timers import Timers

__all__ = ["Links"]


class Links:
    """All links of a network: one for each pair of hosts, made on first use. `seed` is that of their faults."""

    def __init__(self, timers: Timers, seed: int) -> None:
        self.timers = timers
        self._seed = seed
        self._links: dict[frozenset[str], tuple[str, Link]] = {}

    def between(self, first: str, second: str) -> Link:
        """Return the link between two hosts, or of a host to itself."""
        return self._link(first, second)[1]

    def direction(self, source: str, target: str) -> LinkDirection:
        """Return the direction of the link from one host to another."""
        first, link = self._link(source, target)
        return link.directions[source != first]

    def _link(self, first: str, second: str) -> tuple[str, Link]:
        key = frozenset((first, second))
        if key not in self._links:
            self._links[key] = (first, Link(self.timers, self._seed))
        return self._links[key]
