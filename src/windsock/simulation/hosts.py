"""The hosts of a world, as a test has them: their names and addresses, and whose sockets are whose."""

from __future__ import annotations

from windsock.simulation.live import current
from windsock.simulation.network import Host

__all__ = ["WorldHost"]


class WorldHost:
    """A host of a world. Within `with host:` the calling thread and those that it starts make sockets of this host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._before: list[Host | None] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {' '.join(self.addresses)}>"

    @property
    def name(self) -> str:
        """The name by which other hosts look it up."""
        return self._host.name

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses by which other hosts reach it: one of IPv4, one of IPv6."""
        return self._host.addresses

    def __enter__(self) -> WorldHost:
        task = current()
        if task is not None:
            self._before.append(task.host)
            task.host = self._host
        return self

    def __exit__(self, *_exception: object) -> None:
        task = current()
        if task is not None:
            task.host = self._before.pop()
