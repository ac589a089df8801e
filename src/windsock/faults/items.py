"""Items of one direction of one connection: data and the ways in which it ends, each with its time.

Times are seconds of the caller's clock (`time.monotonic()` in production, any increasing number in a test).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Protocol, Self, TypeAlias

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
    """What arrived with a byte or a datagram: descriptors, or the mark of urgent data. `str()` tells the number."""

    verb: ClassVar[str]
    """What happens to it without its byte: it is closed, or lost."""

    def copy(self) -> Self:
        """Return a copy that must be closed separately."""
        ...

    def close(self) -> None:
        """Release it instead of passing it on. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class Data:
    """A run of a stream's bytes, to be written at its time, with a call of its own.

    `attached` belongs to the first of the bytes.
    """

    at: float
    data: bytes
    attached: Attachment | None = None

    def piece(self, start: int, end: int | None = None, at: float | None = None) -> Data:
        """Return a part of the data, optionally with another time."""
        return Data(self.at if at is None else at, self.data[start:end], None if start else self.attached)


@dataclass(frozen=True, slots=True)
class End:
    """The normal end of a direction (FIN); the other direction continues."""

    at: float


@dataclass(frozen=True, slots=True)
class ConnectionReset:
    """An abrupt reset of the connection (RST), seen by both ends.

    `flush`: wait until the other end's kernel has taken all data written.
    """

    at: float
    flush: bool = False


@dataclass(frozen=True, slots=True)
class ConnectionClose:
    """The normal end of both directions."""

    at: float


@dataclass(frozen=True, slots=True)
class StopReading:
    """Stop reading from the source, so that the kernel's buffers fill and the sender has to wait."""

    at: float


@dataclass(frozen=True, slots=True)
class ResumeReading:
    """Read from the source again."""

    at: float


@dataclass(frozen=True, slots=True)
class Datagram:
    """One datagram.

    `refuse`: it is not sent, and where possible its sender gets this error (an errno name such as "EMSGSIZE").
    """

    at: float
    data: bytes
    refuse: str = ""
    attached: Attachment | None = None


@dataclass(frozen=True, slots=True)
class NewSource:
    """Send the following datagrams from another socket: the server sees a new address of the client."""

    at: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A fault's first moment on a connection, or the time it asked for (`FaultContext.wake_at`); stays in its chain."""

    at: float
    is_first: bool = False


Item: TypeAlias = (
    Data | End | ConnectionReset | ConnectionClose | StopReading | ResumeReading | Datagram | NewSource | Tick
)


def at_time(item: Item, at: float) -> Item:
    """Return the same item with another time."""
    if type(item) is Data:
        return Data(at, item.data, item.attached)
    return item if item.at == at else replace(item, at=at)


def attached_to(item: Item) -> Attachment | None:
    """Return what came with an item, or None."""
    return item.attached if isinstance(item, Data | Datagram) else None


def size_of(item: Item) -> int:
    """Return the number of bytes of payload."""
    return len(item.data) if isinstance(item, Data | Datagram) else 0
