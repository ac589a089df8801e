"""The table of a diversion: which name and port leads where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
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
        self._routes: dict[tuple[str, int | None], _Route] = {}
        for key, value in given.items():
            place = names.parse(key)
            if place in self._routes:
                raise UsageError(f"divert({{{key!r}: ...}}): another key is the same name and port")
            self._routes[place] = _Route(key, value)

    def __len__(self) -> int:
        return len(self._routes)

    def __str__(self) -> str:
        return ", ".join(map(_shown, self._routes.items()))

    def find(self, host: str, port: int) -> Target | None:
        """Return where a connection to this host (in its one spelling) and port leads; None for nowhere else."""
        for pattern in names.patterns_of(host):
            for place in ((pattern, port), (pattern, None)):
                if place in self._routes:
                    return self._routes[place].target
        return None

    def of_name(self, host: str) -> Iterator[Target]:
        """Yield where connections to this host may lead, whatever the port."""
        patterns = set(names.patterns_of(host))
        yield from (route.target for (pattern, _), route in self._routes.items() if pattern in patterns)

    def leads_to(self, host: str, port: int) -> bool:
        """Return whether a name leads to this very address."""
        targets = [each.target.address for each in self._routes.values()]
        return any((names.normal(each[0]), each[1]) == (host, port) for each in targets)


class _Route:
    """Where one name leads: to what was given for it, a server or an address."""

    def __init__(self, key: str, given: Any) -> None:
        self._key = key
        self._given = given
        self._target = _target(key, given)

    @property
    def target(self) -> Target:
        """The address now: a real program has another one once a proxy for faults is in front of it."""
        if not isinstance(self._given, Subject | tuple):
            with suppress(UsageError):  # it was stopped, and stays where it was
                self._target = _target(self._key, self._given)
        return self._target


def _shown(item: tuple[tuple[str, int | None], _Route]) -> str:
    (pattern, port), route = item
    name = pattern if port is None else addresses.show((pattern, port))
    return f"{name} -> {addresses.show(route.target.address)}"


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
