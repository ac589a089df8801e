"""Checks of ready rules, such as `redis.store(server)` and `smtp.session(server)`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from windsock.errors import UsageError
from windsock.protocols.protocol import Protocol

__all__ = ["check_server", "checked_mapping"]


def check_server(
    call: str, server: Any, protocol: Protocol, *, keeps_state: bool = True, takes_datagrams: bool = False
) -> None:
    """Raise UsageError for a server, or a pair of them, that the ready rules of a protocol can't be for.

    `keeps_state`: whether they have a state in the memory of the test's process, which forked children don't share.
    """
    for each in getattr(server, "servers", (server,)):
        options: Any = getattr(each, "options", None)
        if not hasattr(each, "on"):
            raise UsageError(f"{call}: {server!r} is no server; expected a fake, as of serving({_framing(protocol)})")
        if options.is_datagram and not takes_datagrams:
            raise UsageError(f"{call}: {protocol.name} is a protocol of streams, and the {each.name} is for datagrams")
        if not isinstance(getattr(options.framing, "protocol", None), type(protocol)):
            has = "no framing" if options.framing is None else f"framing={options.framing!r}"
            raise UsageError(f"{call}: the {each.name} has {has}; pass {_framing(protocol)} to it")
        if keeps_state and options.concurrency == "forking":
            raise UsageError(f"{call}: a child of a forking server has a memory of its own; use another concurrency")


def _framing(protocol: Protocol) -> str:
    return f'framing="{protocol.name}"'


def checked_mapping(call: str, given: Any, example: str) -> Mapping[Any, Any]:
    """Return a mapping; none is empty. Raises UsageError for anything else."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise UsageError(f"{call}: {given!r} is no mapping; expected one such as {example}")
    return given
