"""The faults on one direction of one connection, in order: timed items go in, timed items come out."""

from __future__ import annotations

from typing import Any, Protocol

from windsock.faults.chain_context import ChainContext
from windsock.faults.context import NEVER
from windsock.faults.handle import FaultHandle
from windsock.faults.items import ConnectionClose, ConnectionReset, Data, End, Item, ResumeReading, StopReading, size_of
from windsock.faults.selector import ConnectionInfo
from windsock.net.system import threading

__all__ = ["Chain"]


class ChainFaults(Protocol):
    """The faults of a chain's server or proxy, as far as the chain knows them: a FaultSet."""

    acting: threading.RLock

    @property
    def traffic(self) -> str:
        """Return "stream", "datagram" or "record"."""
        ...

    @property
    def seed(self) -> int:
        """Return the seed of their random numbers."""
        ...

    @property
    def version(self) -> int:
        """Return a number that increases with each change."""
        ...

    @property
    def handles(self) -> tuple[FaultHandle, ...]:
        """Return the handles of all faults that are not healed."""
        ...

    def unlink(self, chain: Chain) -> None:
        """Remove a chain that is closed."""
        ...


class Chain:
    """The faults on one direction of one connection, as returned by `FaultSet.chain`. Not thread-safe.

    Items are fed when they arrive, and `due` returns them when their time has come; when it is called does not matter.
    Items wait at the output of each fault, so the next fault sees an item at that item's time.
    """

    __slots__ = (
        "_concerned",
        "_contexts",
        "_emitted",
        "_fault_set",
        "_has_ended",
        "_info",
        "_is_calm",
        "_is_idle",
        "_is_over",
        "_is_stalled",
        "_next",
        "_pending",
        "_ready",
        "_room",
        "_version",
        "acting",
        "connection",
        "direction",
        "is_record",
        "is_stream",
        "seed",
        "waiting",
    )  # fmt: skip

    def __init__(self, fault_set: ChainFaults, connection: int, direction: str, now: float, peer: Any = None) -> None:
        self._fault_set = fault_set
        self.acting: threading.RLock = fault_set.acting
        """The lock to hold while feeding or asking the chain, until its output has been carried out."""
        self.connection: int = connection
        self.direction: str = direction
        self.is_stream: bool = fault_set.traffic != "datagram"
        self.is_record: bool = fault_set.traffic == "record"
        self.seed: int = fault_set.seed
        self.waiting: int = 0
        """The number of items that wait anywhere in the chain."""
        self._info = ConnectionInfo(connection, peer)
        self._concerned: dict[int, bool] = {}
        self._contexts: list[ChainContext] = []
        self._ready: list[Item] = []
        self._next = NEVER
        self._pending = 0
        self._emitted = 0
        self._room = NEVER
        self._has_ended = self._is_over = self._is_stalled = self._is_calm = self._is_idle = False
        self.refresh(now)

    def __repr__(self) -> str:
        return f"<Chain of connection #{self.connection} {self.direction}: {[each.fault for each in self._contexts]}>"

    def feed(self, item: Item) -> None:
        """Process an item that arrived at `item.at`."""
        if self._version != self._fault_set.version:
            self.refresh(item.at)
        if self._next <= item.at:
            self._advance(item.at)
        if self._is_over:
            return
        self._pass(item, 0)
        self._plan()

    def due(self, now: float) -> list[Item]:
        """Return all items whose time has come, in order; their times are `now` or earlier."""
        if self._version != self._fault_set.version:
            self.refresh(now)
        if self._next <= now:
            self._advance(now)
        ready, self._ready = self._ready, []
        if self._is_calm:
            self._is_idle = self._may_idle()
        return ready

    def next_time(self) -> float | None:
        """Return when to call `due` next; None if nothing waits for a time."""
        if self._ready:
            return self._ready[0].at
        return None if self._next == NEVER else self._next

    def delivers_by(self, time: float) -> bool:
        """Return whether a waiting item comes out by `time`; items held without a time do not count."""
        return bool(self._ready) or (self.waiting > 0 and self._next <= time)

    def is_idle(self) -> bool:
        """Return whether the chain may be bypassed: no active fault concerns it, and nothing waits in it.

        Bypassing bytes must be reported to `carried`, for the offsets in logs.
        """
        return self._is_idle and self._version == self._fault_set.version

    def reads(self) -> bool:
        """Return whether the source may be read now: it is not stalled, and no buffer of a rate limit is full."""
        return not self._is_stalled and self._pending <= self._room

    @property
    def pending_bytes(self) -> int:
        """The number of bytes that are held back."""
        return self._pending + sum(map(size_of, self._ready))

    def carried(self, size: int) -> None:
        """Count bytes that bypassed the chain while it was idle."""
        self._emitted += size
        for context in self._contexts:
            context.offset += size

    def refresh(self, now: float) -> None:
        """Apply changes of the fault set: items of healed or paused faults continue, and new faults join the chain."""
        if self._next <= now:
            self._advance(now)
        self._version = self._fault_set.version
        handle = self._fault_set.handles
        for position in reversed(range(len(self._contexts))):
            self._turn(position, now)
        # Only those that have released their items: another thread may heal one now, which the next refresh will see.
        self._contexts = [context for context in self._contexts if context.is_active or not context.handle.is_healed]
        present = {id(context.handle) for context in self._contexts}
        for each in handle:
            if id(each) not in present and each.is_active and not self._is_over and self._concerns(each):
                self._add(each, now)
        self._plan()
        if self._next <= now:
            self._advance(now)
        self._survey()

    def close(self, now: float) -> None:  # noqa: ARG002  # the interface of relays
        """Discard everything: the connection is over."""
        if not self._is_over:
            self._end()
        self._ready = []
        self._fault_set.unlink(self)

    def _concerns(self, handle: FaultHandle) -> bool:
        if handle.fault.applies_to.isdisjoint(("stream", "datagram")):
            return False
        known = self._concerned.get(handle.order)
        if known is None:
            known = self._concerned[handle.order] = handle.concerns(self._info, self.direction)
        return known

    def _turn(self, position: int, now: float) -> None:
        """Switch a context off or on, or report a change to it."""
        context = self._contexts[position]
        is_active, is_same = context.handle.is_active, context.epoch == context.handle.epoch
        if context.is_active and not (is_active and is_same):
            for item in context.let_go(now):
                self._pass(item, position + 1)
        if is_active and not context.is_active:
            context.start(now)
        elif is_active and getattr(context.fault, "holds", False):
            context.wake_at = now

    def _add(self, handle: FaultHandle, now: float) -> None:
        key = (handle.fault.chain_stage, handle.fault.chain_order, handle.order)
        position = sum(context.key < key for context in self._contexts)
        offset = self._contexts[position].offset if position < len(self._contexts) else self._emitted
        self._contexts.insert(position, ChainContext(self, handle, now, offset))

    def _pass(self, item: Item, position: int) -> None:
        if position == len(self._contexts):
            self._emit(item)
            return
        for each in self._contexts[position].take(item):
            self._pass(each, position + 1)

    def _emit(self, item: Item) -> None:
        if self._is_over:
            return
        kind = type(item)
        if kind is Data:
            size = size_of(item)
            if self._has_ended or not size:
                return
            self._emitted += size
        elif kind is End:
            if self._has_ended:
                return
            self._has_ended = True
        elif kind is StopReading or kind is ResumeReading:
            self._is_stalled = kind is StopReading
        elif kind is ConnectionReset or kind is ConnectionClose:
            self._end()
        self._ready.append(item)

    def _end(self) -> None:
        self._is_over = True
        self._is_idle = False
        for context in self._contexts:
            context.drop()
        self._pending = self.waiting = 0
        self._next = NEVER

    def _advance(self, now: float) -> None:
        """Move on all items that wait until now, by time; of two with the same time, the one further on first."""
        while self._next <= now:
            soonest, when = 0, NEVER
            for position, context in enumerate(self._contexts):
                if (time := context.next_time()) <= when:
                    soonest, when = position, time
            for item in self._contexts[soonest].take_due(when):
                self._pass(item, soonest + 1)
            self._plan()

    def _plan(self) -> None:
        self._next = min([context.next_time() for context in self._contexts], default=NEVER)

    def _survey(self) -> None:
        """Recompute what depends on the active faults, after a change."""
        active = [context for context in self._contexts if context.is_active]
        delay = sum(context.fault.latency for context in active)
        rooms = [room for context in active if (room := context.fault.room(delay)) is not None]
        self._room = min(rooms, default=NEVER)
        self._is_calm = not active
        self._is_idle = self._may_idle()

    def _may_idle(self) -> bool:
        return self._is_calm and not (self._is_over or self._is_stalled or self.waiting or self._ready)

    def waits(self, items: int, size: int) -> None:
        """Count items that start or stop waiting (negative numbers); for contexts."""
        self.waiting += items
        self._pending += size
