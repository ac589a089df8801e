"""The lanes of a page: the clients, proxies and servers that a test's traffic went between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from windsock import redaction
from windsock.faults import Firing
from windsock.net import addresses
from windsock.recording import Connection, Ending

__all__ = ["Lane", "PageConnection", "PageSubject", "connections_of", "lane_of", "lanes_of"]


class PageSubject(Protocol):
    """A server or a proxy whose traffic a page shows, running or stopped."""

    name: str
    address: Any

    @property
    def connections(self) -> Sequence[Connection]:
        """The recorded connections."""
        ...

    @property
    def firings(self) -> Sequence[Firing]:
        """What its faults did."""
        ...

    def describe(self) -> str:
        """Return in one line what it is and where."""
        ...


@dataclass(frozen=True, slots=True)
class Lane:
    """One peer. `role` is "client", "proxy", "server", or "program" for a server that was not recorded."""

    role: str
    name: str
    address: str


ROLES = ("client", "proxy", "server", "program")
"""The roles in the order of their lanes, from left to right."""


@dataclass(frozen=True, slots=True)
class PageConnection:
    """A recorded connection of one subject, between two lanes.

    `label` is unique within the page. `via` is the lane of the proxy that recorded it, where the server behind the
    proxy was not recorded itself.
    """

    recorded: Connection
    subject: PageSubject
    label: str
    client: Lane
    server: Lane
    via: Lane | None = None

    @property
    def ending(self) -> str:
        """How it ended; "open" if it has not."""
        return str(self.recorded.ending_so_far() or "open")

    @property
    def is_clean(self) -> bool:
        """Whether it ended as connections do when nothing goes wrong."""
        return self.ending in ("open", Ending.CLIENT_EOF, Ending.SERVER_CLOSE, Ending.STOPPED)


class _Peers:
    """Knows the lane of each address."""

    def __init__(self, subjects: Sequence[PageSubject]) -> None:
        self.of_subject = {id(each): lane_of(each) for each in subjects}
        self._by_address = {addresses.show(each.address): self.of_subject[id(each)] for each in subjects}
        self._onward: dict[str, Lane] = {}
        self._unnamed: dict[str, Lane] = {}
        self._clients: dict[Any, Lane] = {}
        for each in subjects:
            self._learn_onward(each)

    def _learn_onward(self, subject: PageSubject) -> None:
        """Remember the addresses from which a proxy connects, so that its connections do not look like a client's."""
        behind = behind_of(subject)
        if behind is None:
            return
        lane = self.of_subject[id(subject)]
        self._unnamed[addresses.show(behind)] = lane
        for each in subject.connections:
            if each.onward_address is not None:
                self._onward[addresses.show(each.onward_address)] = lane

    def client_of(self, subject: PageSubject, connection: Connection) -> Lane:
        """Return the lane of the peer that connected."""
        name = addresses.show(connection.peer)
        if name in self._onward:
            return self._onward[name]
        if connection.peer is not None:
            return self._client(name, name)
        lane = self._unnamed.get(addresses.show(subject.address))
        if lane is not None:
            return lane
        return self._client((id(subject), -1 if connection.is_datagram else connection.index), name)

    def _client(self, key: Any, name: str) -> Lane:
        if key not in self._clients:
            self._clients[key] = Lane("client", f"client {len(self._clients) + 1}", name)
        return self._clients[key]

    def program_behind(self, subject: PageSubject) -> Lane | None:
        """Return the lane of the server behind a proxy if no subject is that server."""
        behind = behind_of(subject)
        if behind is None or addresses.show(behind) in self._by_address:
            return None
        return Lane("program", f"behind {self.of_subject[id(subject)].name}", addresses.show(behind))


def behind_of(subject: PageSubject) -> Any:
    """Return the address that a proxy leads to; None for a server."""
    return getattr(getattr(subject, "upstream", None), "address", None)


def lane_of(subject: PageSubject) -> Lane:
    """Return the lane of a server or a proxy."""
    role = "server" if behind_of(subject) is None else "proxy"
    return Lane(role, redaction.line(subject.name), addresses.show(subject.address))


def connections_of(subjects: Sequence[PageSubject]) -> list[PageConnection]:
    """Return the connections of all subjects, in order of time."""
    peers = _Peers(subjects)
    pairs = [(subject, each) for subject in subjects for each in subject.connections]
    return [_between_lanes(*pair, peers) for pair in sorted(pairs, key=lambda pair: pair[1].begins)]


def _between_lanes(subject: PageSubject, connection: Connection, peers: _Peers) -> PageConnection:
    client, lane = peers.client_of(subject, connection), peers.of_subject[id(subject)]
    label = f"{lane.name} #{connection.index}"
    program = peers.program_behind(subject)
    if program is None:
        return PageConnection(connection, subject, label, client, lane)
    return PageConnection(connection, subject, label, client, program, via=lane)


def lanes_of(subjects: Sequence[PageSubject], connections: Sequence[PageConnection]) -> list[Lane]:
    """Return the lanes from left to right: clients in the order of their connections, proxies, servers."""
    found = [each.client for each in connections]
    found += [lane_of(each) for each in subjects]
    found += [each.server for each in connections]
    return sorted(dict.fromkeys(found), key=lambda lane: ROLES.index(lane.role))
