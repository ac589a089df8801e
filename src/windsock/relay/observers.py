"""What observes relayed traffic before faults act on it, such as a recording."""

from __future__ import annotations

from typing import Protocol

__all__ = ["DatagramNotes", "TrafficObserver"]


class TrafficObserver(Protocol):
    """An observer of traffic before faults act on it."""

    def passed(self, data: memoryview) -> None:
        """Note data that this end has sent. The memory is reused afterwards."""
        ...

    def marked(self) -> None:
        """Note that the next byte that this end has sent is urgent."""
        ...

    def lend(self) -> memoryview:
        """Return memory to receive much data into; `kept` reports its use."""
        ...

    def kept(self, size: int) -> None:
        """Note `size` bytes that this end has sent, which are in the lent memory."""
        ...

    def ended(self, *, is_truncated: bool) -> None:
        """Note the end of this end's stream; truncated: without close_notify, in TLS that the relay ends."""
        ...

    def vanished(self, error: OSError) -> None:
        """Note that this end has reset the connection or is gone for another reason."""
        ...


class DatagramNotes(Protocol):
    """An observer of datagrams before faults act on them."""

    def sent(self, data: bytes) -> None:
        """Note a datagram of the client."""
        ...

    def answered(self, data: bytes) -> None:
        """Note a datagram of the server."""
        ...

    def beside(self, words: str) -> None:
        """Note what came with the latest datagram, or could not be passed on."""
        ...

    def refused(self, error: OSError) -> None:
        """Note that the server's address accepts no datagrams."""
        ...
