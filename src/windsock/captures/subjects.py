"""What the files are about: the recordings of servers and proxies, each with its name and address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from windsock.net.addresses import Address
from windsock.recording import Connection

__all__ = ["RecordedServer", "Subject", "start_of", "subject_of"]


class RecordedServer(Protocol):
    """A server or a proxy, running or stopped."""

    name: str
    address: Address

    @property
    def connections(self) -> Sequence[Connection]:
        """The connections so far."""
        ...

    def describe(self) -> str:
        """Return in one line what this is and where."""
        ...

    def fault_report(self) -> list[str]:
        """Return the seed and what the faults did, a line a firing."""
        ...


@dataclass(frozen=True, slots=True)
class Subject:
    """The recording of one server or proxy."""

    name: str
    address: Address
    connections: Sequence[Connection]
    description: str = ""
    """One line: what it is and where."""
    fault_lines: Sequence[str] = ()
    """The seed and what the faults did, a line a firing."""


def subject_of(server: RecordedServer) -> Subject:
    """Return the recording of a server or a proxy, as it is now."""
    return Subject(
        server.name,
        server.address,
        list(server.connections),
        description=server.describe(),
        fault_lines=server.fault_report(),
    )


def start_of(subjects: Sequence[Subject]) -> float:
    """Return when the first connection of all was opened, in monotonic seconds; 0 if there is none."""
    return min((each.opened for subject in subjects for each in subject.connections), default=0.0)
