"""Relays one client's datagrams to an address and the replies back, under faults."""

from __future__ import annotations

import contextlib
import errno
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

from windsock.faults.items import Datagram, Item, NewSource, ResumeReading, StopReading
from windsock.net.ancillary import CameWith, Credentials, send_with
from windsock.net.callbacks import nothing
from windsock.net.event_loop import READABLE, EventLoop, OnError, Timer
from windsock.net.system import monotonic, socket
from windsock.relay.datagram_sockets import AF_UNIX, BATCH, LONGEST_REST, ONCE_MORE, receive
from windsock.relay.observers import DatagramNotes

if TYPE_CHECKING:
    from windsock.faults import Chain
    from windsock.faults.items import Attachment

    Send: TypeAlias = Callable[[bytes, Attachment | None], object]

__all__ = ["DatagramDirection", "DatagramRelay"]

MOST_WAITING = 256
"""The number of datagrams that may wait for an end that accepts none before reading stops."""
GONE = (errno.ECONNREFUSED, errno.ENOENT, errno.ECONNRESET, errno.ENOTCONN, errno.EPIPE)


class DatagramDirection:
    """One direction: the datagrams that are due and not sent yet, and the function that sends one."""

    def __init__(self, relay: DatagramRelay, chain: Chain | None, send: Send, on_look: Callable[[], None]) -> None:
        self._relay = relay
        self.chain = chain
        self._send = send
        self._look = on_look
        self.out: deque[tuple[bytes, Attachment | None]] = deque()
        self.is_stalled: bool = False
        self._timer: Timer | None = None
        self._again: Timer | None = None
        self._rest = ONCE_MORE

    def is_open(self) -> bool:
        """Return whether more should be read."""
        return len(self.out) < MOST_WAITING and not self.is_stalled and (self.chain is None or self.chain.reads())

    def delivers_by(self, time: float) -> bool:
        """Return whether a datagram that waits here is sent by `time`."""
        return bool(self.out) or (self.chain is not None and self.chain.delivers_by(time))

    def take(self, data: bytes, attached: Attachment | None = None) -> None:
        """Relay a datagram that has arrived."""
        chain = self.chain
        if chain is None or chain.is_idle():
            if chain is not None:
                chain.carried(len(data))
            self.out.append((data, attached))
            self.drain()
        else:
            with chain.acting:
                chain.feed(Datagram(monotonic(), data, attached=attached))
                self.pump()

    def pump(self) -> None:
        """Send what is due, and set a timer for the rest."""
        chain = self.chain
        if chain is None or self._relay.is_over:
            return
        with chain.acting:
            for item in chain.due(monotonic()):
                self._perform(item)
            self.drain()
            self._look()
        self._set_timer(chain.next_time())
        self._relay.update()

    def _perform(self, item: Item) -> None:
        if isinstance(item, Datagram):
            if not item.refuse:
                self.out.append((item.data, item.attached))
            elif item.attached is not None:  # too late for an error: its sender was told that it was sent
                item.attached.close()
        elif isinstance(item, NewSource):
            self.drain()
            self._relay.rebind()
        elif isinstance(item, StopReading | ResumeReading):
            self.is_stalled = isinstance(item, StopReading)

    def drain(self) -> None:
        """Send what can be sent now."""
        out = self.out
        while out:
            try:
                self._send(*out[0])
            except (BlockingIOError, InterruptedError):
                self._try_again()
                return
            except OSError as error:
                self._relay.failed(error)
            _, attached = out.popleft()
            if attached is not None:
                attached.close()
            self._rest = ONCE_MORE

    def _try_again(self) -> None:
        """Try again soon: a socket with many receivers cannot be waited for."""
        if self._again is None:
            self._again = self._relay.event_loop.later(self._rest, self._drain_again)
            self._rest = min(LONGEST_REST, self._rest * 1.5)
        self._relay.update()

    def _drain_again(self) -> None:
        self._again = None
        if not self._relay.is_over:
            self.drain()
            self._relay.update()

    def _set_timer(self, time: float | None) -> None:
        if self._timer is not None:
            if self._timer.time == time:
                return
            self._timer.cancel()
        self._timer = None if time is None else self._relay.event_loop.at(time, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._relay.guarded(self.pump)

    def close(self) -> None:
        """Stop sending."""
        for _, attached in self.out:
            if attached is not None:
                attached.close()
        self.out.clear()
        self._send = self._look = nothing  # avoids reference cycles
        for timer in (self._timer, self._again):
            if timer is not None:
                timer.cancel()
        if self.chain is not None:
            self.chain.close(monotonic())


class DatagramRelay:
    """The relay of one client: a socket of its own towards the server, and a direction each way."""

    def __init__(
        self,
        event_loop: EventLoop,
        make_socket: Callable[[], socket.socket],
        answer: Send,
        *,
        upward: Chain | None,
        downward: Chain | None,
        notes: DatagramNotes | None = None,
        on_look: Callable[[], None] = nothing,
        on_change: Callable[[], None] = nothing,
        on_error: OnError,
    ) -> None:
        self.event_loop = event_loop
        self._make_socket = make_socket
        self._notes = notes
        self._on_change = on_change
        self._on_error = on_error
        self.is_over: bool = False
        self._events: int | None = None
        self.socket: socket.socket = make_socket()
        self._is_unix = self.socket.family == AF_UNIX
        self.up: DatagramDirection = DatagramDirection(self, upward, self._send, on_look)
        self.down: DatagramDirection = DatagramDirection(self, downward, answer, on_look)
        self.senders: dict[str, Credentials | None] = {}
        """The processes of the client and of the server, if they are not this one."""
        self.names: list[Any] = [self.socket.getsockname()]
        """The addresses under which the server has seen it, the latest one last."""

    def start(self) -> None:
        """Start relaying."""
        self.up.pump()
        self.down.pump()
        self.update()

    def take(self, data: bytes, came: CameWith | None = None) -> None:
        """Relay a datagram of the client."""
        if self._notes is not None:
            self._notes.sent(data)
        self._learn_of(came, "client")
        self.guarded(lambda: self.up.take(data, came and came.descriptors))

    def _learn_of(self, came: CameWith | None, whose: str) -> None:
        if came is None:
            return
        self.senders[whose] = came.credentials
        if self._notes is not None:
            for words in came.words(whose):
                self._notes.beside(words)

    def _send(self, data: bytes, attached: Attachment | None) -> None:
        send_with(self.socket, data, attached, self.senders.get("client"), self.cannot)

    def cannot(self, words: str) -> None:
        """Report something that could not be passed on, once for each sender."""
        self.senders.clear()
        if self._notes is not None:
            self._notes.beside(words)

    def _ready(self, events: int) -> None:  # noqa: ARG002  # readable, or an error to read
        self.guarded(self._read)

    def _read(self) -> None:
        for _ in range(BATCH):
            if self.is_over or not self.down.is_open():
                break
            try:
                data, came, _ = receive(self.socket, is_unix=self._is_unix)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                self.failed(error)
                break
            if self._notes is not None:
                self._notes.answered(data)
            self._learn_of(came, "server")
            self.down.take(data, came and came.descriptors)
        self.update()

    def failed(self, error: OSError) -> None:
        """Handle a datagram that could not be sent, or whose receiver does not exist."""
        if error.errno in GONE:
            if self._notes is not None:
                self._notes.refused(error)
        elif error.errno != errno.EMSGSIZE:
            self._on_error(error)

    def rebind(self) -> None:
        """Switch to another socket: the server sees a new client address."""
        try:
            made = self._make_socket()
        except OSError as error:  # no listener, or no descriptor left: keep the address
            self.failed(error)
            return
        self._unwatch()
        self.socket.close()
        self.socket = made
        self.names.append(self.socket.getsockname())
        self._on_change()
        self.update()

    def update(self) -> None:
        """Watch for the events that matter now."""
        events = READABLE if self.down.is_open() else 0
        if self.is_over or events == self._events:
            return
        if not events:
            self._unwatch()
        else:
            self.event_loop.watch(self.socket.fileno(), events, self._ready)
            self._events = events

    def _unwatch(self) -> None:
        if self._events is not None:
            self.event_loop.forget(self.socket.fileno())
            self._events = None

    def refresh(self, now: float) -> None:
        """Apply changes of the fault set."""
        for flow in (self.up, self.down):
            if flow.chain is not None:
                with flow.chain.acting:
                    flow.chain.refresh(now)
                    self.guarded(flow.pump)

    def delivers_by(self, time: float) -> bool:
        """Return whether data of the client reaches the server by `time`."""
        return not self.is_over and self.up.delivers_by(time)

    def guarded(self, action: Callable[[], object]) -> None:
        """Call an action; report an error of a fault, which affects only this datagram."""
        try:
            action()
        except BaseException as error:
            self._on_error(error)

    def sockets(self) -> Iterable[Any]:
        """Return the sockets that a forked child must close."""
        return [self.socket]

    def finish(self) -> None:
        """Close the relay."""
        if not self.is_over:
            self._unwatch()
            self.is_over = True
            self.up.close()
            self.down.close()
            self._notes = None
            self._on_error = self._on_change = nothing
            with contextlib.suppress(OSError):
                self.socket.close()
