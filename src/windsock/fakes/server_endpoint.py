"""A fake server's endpoint, for scripts: waits like the server's other requests, and ends when the server stops."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from windsock.endpoints.endpoint import DONTWAIT, SLICE, Endpoint
from windsock.endpoints.recorded import RecordedStream
from windsock.errors import UsageError
from windsock.net import addresses, sockets
from windsock.net.abort import kernel_socket
from windsock.net.callbacks import nothing
from windsock.net.deadlines import milliseconds
from windsock.net.system import monotonic, select
from windsock.net.wakeup import Wakeup
from windsock.recording import Connection
from windsock.scripts import Inbox
from windsock.scripts import steps as kinds
from windsock.scripts.steps import Step
from windsock.taps.requests import connection_of

__all__ = [
    "ServerDatagram",
    "ServerStopped",
    "ServerStream",
    "StopEvent",
    "nothing",
    "ready_among",
    "resting",
]


class ServerStopped(Exception):
    """Ends all waits: the server is stopping."""


class StopEvent:
    """An event that is set when the server stops, with a descriptor for threads, greenlets and children to wait on."""

    def __init__(self) -> None:
        self._wakeup: Wakeup | None = Wakeup()

    def fileno(self) -> int:
        """Return a descriptor that becomes readable when the event is set."""
        return -1 if self._wakeup is None else self._wakeup.fileno()

    def is_set(self) -> bool:
        """Return whether the event is set."""
        return self._wakeup is None or bool(ready_among([self._wakeup.fileno()], 0.0))

    def set(self) -> None:
        """Set the event."""
        if self._wakeup is not None:
            self._wakeup.call()

    def clear(self) -> None:
        """Clear the event: the server is up again."""
        if self._wakeup is not None:
            self._wakeup.clear()

    def close(self) -> None:
        """Close the descriptors; from here on the event is set."""
        wakeup, self._wakeup = self._wakeup, None
        if wakeup is not None:
            wakeup.close()

    def check(self) -> None:
        """Raise ServerStopped if the server is stopping."""
        if self.is_set():
            raise ServerStopped

    def sleep(self, seconds: float, hub: Any) -> None:
        """Wait; in a selecting server's greenlet, let others run. Raises ServerStopped."""
        deadline = monotonic() + max(0.0, seconds)
        turn = _turn(hub)
        while True:
            self.check()
            if turn is not None:
                turn.hub.wait_for(turn, self.fileno(), select.POLLIN, deadline)  # may return early
            else:
                ready_among([self.fileno()], deadline - monotonic())
            self.check()
            if monotonic() >= deadline:
                return

    def wait_for(self, sock: Any, seconds: float) -> bool:
        """Return whether a socket becomes readable within `seconds`. Raises ServerStopped."""
        turn = _turn(getattr(sock, "selecting_hub", None))
        if turn is not None:  # a stop ends the connection, which wakes the greenlet
            self.check()
            is_ready = bool(
                turn.hub.wait_for(turn, sock.fileno(), select.POLLIN, monotonic() + max(0.0, seconds), sock)
            )
            self.check()
            return is_ready
        ready = ready_among([sock.fileno(), self.fileno()], seconds)
        if self._wakeup is None or self.fileno() in ready:
            raise ServerStopped
        return bool(ready)


def _turn(hub: Any) -> Any:
    """Return the current greenlet if it belongs to a selecting server."""
    if hub is None:
        return None
    from windsock.servers.selecting.hub import my_turn

    return my_turn(hub)


def ready_among(descriptors: list[int], seconds: float) -> list[int]:
    """Return the descriptors that become readable within `seconds`, as soon as one does."""
    poll = select.poll()
    for each in descriptors:
        if each >= 0:
            poll.register(each, select.POLLIN)
    return [descriptor for descriptor, _ in poll.poll(milliseconds(seconds))]


