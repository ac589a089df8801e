"""A client with faults: a private proxy between it and its address."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from windsock.errors import UsageError
from windsock.faults import FaultHandle
from windsock.faults.never_fired import FaultNeverFired
from windsock.faults.options import FaultGroup, FaultOptions
from windsock.net.targets import Target
from windsock.proxies.proxy import FaultProxy

__all__ = ["ClientProxy"]

FAREWELL = 1.0
"""Seconds that data sent before the close, and the other end's answer, may stay in transit."""


class ClientProxy:
    """The proxy of one client, and the private path that the client is bound to; `remove()` ends both."""

    def __init__(self, target: Target, plans: Iterable[FaultOptions], seed: int, timeout: float) -> None:
        transport = "unix_seqpacket" if target.keeps_records else None
        if target.is_datagram and not target.is_unix:
            transport = "udp"
        self.proxy: FaultProxy = FaultProxy(
            target.address, transport=transport, seed=seed, timeout=timeout, strict=False, name="client's line"
        )
        self.private: Any = None
        self.handles: tuple[FaultHandle | FaultGroup, ...] = ()
        try:
            self.handles = tuple(self.proxy.fault(each.fault, **dict(each.keywords)) for each in plans)
        except BaseException:
            self.proxy.stop()
            raise

    def drain(self) -> None:
        """Deliver the data that the client has sent so far."""
        self.proxy.drain()

    def remove(self) -> None:
        """Stop the proxy once the client's data has arrived. Idempotent."""
        self.proxy.settle(FAREWELL)
        self.proxy.stop()
        private, self.private = self.private, None
        if private is not None:
            private.remove()

    def unfired(self) -> list[FaultNeverFired]:
        """Return an error for each fault that has never fired, though it was to."""
        return self.proxy.unfired()

    def __del__(self) -> None:
        self.proxy.stop()  # of a client that was not closed


def check_source(source: Any) -> None:
    """Raise UsageError for an address that the other end would not see."""
    if source is not None:
        raise UsageError(
            f"source={source!r} with faults=[...]: the other end sees a proxy's address; pass one of the two, or use "
            "windsock.proxy()"
        )
