"""Relays a stream between two connected sockets, both ways, under faults; preserves half-closes and resets."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from windsock.net import sockets
from windsock.net.callbacks import nothing
from windsock.net.event_loop import EventLoop, OnError
from windsock.net.records import keeps_records
from windsock.net.system import socket
from windsock.relay.direction import Delivering, RelayDirection
from windsock.relay.endpoint import RelayEndpoint
from windsock.relay.observers import TrafficObserver
from windsock.relay.record_endpoint import RecordEndpoint
from windsock.relay.scratch import Scratch
from windsock.relay.unix_endpoint import UnixEndpoint

if TYPE_CHECKING:
    from windsock.faults import Chain
    from windsock.faults.items import Attachment, Item
    from windsock.relay.handshake_faults import HandshakeFaults

__all__ = ["StreamRelay"]


def _side_class(end: Any) -> type[RelayEndpoint]:
    """Return the endpoint class for a kind of socket."""
    if isinstance(end, socket.socket):
        return RelayEndpoint if sockets.is_ip(end) else RecordEndpoint if keeps_records(end) else UnixEndpoint
    from windsock.relay.tls import TLSEndpoint

    return TLSEndpoint


class StreamRelay:
    """One connection: two sockets, which it owns, and a direction each way. Lives in its event loop's thread.

    `upward` and `downward` are chains of faults, or None. `client_notes` and `upstream_notes` observe what each end
    sends. The end of the client's stream is sent inside of a `delivering()`. `on_closing` is called just before both
    sockets are closed, and `on_end` after that; `on_error` with an unexpected error, such as one in a fault, which
    resets the connection; `on_look` each time that faults have acted; `on_note` with a description of what came
    besides the bytes, and of what cannot be passed on.
    """

    def __init__(
        self,
        event_loop: EventLoop,
        scratch: Scratch,
        client: Any,
        upstream: Any,
        *,
        upward: Chain | None = None,
        downward: Chain | None = None,
        client_notes: TrafficObserver | None = None,
        upstream_notes: TrafficObserver | None = None,
        delivering: Delivering = contextlib.nullcontext,
        on_closing: Callable[[], object] = nothing,
        on_end: Callable[[StreamRelay], None] | None = None,
        on_error: OnError | None = None,
        on_look: Callable[[], None] = nothing,
        on_note: Callable[[str], object] | None = None,
    ) -> None:
        self.event_loop = event_loop
        self.scratch = scratch
        self.is_over: bool = False
        self.handshake_faults: HandshakeFaults | None = None
        """The faults on a TLS handshake that passes."""
        self.on_look = on_look
        self._on_closing = on_closing
        self._on_end = on_end
        self._on_error = on_error
        self._on_note = on_note
        self.client: RelayEndpoint = _side_class(client)(self, client, client_notes, is_client=True)
        self.upstream: RelayEndpoint = _side_class(upstream)(self, upstream, upstream_notes, is_client=False)
        self.up: RelayDirection = RelayDirection(self, self.client, self.upstream, upward)
        self.down: RelayDirection = RelayDirection(self, self.upstream, self.client, downward, delivering)
        self.client.flow = self.upstream.inflow = self.up
        self.client.inflow = self.upstream.flow = self.down

    def start(self) -> None:
        """Start relaying; in the event loop's thread."""
        try:
            for flow in (self.up, self.down):
                flow.pump()  # a fault may act without waiting for data
            self.client.update()
            self.upstream.update()
        except BaseException as error:
            self.broke(error)

    def refresh(self, now: float) -> None:
        """Apply changes of the fault set."""
        try:
            self.up.refresh(now)
            self.down.refresh(now)
        except BaseException as error:
            self.broke(error)

    def guarded(self, action: Callable[[], object]) -> None:
        """Call an action; an error of it ends the relay."""
        try:
            action()
        except BaseException as error:
            self.broke(error)

    def delivers_by(self, time: float) -> bool:
        """Return whether data of the client reaches the server by `time`."""
        return not self.is_over and self.up.delivers_by(time)

    def sockets(self) -> tuple[Any, Any]:
        """Return the sockets that a forked child must close."""
        return self.client.socket, self.upstream.socket

    def send_down(self, *items: memoryview | Item) -> None:
        """Send the client data, or an end, that does not come from the server."""
        self.down.out += items
        self.down.drain()

    def note(self, words: str) -> None:
        """Report what came besides the bytes, or could not be passed on."""
        if self._on_note is not None:
            self._on_note(words)

    def lose(self, attached: Attachment | None) -> None:
        """Release what came with bytes that are not passed on, and report that."""
        if attached is not None:
            self.note(f"{attached} {attached.verb}: the bytes that came with it were not passed on")
            attached.close()

    def finish_if_done(self) -> None:
        """Close both ends if nothing more will be written either way."""
        if self.up.has_ended and self.down.has_ended and not self.up.out and not self.down.out:
            self.finish()

    def finish(self) -> None:
        """Close both ends normally."""
        self._close(orderly=True)

    def reset(self) -> None:
        """Reset both ends."""
        self._close(orderly=False)

    def broke(self, error: BaseException) -> None:
        """Report an error in a fault or in the relay, and reset the connection."""
        try:
            if self._on_error is not None:
                self._on_error(error)
        finally:
            self.reset()

    def _close(self, *, orderly: bool) -> None:
        if self.is_over:
            return
        self.is_over = True
        for flow in (self.up, self.down):
            flow.close()
        on_end, self._on_end, self._on_error, self._on_note = self._on_end, None, None, None  # avoids reference cycles
        self._on_closing()
        try:
            for side in (self.client, self.upstream):
                side.close(orderly=orderly)
                side.notes = None
        finally:
            if on_end is not None:
                on_end(self)
