"""The faults of a link: a set of faults that act on traffic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from windsock.errors import UsageError
from windsock.faults import FaultHandle, FaultSet, Rebind
from windsock.faults.fault import Fault

__all__ = ["LinkFaults"]


class LinkFaults(FaultSet):
    """The faults on a link's streams, or on its datagrams."""

    def install(self, fault: Fault | Callable[..., Any], **options: Any) -> FaultHandle:
        """Install a fault, as `FaultSet.install` does. Raises UsageError for one that does not act on a link."""
        acts = not isinstance(fault, Fault) or fault.applies_to & {"stream", "datagram"}
        if not acts or isinstance(fault, Rebind):
            raise UsageError(
                f"{fault!r}: a link has traffic, and no accept, handshake, process or address translation; "
                f"install it on a server or a proxy"
            )
        return super().install(fault, **options)
