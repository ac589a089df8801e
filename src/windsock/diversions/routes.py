"""The table of a diversion: which name and port leads where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from windsock.diversions import names
from windsock.errors import UsageError
from windsock.net import addresses
from windsock.net.system import socket
from windsock.net.targets import Target, target_of
from windsock.recording.subject import Subject

__all__ = ["Routes"]

ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Addresses to listen on, and those to connect to instead."""


class Routes:
    """Targets by name and port. An exact name comes before a wildcard, then one with a port before one without."""

    def __init__(self, given: Any) -> None:
        if not isinstance(given, Mapping):
            raise UsageError(f'divert({given!r}): expected a mapping, such as {{"api.example:443": server}}')
        self._targets: dict[tuple[str, int | None], Target] = {}
        for key, value in given.items():
            place = names.parse(key)
            if place in self._targets:
                raise UsageError(f"divert({{{key!r}: ...}}): another key is the same name and port")
            self._targets[place] = _target(key, value)

    def __len__(self) -> int:
        return len(self._targets)

    def __str__(self) -> str:
        return ", ".join(map(_shown, self._targets.items()))

    def find(self, host: str, port: int) -> Target | None:
        """Return where a connection to this host (in its one spelling) and port leads; None for nowhere else."""
        for pattern in names.patterns_of(host):
            for place in ((pattern, port), (pattern, None)):
                if place in self._targets:
                    return self._targets[place]
        return None

    def of_name(self, host: str) -> Iterator[Target]:
        """Yield where connections to this host may lead, whatever the port."""
        patterns = set(names.patterns_of(host))
        yield from (target for (pattern, _), target in self._targets.items() if pattern in patterns)

    def leads_to(self, host: str, port: int) -> bool:
        """Return whether a name leads to this very address."""
        return any((names.normal(each.address[0]), each.address[1]) == (host, port) for each in self._targets.values())


def _shown(item: tuple[tuple[str, int | None], Target]) -> str:
    (pattern, port), target = item
    name = pattern if port is None else addresses.show((pattern, port))
    return f"{name} -> {addresses.show(target.address)}"


def _target(key: str, value: Any) -> Target:
    """Return where a server, a proxy or an address is. Raises UsageError for what a client cannot be led to."""
    subject = getattr(value, "servers", (value,))[0]  # both servers of a pair have one address
    address = value
    if isinstance(subject, Subject):
        if subject.is_stopped:
            raise UsageError(f"divert({{{key!r}: ...}}): the {value.name} has been stopped; divert to one that runs")
        address = subject.address
    try:
        target = target_of(address)
    except UsageError as reason:
        raise UsageError(
            f"divert({{{key!r}: {value!r}}}): expected a server or a proxy of windsock, or (host, port); {reason}"
        ) from None
    if target.is_unix:
        raise UsageError(
            f"divert({{{key!r}: ...}}): {addresses.show(address)} is a Unix socket, and the socket of a client of "
            f'{key!r} is for TCP or UDP: it cannot be connected to a path; serve with transport="tcp" or "udp"'
        )
    host, *rest = target.resolved().address
    return Target((ANY.get(host, host), *rest), socket.AF_INET6 if ":" in host else socket.AF_INET, target.kinds)
