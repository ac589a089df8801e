"""What transcripts and files are about: the recordings of servers and proxies, each with its name and address."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from windsock import redaction
from windsock.net.addresses import Address
from windsock.recording.changes import Change
from windsock.recording.connection import Connection

if TYPE_CHECKING:
    from windsock.faults import Firing

__all__ = ["CaptureSubject", "RecordedServer", "start_of", "subject_of"]


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

    @property
    def changes(self) -> Sequence[Change]:
        """What happened to it as a whole, such as an outage."""
        ...

    def unrecorded_firings(self) -> Sequence[Firing]:
        """Return what faults did that is recorded with no connection."""
        ...

    def fault_summary(self) -> list[str]:
        """Return the seed, and a line for each fault that has never fired; nothing without faults."""
        ...


@dataclass(frozen=True, slots=True)
class CaptureSubject:
    """The recording of one server or proxy."""

    name: str
    address: Address
    connections: Sequence[Connection]
    description: str = ""
    """One line: what it is and where."""
    fault_lines: Sequence[str] = ()
    """The seed, and which faults have never fired."""
    firings: Sequence[Firing] = ()
    """What faults did, in the order of time, unless it is recorded with a connection."""
    changes: Sequence[Change] = ()
    """What happened to it as a whole, in the order of time."""

    def firings_after(self, number: int) -> Sequence[Firing]:
        """Return what faults did after the n-th connection was opened and before the next one, by their order from 0.

        What was before the first connection is with the first one.
        """
        if not self.firings:
            return ()
        opened = [-math.inf, *(each.begins for each in self.connections[number : number + 2]), math.inf]
        start, end = (opened[0], opened[2]) if number == 0 else opened[1:3]
        return self.firings[bisect_left(self.firings, start, key=_at) : bisect_left(self.firings, end, key=_at)]


def _at(firing: Firing) -> float:
    return firing.at


def subject_of(server: RecordedServer) -> CaptureSubject:
    """Return the recording of a server or a proxy, as it is now."""
    fault_lines, firings = (
        server.fault_summary(),
        server.unrecorded_firings(),
    )  # first: they wait for what is being done
    return CaptureSubject(
        redaction.line(server.name),
        server.address,
        list(server.connections),
        description=server.describe(),
        fault_lines=fault_lines,
        firings=firings,
        changes=tuple(server.changes),
    )


def start_of(subjects: Sequence[CaptureSubject]) -> float:
    """Return when the first thing of all happened, in monotonic seconds; 0 if nothing did."""
    opened = (each.begins for subject in subjects for each in subject.connections)
    others = (each[0].at for subject in subjects for each in (subject.firings, subject.changes) if each)
    return min((*opened, *others), default=0.0)
