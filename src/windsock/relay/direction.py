"""One direction of a relayed stream: data in transit, its faults, and writing to the target."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from windsock.faults.items import (
    Attachment,
    ConnectionClose,
    ConnectionReset,
    Data,
    End,
    Item,
    ResumeReading,
    StopReading,
)
from windsock.net import sockets
from windsock.net.event_loop import Timer
from windsock.net.poller import lead
from windsock.net.system import monotonic

if TYPE_CHECKING:
    from windsock.faults import Chain
    from windsock.relay.roles import Relay, RelayEnd

__all__ = ["Delivering", "RelayDirection"]

Delivering: TypeAlias = "Callable[[], contextlib.AbstractContextManager[None]]"
"""Returns a context manager whose block sends the target the end of the stream."""

MOST_PENDING = 64 * 1024 * 1024
"""The most bytes that wait in one direction because of faults; then the source is no longer read."""
WORTH_KEEPING = 16 * 1024
"""The size in bytes from which on copying costs more than receiving into other memory."""
ONCE_MORE, LONGEST_REST = 0.001, 0.05
"""Seconds between two checks whether written data was taken: more each time, up to a limit."""


class RelayDirection:
    """One direction: data in transit from its source to its target."""

    def __init__(
        self,
        relay: Relay,
        source: RelayEnd,
        target: RelayEnd,
        chain: Chain | None,
        delivering: Delivering = contextlib.nullcontext,
    ) -> None:
        self.relay = relay
        self.source = source
        self.target = target
        self.chain = chain
        self._delivering = delivering
        self.out: deque[memoryview | Item] = deque()
        """Items that are due and not written yet: data, and ends that wait for it."""
        self.is_blocked: bool = False
        """Whether the target currently accepts no data."""
        self.is_stalled: bool = False
        self.has_ended: bool = False
        """True if nothing more will be written: the end was sent, or the target is gone."""
        self._kept: memoryview | None = None
        self._timer: Timer | None = None
        self._timer_at: float | None = None
        self._look: Timer | None = None
        self._rest = ONCE_MORE

    def is_open(self) -> bool:
        """Return whether the source should be read now."""
        if self.out or self.is_stalled or self.source.has_ended or self.source.is_gone:
            return False
        chain = self.chain
        return chain is None or (chain.reads() and chain.pending_bytes < MOST_PENDING)

    def delivers_by(self, time: float) -> bool:
        """Return whether data in transit reaches the target by `time`, if the target accepts it."""
        return bool(self.out) or (self.chain is not None and self.chain.delivers_by(time))

    # --- from the source

    def write(self, data: memoryview, *, is_scratch: bool = False, attached: Attachment | None = None) -> None:
        """Write data that no fault concerns; keep the rest for later, in a copy or in the scratch memory itself."""
        if self.has_ended:
            self.relay.lose(attached)
            return
        target = self.target
        try:
            size = target.write(data) if attached is None else target.write_with(data, attached)
        except OSError as error:
            self.relay.lose(attached)
            target.vanish(error)
            return
        if size < len(data):
            rest = data[size:]
            if attached is not None and not size:
                self.out.append(Data(0.0, bytes(data), attached))
                self._block()
                return
            if is_scratch and len(rest) >= WORTH_KEEPING:
                self._kept = self.relay.scratch.keep()
            else:
                rest = memoryview(bytes(rest))
            self._queue(rest)
            self._block()

    def feed(self, data: bytes, attached: Attachment | None = None) -> None:
        """Pass data to the faults."""
        self._feed(Data(monotonic(), data, attached))

    def end(self) -> None:
        """Handle the end of the source's stream."""
        if self.chain is None or self.chain.is_idle():
            self.out.append(End(0.0))
            self.drain()
        else:
            self._feed(End(monotonic()))

    def reset(self) -> None:
        """Handle a reset by the source."""
        if self.chain is None or self.chain.is_idle():
            self.drain()
            self.relay.reset()
        else:
            self._feed(ConnectionReset(monotonic()))

    def _feed(self, item: Item) -> None:
        assert self.chain is not None
        with self.chain.acting:
            self.chain.feed(item)
            self.pump()

    # --- to the target

    def refresh(self, now: float) -> None:
        """Apply changes of the fault set."""
        if self.chain is not None and not self.relay.is_over:
            with self.chain.acting:
                self.chain.refresh(now)
                self.pump()

    def pump(self) -> None:
        """Carry out what is due, and set a timer for the rest."""
        chain = self.chain
        if chain is None or self.relay.is_over:
            return
        with chain.acting:
            self._do_what_is_due(chain)
            self.relay.on_look()
        if not self.relay.is_over:
            self._set_timer(chain.next_time())
            self.source.update()
            self.target.update()

    def _do_what_is_due(self, chain: Chain) -> None:
        due = chain.due(self._moment(monotonic()))
        while due and monotonic() < due[-1].at:
            pass  # busy-wait for at most `lead()`
        for item in due:
            self._perform(item)
            if self.relay.is_over:
                return
        self.drain()

    def _moment(self, now: float) -> float:
        """Return the time to ask the faults for: now, or the next planned time if it is less than `lead()` away.

        Asking early leaves only the writing for the planned time itself.
        """
        timer_at = self._timer_at
        return timer_at if timer_at is not None and now < timer_at <= now + lead() else now

    def _set_timer(self, time: float | None) -> None:
        timer = self._timer
        if timer is not None:
            if self._timer_at == time and timer.time >= monotonic():
                return
            timer.cancel()
        self._timer_at = time
        self._timer = None if time is None else self.relay.event_loop.at(time - lead(), self._ring)

    def _ring(self) -> None:
        self._timer = None
        self.relay.guarded(self.pump)

    def _perform(self, item: Item) -> None:
        if isinstance(item, Data) and item.attached is None:
            self._queue(memoryview(item.data))
        elif isinstance(item, StopReading | ResumeReading):
            self.is_stalled = isinstance(item, StopReading)
        elif isinstance(item, ConnectionReset) and not item.flush:
            self.drain()
            self.relay.reset()
        else:
            self.out.append(item)

    def _queue(self, data: memoryview) -> None:
        if len(data) and not self.has_ended:
            self.out.append(data)

    def drain(self) -> None:
        """Write what is due, as far as the target accepts it."""
        out, target = self.out, self.target
        self.is_blocked = False
        try:
            while out and not self.relay.is_over:
                head = out[0]
                if isinstance(head, memoryview | Data):
                    if not self._write_first(head):
                        self._block()
                        return
                elif not self._finish(head):
                    return
        except OSError as error:
            target.vanish(error)
            return
        if self._kept is not None:
            self.relay.scratch.give_back(self._kept)
            self._kept = None
        if not self.relay.is_over:
            self.source.update()
            target.update()

    def _write_first(self, head: memoryview | Data) -> bool:
        """Write the first waiting data, if it can still be written; return whether it is finished."""
        attached = head.attached if isinstance(head, Data) else None
        data = memoryview(head.data) if isinstance(head, Data) else head
        if self.has_ended:
            self.relay.lose(attached)
            size = len(data)
        else:
            size = self.target.write(data) if attached is None else self.target.write_with(data, attached)
        if size == len(data):
            self.out.popleft()
            return True
        if size:
            self.out[0] = data[size:]
        return False

    def _finish(self, item: Item) -> bool:
        """Carry out an end whose preceding data was written; return whether it is finished."""
        is_flushing = isinstance(item, ConnectionReset) and not self.target.is_gone
        if is_flushing and sockets.unacknowledged(self.target.socket):
            self._look_again()
            return False
        self.out.popleft()
        if isinstance(item, ConnectionReset):
            self.relay.reset()
        elif isinstance(item, ConnectionClose):
            self.relay.finish()
        elif isinstance(item, End) and not self.has_ended:
            self.has_ended = True
            if not self.target.is_gone:
                with self._delivering():
                    self.target.half_close()
            self.relay.finish_if_done()
        return True

    def _look_again(self) -> None:
        if self._look is None:
            self._look = self.relay.event_loop.later(self._rest, self._drain_again)
            self._rest = min(LONGEST_REST, self._rest * 1.5)

    def _drain_again(self) -> None:
        self._look = None
        if not self.relay.is_over:
            self.relay.guarded(self.drain)

    def _block(self) -> None:
        self.is_blocked = True
        self.source.update()
        self.target.update()

    def give_up(self) -> None:
        """Note that the target is gone."""
        self._forget()
        self.is_blocked = False
        with self._delivering():
            self.has_ended = True

    def close(self) -> None:
        """Stop: the connection is over."""
        self._forget()
        for timer in (self._timer, self._look):
            if timer is not None:
                timer.cancel()
        if self.chain is not None:
            self.chain.close(monotonic())

    def _forget(self) -> None:
        for each in self.out:
            if isinstance(each, Data):
                self.relay.lose(each.attached)
        self.out.clear()
