"""Scripts over datagrams: each is played with the client that starts it, in a thread of the server's process.

This does not depend on the server's concurrency: a conversation is longer than one request, which is one datagram.
"""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

from windsock.endpoints.endpoint import SLICE
from windsock.fakes.script_queue import QueuedScript, ScriptQueue
from windsock.fakes.script_run import ScriptRun
from windsock.fakes.server_endpoint import ServerDatagram, StopEvent, resting
from windsock.net import addresses
from windsock.net.deadlines import capped
from windsock.net.system import monotonic, threading
from windsock.recording import Recorder
from windsock.recording.events import Kind
from windsock.scripts.steps import Waitable
from windsock.taps.requests import connection_of

__all__ = ["DatagramSessions", "SessionEndpoint"]

Request: TypeAlias = tuple[bytes, Any]


class DatagramSessions:
    """The conversations of one datagram server: intercepts the datagrams that scripts wait for.

    The server's loop and the threads of conversations hold one lock of the `lock_class` while they call `take()`.
    """

    lock_class: ClassVar[Callable[[], contextlib.AbstractContextManager[Any]]] = threading.Lock

    def __init__(
        self,
        server: Any,
        script_queue: ScriptQueue,
        recorder: Recorder,
        stop_event: StopEvent,
        timeout: Callable[[], float],
    ) -> None:
        self._script_queue = script_queue
        self._recorder = recorder
        self.stop_event = stop_event
        self._timeout = timeout
        self._lock = type(self).lock_class()
        self._open: dict[Any, _DatagramSession] = {}
        self._begun: list[_DatagramSession] = []
        """Sessions whose threads may not have ended."""
        self._process = server.process_request
        self._server = server
        server.process_request = self.process_request

    def process_request(self, request: Any, client_address: Any) -> None:
        """Replace the server's method: pass a datagram to its conversation, or else to the server."""
        with self._lock:
            is_taken = self.take(request, client_address)
        if not is_taken:
            self._process(request, client_address)

    def take(self, request: Request, client_address: Any) -> bool:
        """Give a datagram to its conversation, or begin one with it; return whether there is one. With the lock."""
        address = addresses.plain(client_address)
        connection = connection_of(request)
        session = self._open.get(address)
        if session is not None:
            session.end.hear(request)
            return True
        play = self._script_queue.next(connection.index) if connection is not None else None
        if play is None or self.stop_event.is_set():
            return False
        session = self._open[address] = _DatagramSession(self, play, request, client_address)
        session.thread.start()
        self._begun = [each for each in self._begun if each.thread.is_alive()] + [session]
        return True

    def wants(self, client_address: Any) -> bool:
        """Return whether a datagram of this client is for its conversation, or for a queued script."""
        return self._script_queue.has_next or addresses.plain(client_address) in self._open

    def play(self, session: _DatagramSession) -> None:
        """Play the script of one conversation, then process the datagrams left over; the body of its thread."""
        connection = connection_of(session.end.request)
        assert connection is not None
        script_run = ScriptRun(
            session.play.script,
            session.end,
            connection,
            timeout=self._timeout(),
            stop_event=self.stop_event,
            whose=session.play.label,
        )
        self._script_queue.begin(connection.index, script_run)
        has_kept_to_it = False
        try:
            script_run.run()
            has_kept_to_it = not self.stop_event.is_set()
        except BaseException as error:
            self._recorder.failed(connection_of(session.end.request), error)
        finally:
            self._leave(session, has_kept_to_it=has_kept_to_it)

    def _leave(self, session: _DatagramSession, *, has_kept_to_it: bool) -> None:
        """End a conversation: datagrams left over may start another one, or are answered by the fake."""
        address = session.client_address
        with self._lock:  # throughout: later datagrams must not overtake these
            self._open.pop(addresses.plain(address), None)
            left = [each for each in session.end.leave() if not (has_kept_to_it and self.take(each, address))]
        for request in left:
            self._answer(request, address, is_wanted=has_kept_to_it)

    def _answer(self, request: Request, client_address: Any, *, is_wanted: bool) -> None:
        """Let the fake answer in this thread; after a script that failed there is no answer."""
        connection = connection_of(request)
        try:
            if is_wanted:
                self._server.RequestHandlerClass(request, client_address, self._server)
        except BaseException as error:
            self._recorder.failed(connection, error)
        finally:
            if connection is not None:
                connection.note(Kind.CLOSE)

    def stop(self, seconds: float) -> None:
        """Wait for the threads, now that the stop event is set."""
        deadline = monotonic() + seconds
        with self._lock:
            sessions, self._begun = self._begun, []
        for session in sessions:
            session.end.wake()
        for session in sessions:
            session.thread.join(capped(deadline - monotonic()))

    def close(self) -> None:
        """Restore the server's own hook."""
        if getattr(self._process, "__self__", None) is self._server:
            vars(self._server).pop("process_request", None)
        else:
            self._server.process_request = self._process