class ServerStream(RecordedStream):
    """An endpoint over the request of a stream server, which may be recorded, green or encrypted.

    `before_wait` is called before each wait for the client.
    """

    def __init__(self, request: Any, server: Any, stop_event: StopEvent) -> None:
        super().__init__(request)
        self.before_wait: Callable[[], None] = nothing
        self._server = server
        self._stop_event = stop_event

    def is_readable(self, seconds: float) -> bool:
        """Wait until there is something to read. Raises ServerStopped."""
        if self.may_have_more:
            return True
        self.before_wait()
        return self._stop_event.wait_for(kernel_socket(self.sock), seconds)

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`. Raises ServerStopped."""
        self._stop_event.sleep(seconds, getattr(kernel_socket(self.sock), "selecting_hub", None))

    def _let_pass(self, seconds: float) -> None:
        with resting([self._connection], self.clock() + seconds):
            super()._let_pass(seconds)

    def _start_tls(self, step: kinds.StartTLS, deadline: float) -> None:  # noqa: ARG002  # the server has its own
        if not hasattr(self._server, "start_tls"):
            raise UsageError("start_tls: this server does not speak TLS; pass tls='starttls'")
        self.give_back_handshake()
        self.sock.settimeout(None)
        self.sock = self._server.start_tls(self.sock)
        self.may_have_more = True
        self.inbox.note("speaks TLS from here", self.clock())

    def act(self, step: Step, deadline: float) -> None:
        """Carry out a step."""
        if isinstance(step, kinds.StartTLS):  # with the server's certificate, and recorded
            self._start_tls(step, deadline)
            return
        if isinstance(step, kinds.Forward):
            self._forward(step, deadline)
            return
        super().act(step, deadline)

    def _forward(self, step: kinds.Forward, deadline: float) -> None:
        """Hand the connection on, with what has come and was not taken, until it has ended."""
        from windsock.fakes.forwarding import Forwarding

        self.check_open(step.text)
        target = step.target(step.text, self.inbox.conversation)
        head = step.head(step.text, self.inbox.conversation) + self.inbox.take(len(self.inbox.unread))
        Forwarding(self.sock, target, head, self._connection, self._stop_event.fileno()).run(deadline)
        self.close()


class ServerDatagram(Endpoint):
    """An endpoint over the socket of a datagram server, to one client; `receive()` adds each datagram.

    `request` is the latest one examined, `(data, socket)`: what is sent is a reply to it.
    """

    def __init__(self, request: tuple[bytes, Any], client_address: Any, stop_event: StopEvent) -> None:
        super().__init__(request[1], Inbox(is_datagram=True))
        self.request = request
        self.client_address = addresses.plain(client_address)
        self.before_wait: Callable[[], None] = nothing
        self._stop_event = stop_event
        connection = connection_of(request)
        index = None if connection is None else connection.index
        self.inbox.conversation.begin(self.sock, index=index, peer=self.client_address)

    def transmit(self, data: bytes, deadline: float, *, is_urgent: bool = False) -> None:  # noqa: ARG002  # a datagram
        """Send a datagram, unless the client has no address or is gone.

        Raises TimeoutError at the deadline, and UsageError for data that no datagram can carry.
        """
        self.check_open("send(...)")
        if self.client_address is None:
            self.inbox.note("could not answer: the client has no name", self.clock())
            return
        while True:
            try:
                self.sock.sendto(data, DONTWAIT, self.client_address)
            except BlockingIOError:
                if self.clock() >= deadline:
                    raise TimeoutError("the client took nothing") from None
                self.sleep(SLICE)
            except OSError as error:
                sockets.check_datagram(error, "send(...)", len(data))
                self.inbox.note(f"could not send: {error.strerror}", self.clock())
                return
            else:
                self.inbox.note_sent(data, self.clock())
                return

    def act(self, step: Step, deadline: float) -> None:  # noqa: ARG002  # one signature for all
        """Carry out a step on this client's conversation; the socket belongs to all clients."""
        self.check_open(step.text)
        if isinstance(step, kinds.Close):
            self.is_closed = True
        elif isinstance(step, kinds.Stall | kinds.Resume):
            self.is_stalled = isinstance(step, kinds.Stall)
        self.inbox.note(step.method, self.clock())

    def is_readable(self, seconds: float) -> bool:
        """Wait: nothing comes except by `receive()`. Raises ServerStopped."""
        self.sleep(seconds)
        return False

    def sleep(self, seconds: float) -> None:
        """Wait for `seconds`. Raises ServerStopped."""
        with resting([connection_of(self.request)], self.clock() + seconds):
            self._stop_event.sleep(seconds, getattr(self.sock, "selecting_hub", None))


@contextlib.contextmanager
def resting(connections: Iterable[Connection | None], until: float) -> Iterator[None]:
    """Record that the script does nothing on these connections until then, so that nothing waits for their ends."""
    known = [each for each in connections if each is not None]
    for each in known:
        each.rest(until)
    try:
        yield
    finally:
        for each in known:
            each.rest(0.0)
