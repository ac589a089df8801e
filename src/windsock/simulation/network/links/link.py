"""The link between two hosts: how long its traffic takes, and the faults on it."""

from __future__ import annotations

from itertools import count
from math import inf
from typing import TYPE_CHECKING

from windsock.errors import UsageError
from windsock.faults import options as fault_options
from windsock.net.callbacks import nothing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from windsock.faults import FaultHandle
    from windsock.faults.options import FaultOptions
    from windsock.net.targets import Unit
    from windsock.simulation.network.addresses import IPEndpoint
    from windsock.simulation.network.links.datagram_passage import DatagramPassage
    from windsock.simulation.network.links.faults import LinkFaults
    from windsock.simulation.network.links.middlebox import Middlebox
    from windsock.simulation.network.timers import Timers

__all__ = ["Link", "LinkDirection"]


class LinkDirection:
    """One direction of a link: `latency` in seconds, `bandwidth` in bytes per second (None: no limit)."""

    def __init__(self) -> None:
        self.latency: float = 0.0
        self.bandwidth: float | None = None
        self.is_immediate: bool = True
        """Whether nothing takes time here."""
        self._free_at = 0.0

    def set(self, latency: float, bandwidth: float | None) -> None:
        """Set how long traffic takes from now on."""
        self.latency = latency
        self.bandwidth = bandwidth
        self.is_immediate = not latency and bandwidth is None

    def arrival(self, size: int, now: float) -> float:
        """Reserve the link for `size` bytes; return when the last of them arrives."""
        self._free_at = max(self._free_at, now)
        if self.bandwidth is not None:
            self._free_at += size / self.bandwidth
        return self._free_at + self.latency


class Link:
    """The two directions between two hosts, or of a host to itself.

    `streams` and `datagrams` are its faults, in the order in which connections begin on this link. A connection whose
    handshake ends before its link's faults are first asked for is not concerned.
    """

    def __init__(self, timers: Timers, seed: int = 0) -> None:
        self.directions: tuple[LinkDirection, LinkDirection] = (LinkDirection(), LinkDirection())
        self._timers = timers
        self._seed = seed
        self._stream_numbers, self._datagram_numbers = count(), count()
        self._streams: LinkFaults | None = None
        self._datagrams: LinkFaults | None = None
        self._passages: dict[frozenset[IPEndpoint], tuple[IPEndpoint, DatagramPassage, DatagramPassage]] = {}

    def set(self, *, latency: float = 0.0, bandwidth: float | None = None) -> None:
        """Set the same for both directions: seconds, and bytes per second. What is on its way is not affected.

        Raises UsageError for a negative latency, and for a bandwidth that is not more than 0.
        """
        if not 0 <= latency < inf:
            raise UsageError(f"link: latency={latency!r}: expected 0 or more seconds")
        if bandwidth is not None and not bandwidth > 0:
            raise UsageError(f"link: bandwidth={bandwidth!r}: expected more than 0 bytes per second, or None")
        for each in self.directions:
            each.set(latency, bandwidth)

    @property
    def streams(self) -> LinkFaults:
        """The faults on TCP connections. "upstream" is from the end that connects."""
        if self._streams is None:
            self._streams = self._new_faults("stream")
        return self._streams

    @property
    def datagrams(self) -> LinkFaults:
        """The faults on UDP. "upstream" is from the address that sends first, of two."""
        if self._datagrams is None:
            self._datagrams = self._new_faults("datagram")
        return self._datagrams

    def install(self, plans: Sequence[FaultOptions]) -> None:
        """Install faults on the streams and the datagrams of the link, each where it can act. They need not fire.

        Raises UsageError for a fault that does not act on a link.
        """
        for each in plans:
            acts_on = getattr(each.fault, "applies_to", {"stream", "datagram"})  # a profile has some for both
            keywords = {**dict(each.keywords), "allow_unfired": True}
            if "stream" in acts_on or "datagram" not in acts_on:
                fault_options.install(self.streams, each.fault, nothing, dict(keywords))
            if "datagram" in acts_on:
                fault_options.install(self.datagrams, each.fault, nothing, keywords)

    @property
    def fault_handles(self) -> tuple[FaultHandle, ...]:
        """The handles of all faults that were ever installed here."""
        return tuple(handle for each in (self._streams, self._datagrams) if each for handle in each.all_handles)

    def _new_faults(self, traffic: Unit) -> LinkFaults:
        from windsock.simulation.network.links.faults import LinkFaults

        return LinkFaults(seed=self._seed, traffic=traffic)

    def middlebox(self, client: IPEndpoint) -> Middlebox | None:
        """Return the faults for a new connection; None if this link has none."""
        if self._streams is None:
            return None
        from windsock.simulation.network.links.middlebox import Middlebox

        return Middlebox(self._streams, next(self._stream_numbers), self._timers, tuple(client))

    def passage(self, source: IPEndpoint, target: IPEndpoint) -> DatagramPassage | None:
        """Return the faults for datagrams from one address to another; None if this link has none."""
        if self._datagrams is None:
            return None
        key = frozenset((source, target))
        if key not in self._passages:
            self._passages[key] = self._new_passages(source)
        client, upward, downward = self._passages[key]
        return upward if source == client else downward

    def _new_passages(self, client: IPEndpoint) -> tuple[IPEndpoint, DatagramPassage, DatagramPassage]:
        from windsock.simulation.network.links.datagram_passage import DatagramPassage

        number = next(self._datagram_numbers)
        chains = self.datagrams.links(connection=number, now=self._timers.now(), peer=tuple(client))
        upward, downward = (DatagramPassage(each, self._timers) for each in chains)
        for each in (upward, downward):
            self.datagrams.subscribe(each.refresh)
        return client, upward, downward
