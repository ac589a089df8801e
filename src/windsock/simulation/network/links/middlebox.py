"""Faults on a TCP connection: between its two ends, a chain of faults for each direction."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from windsock.faults.items import ConnectionClose, ConnectionReset, Data, End, Item
from windsock.net.callbacks import nothing
from windsock.net.urgent import UrgentMark
from windsock.simulation.network.tcp.sender import Sender

if TYPE_CHECKING:
    from windsock.faults import Chain
    from windsock.simulation.network.links.faults import LinkFaults
    from windsock.simulation.network.links.wire import Wire
    from windsock.simulation.network.tcp.connection import TCPConnection
    from windsock.simulation.network.timers import Timers

__all__ = ["Middlebox"]

ROOM = 131_072
"""The most bytes that wait behind the faults before the sender has to wait."""
MOST_PENDING = 64 * 1024 * 1024
"""The most bytes that the faults of one direction hold back before the sender has to wait."""


class Passage:
    """One direction: takes what one end sends, and sends to the other what the faults let through, when they do."""

    def __init__(self, box: Middlebox, chain: Chain, timers: Timers) -> None:
        self._box = box
        self._chain = chain
        self._timers = timers
        self._planned: float | None = None
        self._on_room: Callable[[], object] = nothing
        self._out: Sender
        self._source: TCPConnection
        self._is_taking = False
        self._resets_once_empty = False
        self.has_ended: bool = False

    def join(self, source: TCPConnection, target: TCPConnection, wire: Wire) -> None:
        """Connect both ends to this passage."""
        self._source = source
        self._out = Sender(wire, target, self._progress)
        target.feed_by(self._out.pump)

    # --- from the source

    def feed_by(self, on_room: Callable[[], object]) -> None:
        """Set the function to call when there is more room."""
        self._on_room = on_room

    def room(self) -> int:
        """Return how many bytes are taken now; none while a fault stops reading."""
        if not self._chain.reads() or self._chain.pending_bytes >= MOST_PENDING:
            return 0
        return ROOM - self._out.unsent

    def arrive(self, data: bytes, *, is_urgent: bool) -> None:
        """Pass data to the faults."""
        if self.has_ended:
            self._source.arrive_reset()
        elif self._chain.is_idle():
            self._chain.carried(len(data))
            self._out.write(data, is_urgent=is_urgent)
        else:
            now = self._timers.now()
            ordinary = data[:-1] if is_urgent else data
            if ordinary:
                self._feed(Data(now, ordinary))
            if is_urgent:
                self._feed(Data(now, data[-1:], UrgentMark()))

    def arrive_end(self) -> None:
        """Pass the end of the stream to the faults."""
        self._feed(End(self._timers.now()))

    def arrive_reset(self) -> None:
        """Pass a reset to the faults."""
        self._feed(ConnectionReset(self._timers.now()))

    def _feed(self, item: Item) -> None:
        if self.has_ended:
            return
        self._is_taking = True
        self._chain.feed(item)
        self.pump()
        self._is_taking = False

    # --- to the target

    def pump(self) -> None:
        """Carry out what is due, and plan the rest."""
        for item in self._chain.due(self._timers.now()):
            self._perform(item)
        when = self._chain.next_time()
        if when is not None and when != self._planned and not self.has_ended:
            self._planned = when
            self._timers.call_at(when, self._wake)
        self._tell_of_room()

    def _wake(self) -> None:
        self._planned = None
        if not self.has_ended:
            self.pump()

    def _perform(self, item: Item) -> None:
        if isinstance(item, Data):
            self._write(item)
        elif isinstance(item, End):
            self._out.end()
            self._box.ended(self)
        elif isinstance(item, ConnectionReset):
            if item.flush and self._out.unsent:
                self._resets_once_empty = True
            else:
                self._box.reset()
        elif isinstance(item, ConnectionClose):
            self._box.close()

    def _write(self, item: Data) -> None:
        rest = item.data
        if isinstance(item.attached, UrgentMark):
            self._out.write(rest[:1], is_urgent=True)
            rest = rest[1:]
        if rest:
            self._out.write(rest, is_urgent=False)

    def _progress(self) -> None:
        if self._resets_once_empty and not self._out.unsent:
            self._box.reset()
        self._tell_of_room()

    def _tell_of_room(self) -> None:
        if not (self._is_taking or self.has_ended):
            self._on_room()

    # --- the end

    def refresh(self, now: float) -> None:
        """Apply changes of the faults."""
        if not self.has_ended:
            self._chain.refresh(now)
            self.pump()

    def end(self) -> None:
        """Send the end of the stream, whatever the source does."""
        self._out.end()

    def reset(self) -> None:
        """Send a reset."""
        self._out.reset()

    def close(self) -> None:
        """Forget what the faults hold."""
        self.has_ended = True
        self._chain.close(self._timers.now())


class Middlebox:
    """Both directions of one connection. `index` is its number on the link, `client` the address of its client."""

    def __init__(self, faults: LinkFaults, index: int, timers: Timers, client: Any) -> None:
        self._faults = faults
        self._timers = timers
        chains = faults.links(connection=index, now=timers.now(), peer=client)
        self.up, self.down = (Passage(self, each, timers) for each in chains)
        self._open = [self.up, self.down]

    def start(self) -> None:
        """Act from now on: both ends are connected."""
        self._faults.subscribe(self._refresh)
        for each in (self.up, self.down):
            each.pump()

    def _refresh(self) -> None:
        for each in (self.up, self.down):
            each.refresh(self._timers.now())

    def ended(self, passage: Passage) -> None:
        """Take the end of one direction."""
        if passage in self._open:
            self._open.remove(passage)
        if not self._open:
            self._finish()

    def reset(self) -> None:
        """Reset both ends."""
        self._finish()
        for each in (self.up, self.down):
            each.reset()

    def close(self) -> None:
        """End both directions; an end that still sends is reset."""
        self._finish()
        for each in (self.up, self.down):
            each.end()

    def _finish(self) -> None:
        self._faults.unsubscribe(self._refresh)
        for each in (self.up, self.down):
            each.close()
