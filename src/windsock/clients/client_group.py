"""The clients of one test or of one server: closed together, their failures raised together."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from windsock.clients.background import Background
    from windsock.faults.never_fired import FaultNeverFired
    from windsock.proxies.proxy import FaultProxy

__all__ = ["ClientGroup"]


class Client(Protocol):
    """The methods of a client that a group calls."""

    def drain(self) -> None:
        """Deliver the data that it has sent."""
        ...

    def close_at_the_end(self) -> None:
        """Close it, unless that has been done."""
        ...


class ClientGroup:
    """Clients, as long as they are referenced; and the scripts in the background whose failure was not raised yet."""

    def __init__(self) -> None:
        self._clients: weakref.WeakSet[Client] = weakref.WeakSet()
        self._playing: list[Background] = []
        self.unfired: list[FaultNeverFired] = []
        """Errors for faults that never fired on any client's connection."""
        self.lines: list[FaultProxy] = []
        """The private lines of clients with faults of their own, which record what these send and receive."""

    def add(self, client: Client, line: FaultProxy | None = None) -> None:
        """Add a client, with its private line."""
        self._clients.add(client)
        if line is not None:
            self.lines.append(line)

    def leave(self, client: Client, unfired: Iterable[FaultNeverFired] = ()) -> None:
        """Remove a closed client, and keep the errors for its unfired faults."""
        self._clients.discard(client)
        self.unfired += unfired

    def watch(self, background: Background) -> None:
        """Watch a background script for a failure; forget those that have succeeded."""
        self._playing = [each for each in self._playing if each.is_playing or each.failure is not None]
        self._playing.append(background)

    def drain(self) -> None:
        """Deliver the data that clients have sent, as far as their own faults let it through in time."""
        for client in list(self._clients):
            client.drain()

    def close(self) -> list[BaseException]:
        """Close all clients; return the failures that were not raised yet."""
        for client in list(self._clients):
            client.close_at_the_end()
        playing, self._playing = self._playing, []
        failures = (each.unheard() for each in playing)
        return [each for each in failures if each is not None]