class _DatagramSession:
    """One conversation: its script, its client, and the datagrams that came for it."""

    def __init__(self, sessions: DatagramSessions, play: QueuedScript, request: Request, client_address: Any) -> None:
        self.play = play
        self.client_address = client_address
        self.end: SessionEndpoint = SessionEndpoint(request, client_address, sessions.stop_event)
        self.thread = threading.Thread(
            target=sessions.play, args=(self,), name=f"windsock script {addresses.show(client_address)}", daemon=True
        )


class SessionEndpoint(ServerDatagram):
    """The fake's endpoint of a conversation: waits for datagrams that the server's loop adds."""

    def __init__(self, request: Request, client_address: Any, stop_event: StopEvent) -> None:
        super().__init__(request, client_address, stop_event)
        self._changed = threading.Condition()
        self._waiting: deque[Request] = deque([request])
        self._rests_until = 0.0

    def hear(self, request: Request) -> None:
        """Add a datagram. From the server's thread."""
        with self._changed:
            self._waiting.append(request)
            self._rest(self._rests_until)
            self._changed.notify_all()

    def wake(self) -> None:
        """Make a waiting thread check whether the server is stopping."""
        with self._changed:
            self._changed.notify_all()

    def wait(self, until: float, event: Waitable | None = None) -> None:
        """Wait for a datagram, or until then. Raises ServerStopped."""
        self.before_wait()
        if self.is_stalled or event is not None:
            self.sleep(min(until - self.clock(), SLICE if event is not None else math.inf))
            return
        with self._changed:
            if not self._has_news():  # everything was processed: it is the client's turn
                with resting([connection_of(self.request)], math.inf):
                    self._changed.wait_for(self._has_news, capped(until - self.clock()))
            self._stop_event.check()
            if self._waiting and not self.inbox:
                self._take_in()

    def sleep(self, seconds: float) -> None:
        """See Endpoint. Datagrams that come meanwhile wait on purpose."""
        with self._changed:
            self._rest(self.clock() + seconds)
        try:
            super().sleep(seconds)
        finally:
            with self._changed:
                self._rest(0.0)

    def _rest(self, until: float) -> None:
        """Note until when nothing is done for any of the waiting datagrams."""
        self._rests_until = until
        for request in (self.request, *self._waiting):
            connection = connection_of(request)
            if connection is not None:
                connection.rest(until)

    def _has_news(self) -> bool:
        return bool(self._waiting and not self.inbox) or self._stop_event.is_set()

    def _take_in(self) -> None:
        """Process one more datagram: replies from here on are to it."""
        request = self._waiting.popleft()
        if request is not self.request:
            self._close_request()
        self.request = request
        self.sock = request[1]
        self.inbox.receive(request[0], self.clock())

    def leave(self) -> list[Request]:
        """Return the datagrams that were not examined or not expected."""
        with self._changed:
            left = list(self._waiting)
            self._waiting.clear()
        if self.inbox:
            left.insert(0, self.request)
        if self.request not in left:
            self._close_request()
        return left

    def _close_request(self) -> None:
        connection = connection_of(self.request)
        if connection is not None:
            connection.note(Kind.CLOSE)
