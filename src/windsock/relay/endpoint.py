"""One of the two sockets of a relayed stream: reading, writing, and ends."""

from __future__ import annotations

import contextlib
import errno
from typing import TYPE_CHECKING, Any

from windsock.net import sockets, urgent
from windsock.net.event_loop import ERROR, HUNG_UP, READABLE, URGENT, WRITABLE
from windsock.net.system import socket
from windsock.relay.observers import TrafficObserver

if TYPE_CHECKING:
    from windsock.faults.items import Attachment
    from windsock.relay.direction import RelayDirection
    from windsock.relay.roles import Relay

__all__ = ["RelayEndpoint"]

MOST_READS = 16
"""The number of blocks that are read and discarded before a close."""


class RelayEndpoint:
    """One of the two sockets: its data goes into its `flow`, and data for it comes from `inflow`."""

    flow: RelayDirection
    inflow: RelayDirection
    piece = 128 * 1024
    """The number of bytes read at a time if faults examine them and may keep them."""
    bulk = 32 * 1024
    """The size in bytes of a read after which more of that size is expected."""

    def __init__(self, relay: Relay, sock: Any, notes: TrafficObserver | None, *, is_client: bool) -> None:
        self.relay = relay
        self.socket = sock
        self.descriptor: Any = sock.fileno()
        self.is_tcp: bool = sockets.is_ip(sock)
        self.notes = notes
        self.is_client = is_client
        self.has_ended: bool = False
        """Whether the end of its stream has been read."""
        self.is_gone: bool = False
        """Whether it can neither be read nor written any more."""
        self.error: OSError | None = None
        """An error that has been consumed already; it applies after the data that can still be read."""
        self.carried: int = 0
        """The number of bytes received from it."""
        self.attached: Attachment | None = None
        """What came with the first of the latest bytes: descriptors, or the mark of urgent data."""
        self._is_bulk = False
        self._watched: int | None = None
        self._scratch = relay.scratch
        self._receive = sock.recv_into
        self._prepare()

    def _prepare(self) -> None:
        """Keep urgent bytes in the stream, so that none is lost. May be overridden."""
        urgent.keep_inline(self.socket)

    def ready(self, events: int) -> None:
        """Handle events: readable, writable, or an error."""
        try:
            if events == READABLE and self.flow.is_open():
                self._carry()
            else:
                self._attend(events)
        except BaseException as error:
            self.relay.broke(error)

    def _carry(self) -> None:
        """Read, and write the data at once: the common case."""
        flow, chain, notes = self.flow, self.flow.chain, self.notes
        is_idle = chain is None or chain.is_idle()
        is_lent = self._is_bulk and notes is not None
        memory = notes.lend() if is_lent and notes is not None else self._scratch.memory
        try:
            size = self._receive(memory if is_idle else memory[: self.piece])
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.vanish(error)
            return
        if not size:
            if self.error is None:
                self._end()
            else:
                self.vanish(self.error)
            return
        self.carried += size
        data = memory[:size]
        if notes is not None:
            if is_lent:
                notes.kept(size)
            else:
                notes.passed(data)
            self._is_bulk = size >= self.bulk
        if self.relay.handshake_faults is not None or self.attached is not None:
            self._carry_attached(data)
        elif is_idle:
            flow.write(data, is_scratch=not is_lent)
            if chain is not None:
                chain.carried(size)
        else:
            flow.feed(bytes(data))

    def _carry_attached(self, data: memoryview) -> None:
        """Pass on data whose first byte came with descriptors or is urgent; no handshake uses either."""
        attached, self.attached = self.attached, None
        faults = self.relay.handshake_faults
        if faults is not None:
            self.relay.lose(attached)
            passed = faults.upward(bytes(data)) if self.is_client else faults.downward(bytes(data))
            if passed and not self.relay.is_over:
                self._pass_on(passed)
            return
        chain = self.flow.chain
        if chain is not None and not chain.is_idle():
            self.flow.feed(bytes(data), attached)
            return
        self.flow.write(data, attached=attached)
        if chain is not None:
            chain.carried(len(data))

    def _pass_on(self, data: bytes) -> None:
        chain = self.flow.chain
        if chain is None or chain.is_idle():
            self.flow.write(memoryview(data))
        else:
            self.flow.feed(data)

    def _attend(self, events: int) -> None:
        if self.is_gone:
            return
        if events & (WRITABLE | ERROR | HUNG_UP) and self.inflow.is_blocked:
            self.inflow.drain()
        if self._is_done():
            return
        if events & URGENT and self.flow.is_open() and self._is_at_mark():
            self._carry_urgent()
        elif events & READABLE and self.flow.is_open():
            self._carry()
        elif events & (ERROR | HUNG_UP):
            self._hang_up(events)
        self.update()

    def _is_at_mark(self) -> bool:
        """Return whether the next byte is urgent. May be overridden."""
        return urgent.is_at_mark(self.socket)

    def _carry_urgent(self) -> None:
        """Read the urgent byte alone, and pass it on with its mark."""
        memory = self._scratch.memory[:1]
        try:
            size = self._receive(memory)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self.vanish(error)
            return
        self.relay.lose(self.attached)
        self.attached = urgent.UrgentMark()
        self.carried += size
        if self.notes is not None:
            self.notes.marked()
            self.notes.passed(memory)
        self._carry_attached(memory)

    def _is_done(self) -> bool:
        return self.is_gone or self.relay.is_over

    def _hang_up(self, events: int) -> None:
        """Handle an end that is gone, at least for reading. The kernel repeats this event, so stop watching for it."""
        if self.has_ended:
            if events & ERROR:
                self.vanish(sockets.error_of(self.socket))
            elif not self.is_tcp and not self.inflow.has_ended:
                self._leave()
                self.relay.finish_if_done()
            else:
                self._park()
        elif self.flow.is_open():
            self._carry()  # fails with the cause
        elif self.flow.out and events & ERROR:
            self.vanish(sockets.error_of(self.socket))  # the rest of its data will never be read
        else:
            self._park()

    def _end(self) -> None:
        self.has_ended = True
        if self.notes is not None:
            self.notes.ended(is_truncated=getattr(self.socket, "was_truncated", False))
        faults = self.relay.handshake_faults
        if faults is not None and (rest := faults.ended(is_client=self.is_client)):
            self._pass_on(rest)
        self.flow.end()
        self.update()

    def vanish(self, error: OSError) -> None:
        """Handle a reset by this end: reset the other one too."""
        if self.is_gone or self.relay.is_over:
            return
        if self.notes is not None:
            self.notes.vanished(error)
        self._leave()
        self.flow.reset()

    def _leave(self) -> None:
        """Note that nothing can reach it any more."""
        self.is_gone = True
        self._park()
        self.inflow.give_up()

    def _park(self) -> None:
        if self._watched is not None:
            self._watched = None
            self.relay.event_loop.forget(self.descriptor)

    def update(self) -> None:
        """Watch for the events that matter now."""
        if self.is_gone or self.relay.is_over:
            return
        events = (READABLE | URGENT if self.flow.is_open() else 0) | (WRITABLE if self.inflow.is_blocked else 0)
        if events == self._watched:
            return
        if self._watched is not None:
            self.relay.event_loop.change(self.descriptor, events)
        elif events:
            self.relay.event_loop.watch(self.descriptor, events, self.ready)
        else:
            return
        self._watched = events

    def write(self, data: memoryview) -> int:
        """Write what can be written now; return the number of bytes."""
        try:
            return self.socket.send(data)  # type: ignore[no-any-return]  # a socket, or a socket-like object
        except (BlockingIOError, InterruptedError):
            return 0

    def write_with(self, data: memoryview, attached: Attachment) -> int:
        """Write data with what came with its first byte; return the number of bytes."""
        if isinstance(attached, urgent.UrgentMark):
            return self._write_urgent(data[:1])
        return self._write_attached(data, attached)

    def _write_urgent(self, data: memoryview) -> int:
        """Write an urgent byte. May be overridden."""
        try:
            return self.socket.send(data, urgent.OOB)  # type: ignore[no-any-return]  # a socket
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError as error:
            if error.errno != errno.EOPNOTSUPP:
                raise
        return self._write_unmarked(data, "this system has no urgent data on Unix sockets")

    def _write_unmarked(self, data: memoryview, why: str) -> int:
        size = self.write(data)
        if size:
            self.relay.note(f"1 urgent mark of {bytes(data)!r} could not be passed on: {why}")
        return size

    def _write_attached(self, data: memoryview, attached: Attachment) -> int:
        """Write data, and close its descriptors with the first byte: only Unix sockets can pass them on."""
        size = self.write(data)
        if size:
            self.relay.note(f"{attached} could not be passed on: the other end is not a plain Unix socket")
            attached.close()
        return size

    def half_close(self) -> None:
        """Send the end of the stream."""
        self.socket.shutdown(socket.SHUT_WR)

    def close(self, *, orderly: bool) -> None:
        """Close: with the end of the stream after all data written, or with a reset."""
        self._park()
        self.is_gone, was_gone = True, self.is_gone
        if not orderly and not was_gone:
            sockets.reset(self.socket)
            return
        if not was_gone:
            self._close_in_order()
        self.socket.close()

    def _close_in_order(self) -> None:
        """Read first, since unread data would cause a reset; then shut down, even if other processes have it open."""
        with contextlib.suppress(OSError):
            if not self.inflow.has_ended:
                self.half_close()
            for _ in range(MOST_READS):
                if self.has_ended or not self._receive(self._scratch.memory):
                    break
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
