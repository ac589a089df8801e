"""The error for a fault that never fired."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from windsock.errors import WindsockError

if TYPE_CHECKING:
    from windsock.faults import FaultHandle, Selector

__all__ = ["FaultNeverFired", "said", "why_unfired"]


class FaultNeverFired(WindsockError):
    """An installed fault never fired, so the test has not tested what it seems to test.

    `fault` is its code, `selector` where it applied, `traffic` a description of the traffic.
    """

    def __init__(self, fault: str, selector: str, traffic: str) -> None:
        self.fault = fault
        self.selector = selector
        self.traffic = traffic
        where = f", {selector}," if selector else ""
        self.what: str = f"{fault}{where} never fired; {traffic}"
        super().__init__(f"{self.what}; expected traffic it applies to, or allow_unfired=True if it need not fire")

    @classmethod
    def of(cls, handle: FaultHandle, traffic: str) -> FaultNeverFired:
        """Return the error for a fault that never fired."""
        because = why_unfired(handle)
        return cls(repr(handle.fault), said(handle.selector), f"{traffic}; {because}" if because else traffic)


def why_unfired(handle: FaultHandle) -> str:
    """Return why a fault has not acted on connections that were open when it was installed; "" if there were none."""
    if not handle.passed_over:
        return ""
    first, *others = handle.passed_over
    which = f"#{first} and {len(others)} more were" if others else f"#{first} was"
    return f"{which} open before it, and it acts on connections made after it (on all with relay=True of the server)"


def said(selector: Selector) -> str:
    """Return a selector's keywords as code."""
    given = ((each.name, getattr(selector, each.name), each.default) for each in fields(selector))
    return ", ".join(f"{name}={value!r}" for name, value, default in given if value != default)
