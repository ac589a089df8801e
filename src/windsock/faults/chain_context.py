"""One fault on one direction of one connection: its state, its items that wait, and whether it applies."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable
from typing import Any, Protocol

from windsock.faults.context import NEVER
from windsock.faults.fault import Fault
from windsock.faults.handle import FaultHandle
from windsock.faults.item_matcher import matcher_for
from windsock.faults.item_queue import ItemQueue
from windsock.faults.items import Attachment, Data, Datagram, Item, Tick, at_time, attached_to, size_of
from windsock.faults.message_items import WaitingChain, messages_for
from windsock.faults.seeds import derive
from windsock.faults.selector import Selector, holds
from windsock.faults.stages import Stage

__all__ = ["ChainContext"]


class ContextChain(WaitingChain, Protocol):
    """The chain of a context, as far as the context knows it."""

    connection: int
    direction: str
    is_stream: bool
    is_record: bool
    seed: int
    waiting: int


class ChainContext:
    """The context of one fault in one chain: see FaultContext for what the fault uses; the chain uses the rest."""

    __slots__ = (
        "_is_opening",
        "_matcher",
        "_messages",
        "_queue",
        "_random",
        "begun",
        "chain",
        "connection",
        "counted",
        "direction",
        "epoch",
        "fault",
        "handle",
        "held",
        "is_active",
        "is_record",
        "is_stream",
        "key",
        "met_at",
        "now",
        "offset",
        "selector",
        "state",
        "wake_at",
    )  # fmt: skip

    def __init__(self, chain: ContextChain, handle: FaultHandle, now: float, offset: int) -> None:
        self.chain: ContextChain = chain
        self.handle: FaultHandle = handle
        self.fault: Fault = handle.fault
        self.selector: Selector = handle.selector
        self.connection: int = chain.connection
        self.direction: str = chain.direction
        self.is_stream: bool = chain.is_stream
        self.is_record: bool = chain.is_record
        has_bytes = self.is_stream and not self.is_record
        self.key: tuple[Stage, int, int] = (self.fault.chain_stage, self.fault.chain_order, handle.order)
        self.held: deque[Item] = deque()
        self.offset: int = offset
        self.counted: int = 0
        self._queue = ItemQueue(is_stream=self.is_stream)
        self._random: random.Random | None = None
        self._matcher = matcher_for(self.selector, is_stream=has_bytes, direction=self.direction)
        self._messages = messages_for(self.selector, chain, direction=self.direction, is_stream=has_bytes)
        self.start(now)

    def start(self, now: float) -> None:
        """Start, or start again."""
        self.now: float = now
        self.begun: float = now
        self.met_at: int = self.offset
        self.epoch: int = self.handle.epoch
        self.is_active: bool = True
        self.wake_at: float = NEVER
        self._is_opening = False
        self.state: Any = self.fault.begin(self)
        if self.fault.starts_at_once and not self.selector.is_about_items and self._starts_here():
            self.wake_at = now + (self.selector.after or 0)
            self._is_opening = True

    def _starts_here(self) -> bool:
        """Return whether this direction acts: a fault of the whole connection needs only one of the two."""
        return not (self.fault.is_for_connection and self.selector.direction == "both" and self.direction != "upstream")

    # For faults: see FaultContext

    @property
    def random(self) -> random.Random:
        """See FaultContext."""
        if self._random is None:
            self._random = random.Random(derive(self.chain.seed, self.connection, self.direction, self.handle.name))
        return self._random

    @property
    def seen(self) -> int:
        """See FaultContext."""
        return self.offset - self.met_at

    @property
    def waiting(self) -> int:
        """See FaultContext."""
        return self.chain.waiting

    @property
    def credit(self) -> int:
        """See FaultContext."""
        return self.handle.credit

    @property
    def is_released(self) -> bool:
        """See FaultContext."""
        return self.handle.is_released

    def is_used_up(self) -> bool:
        """See FaultContext."""
        return self.handle.is_used_up()

    def fire(self, what: str, *values: object, ahead: int = 0) -> None:
        """See FaultContext."""
        self.handle.note(self.now, (self.connection, self.direction), self.offset + ahead, what, values)

    def claim(self) -> bool:
        """See FaultContext."""
        return self.handle.claim(self.connection)

    def hold(self, item: Item) -> None:
        """See FaultContext."""
        self.held.append(item)
        self.chain.waits(1, size_of(item))

    def take_held(self, n: int | None = None) -> list[Item]:
        """See FaultContext."""
        taken: list[Item] = []
        while self.held and (n is None or len(taken) < n):
            item = self.held.popleft()
            self.chain.waits(-1, -size_of(item))
            taken.append(at_time(item, max(self.now, item.at)))
        return taken

    # For chains

    def take(self, item: Item) -> list[Item]:
        """Return the items that continue at once; the others wait here."""
        if self._messages is None or not self.is_active:
            return self._take(item)
        return [ready for each in self._messages.items(item) for ready in self._take(each)]

    def _take(self, item: Item) -> list[Item]:
        self.now = item.at
        outcome = self._outcome(item)
        if type(item) is Data or type(item) is Datagram:
            if item.attached is not None:
                outcome = self._attached_in(list(outcome), item.attached)
            self.offset += len(item.data)
        return self._ready(outcome)

    def _attached_in(self, outcome: list[Item], attached: Attachment) -> list[Item]:
        """If the fault has dropped what came with an item, release it and add that to the log."""
        if not any(attached_to(each) is attached for each in (*outcome, *self.held)):
            self.handle.add_words(f", and {attached.verb} {attached} that came with it")
            attached.close()
        return outcome

    def _outcome(self, item: Item) -> Iterable[Item]:
        if not self.is_active:
            return (item,)
        if self.selector.is_open:
            return self.fault.apply(item, self)
        limit = self.selector.after_bytes
        if (
            limit is not None
            and self.is_stream
            and not self.is_record
            and type(item) is Data
            and self.seen < limit < self.seen + len(item.data)
        ):
            return self._split(item, limit - self.seen)
        if self.selector.times is None:
            return self._chosen(item)
        with self.handle.turn:
            return list(self._chosen(item))

    def _split(self, item: Data, at: int) -> Iterable[Item]:
        head = list(self.fault.passes(item.piece(0, at), self))
        self.offset += at
        tail = list(self._outcome(item.piece(at)))
        self.offset -= at
        return head + tail

    def _chosen(self, item: Item) -> Iterable[Item]:
        if type(item) is Tick:
            is_meant = not item.is_first or (self._is_now(item) and self._is_drawn())
            return self.fault.apply(item, self) if is_meant else ()
        if not self._is_now(item):
            return self.fault.passes(item, self)
        if self.fault.is_occasion(item, self):
            return self.fault.apply(item, self) if self._is_selected(item) else self.fault.passes(item, self)
        if self.selector.is_about_items or self.selector.probability is not None:
            return self.fault.passes(item, self)
        return self.fault.apply(item, self)

    def _is_now(self, item: Item) -> bool:
        selector = self.selector
        if selector.after is not None and item.at < self.begun + selector.after:
            return False
        if selector.after_bytes is not None and self.seen < selector.after_bytes:
            return False
        return not self.handle.is_used_up()

    def _is_selected(self, item: Item) -> bool:
        selector = self.selector
        if self._messages is not None and not self._messages.is_message:
            return False
        if self._matcher is not None and not self._matcher.matches(item):
            return False
        self.counted += 1
        if selector.nth is not None and not holds(selector.nth, self.counted):
            return False
        if selector.every is not None and self.counted % selector.every:
            return False
        return self._is_drawn()

    def _is_drawn(self) -> bool:
        probability = self.selector.probability
        return probability is None or self.random.random() < probability

    def _ready(self, outcome: Iterable[Item]) -> list[Item]:
        ready: list[Item] = []
        now = self.now
        for item in outcome:
            if item.at <= now and not (self._queue and self.is_stream):
                ready.append(item)
            else:
                self._push(item)
        return ready

    def _push(self, item: Item) -> None:
        self._queue.push(item)
        self.chain.waits(1, size_of(item))

    def next_time(self) -> float:
        """Return when to call `take_due`."""
        if not self._queue:
            return self.wake_at
        return min(self._queue.head(), self.wake_at)

    def queued(self) -> bool:
        """Return whether anything waits here."""
        return bool(self._queue or self.held or self._messages)

    def take_due(self, now: float) -> list[Item]:
        """Return the items that are due: one that waited, or the result of a tick."""
        self.now = now
        if self.wake_at <= now and not (self._queue and self._queue.head() < self.wake_at):
            self.wake_at = NEVER
            is_first, self._is_opening = self._is_opening, False
            return self._ready(self._outcome(Tick(now, is_first)))
        item = self._queue.pop()
        self.chain.waits(-1, -size_of(item))
        return [item]

    def let_go(self, now: float) -> list[Item]:
        """Return all waiting and held items with the time `now`; the fault no longer acts."""
        self.now = now
        queued = self._queue.take_all()
        for item in queued:
            self.chain.waits(-1, -size_of(item))
        begun = () if self._messages is None else self._messages.rest(now)
        gone = [at_time(item, now) for item in (*queued, *self.fault.release(self), *begun)]
        self.is_active = False
        self.wake_at = NEVER
        return gone

    def drop(self) -> None:
        """Discard all waiting items: the connection is over."""
        for item in (*self.held, *self._queue.take_all()):
            if (attached := attached_to(item)) is not None:
                attached.close()
        self.held.clear()
        self.wake_at = NEVER
