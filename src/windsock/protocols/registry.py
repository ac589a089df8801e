"""Protocols by their names: those of windsock, and those of entry points of the group windsock.protocols."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from typing import Any

from windsock.errors import UsageError
from windsock.protocols.protocol import Protocol

__all__ = ["GROUP", "SHIPPED", "library", "protocol_from", "protocol_named", "unknown"]

GROUP = "windsock.protocols"
SHIPPED = {
    "dns": ("windsock.protocols.dns", "dns"),
    "http": ("windsock.protocols.http", ""),
    "mqtt": ("windsock.protocols.mqtt", ""),
    "postgresql": ("windsock.protocols.postgresql", ""),
    "redis": ("windsock.protocols.redis", ""),
    "rpc": ("windsock.protocols.rpc_protocol", ""),
    "smtp": ("windsock.protocols.smtp", ""),
    "websocket": ("windsock.protocols.websocket", ""),
}
"""The names of protocols: the module, whose PROTOCOL it is, and the extra that brings the library that it needs."""


def protocol_named(name: str) -> Protocol | None:
    """Return the protocol of this name, or None. Entry points are looked up only for a name that is not windsock's.

    Raises UsageError if its library is not installed, or if the entry point is no protocol.
    """
    if name in SHIPPED:
        found: Protocol = import_module(SHIPPED[name][0]).PROTOCOL
        return found
    from importlib.metadata import entry_points

    for each in entry_points(group=GROUP, name=name):
        return protocol_from(each.load(), f"the entry point {each.value!r} of {GROUP}")
    return None


def protocol_from(value: Any, where: str) -> Protocol:
    """Return a protocol that is given as an object or as its class. Raises UsageError for anything else."""
    made = value() if isinstance(value, type) and issubclass(value, Protocol) else value
    if not isinstance(made, Protocol):
        raise UsageError(f"{where}: {value!r} is no protocol; expected an object of a subclass of Protocol")
    return made


def unknown(name: str) -> str:
    """Return a sentence about a name that no protocol has: the names that are close, all known ones, and the extras."""
    from importlib.metadata import entry_points

    names = sorted({*SHIPPED, *(each.name for each in entry_points(group=GROUP))})
    close = get_close_matches(name, names, n=2)
    meant = f"did you mean {' or '.join(map(repr, close))}? " if close else ""
    return f"{meant}known protocols are {', '.join(map(_with_extra, names))}"


def _with_extra(name: str) -> str:
    extra = SHIPPED.get(name, ("", ""))[1]
    return f"{name!r} (pip install pytest-windsock[{extra}])" if extra else repr(name)


def library(module: str, extra: str) -> Any:
    """Import the library of a protocol. Raises UsageError, which names the extra, if it is not installed."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise UsageError(f"{module} is not installed: pip install pytest-windsock[{extra}]") from None
