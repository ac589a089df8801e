"""The faults of a link: a set of faults that act on traffic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from windsock.errors import UsageError
from windsock.faults import FaultHandle, FaultSet, Rebind
from windsock.faults.fault import Fault

__all__ = ["LinkFaults", "check"]


class LinkFaults(FaultSet):
    """The faults on a link's streams, or on its datagrams."""

    def install(
        self,
        fault: Fault | Callable[..., Any],
        *,
        name: str | None = None,
        allow_unfired: bool = False,
        **selector: Any,
    ) -> FaultHandle:
        """Install a fault, as `FaultSet.install` does. Raises UsageError for one that does not act on a link."""
        if isinstance(fault, Fault) and (
            fault.applies_to.isdisjoint(("stream", "datagram")) or _changes_address(fault)
        ):
            raise UsageError(
                f"{fault!r}: a link has traffic, and no accept, handshake, process or address translation; "
                f"install it on a server or a proxy"
            )
        return super().install(fault, name=name, allow_unfired=allow_unfired, **selector)


def _changes_address(fault: Fault) -> bool:
    return isinstance(fault, Rebind)


def check(name: str, value: object, is_right: bool, expected: str) -> None:
    """Raise UsageError if an option of a link is not what was expected."""
    if not is_right:
        raise UsageError(f"link: {name}={value!r}: expected {expected}")
