"""Items of a link, one direction of one connection: data and the ways in which it ends, each with its time.

Times are seconds of the caller's clock (`time.monotonic()` on a real wire, anything that grows in a test).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, Self, TypeAlias

__all__ = [
    "Attachment",
    "ConnectionClose",
    "ConnectionReset",
    "Data",
    "Datagram",
    "End",
    "Item",
    "NewSource",
    "ResumeReading",
    "StopReading",
    "Tick",
    "at_time",
    "attached_to",
    "size_of",
]


class Attachment(Protocol):
    """Descriptors that arrived with a byte or a datagram. `str()` says how many."""

    def copy(self) -> Self:
        """Return another one that is closed by itself."""
        ...

    def close(self) -> None:
        """Close them instead of passing them on. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class Data:
    """A run of a stream's bytes, to be written at that time, with a call of its own.

    `attached` belongs to the first of the bytes.
    """

    at: float
    data: bytes
    attached: Attachment | None = None

    def piece(self, start: int, end: int | None = None, at: float | None = None) -> Data:
        """Return a part of it, at another time if one is given."""
        return Data(self.at if at is None else at, self.data[start:end], None if start else self.attached)


@dataclass(frozen=True, slots=True)
class End:
    """The direction's orderly end (FIN); the other direction goes on."""

    at: float


@dataclass(frozen=True, slots=True)
class ConnectionReset:
    """A hard reset of the connection, seen by both ends (RST).

    `flush`: only when the other end's kernel has taken what was written.
    """

    at: float
    flush: bool = False


@dataclass(frozen=True, slots=True)
class ConnectionClose:
    """Both directions end, orderly."""

    at: float


@dataclass(frozen=True, slots=True)
class StopReading:
    """From now on nothing is read from the source, so that the kernel's buffers fill and the sender has to wait."""

    at: float


@dataclass(frozen=True, slots=True)
class ResumeReading:
    """The source is read again."""

    at: float


@dataclass(frozen=True, slots=True)
class Datagram:
    """One datagram.

    `refuse`: it does not go out, and its sender gets that error (an errno name such as "EMSGSIZE") where that can be
    done.
    """

    at: float
    data: bytes
    refuse: str = ""
    attached: Attachment | None = None


@dataclass(frozen=True, slots=True)
class NewSource:
    """Datagrams that follow go out from another socket: the other end sees a new address of the client."""

    at: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A fault's first moment on a link, or the time that it asked for (`FaultContext.wake_at`). It never leaves a
    chain."""

    at: float
    is_first: bool = False


Item: TypeAlias = (
    Data | End | ConnectionReset | ConnectionClose | StopReading | ResumeReading | Datagram | NewSource | Tick
)


def at_time(item: Item, at: float) -> Item:
    """Return the same item at another time."""
    if type(item) is Data:
        return Data(at, item.data, item.attached)
    return item if item.at == at else replace(item, at=at)


def attached_to(item: Item) -> Attachment | None:
    """Return what has come with an item."""
    return item.attached if isinstance(item, Data | Datagram) else None


def size_of(item: Item) -> int:
    """Return the bytes of payload."""
    return len(item.data) if isinstance(item, Data | Datagram) else 0
