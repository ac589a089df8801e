"""A fake server: receives messages, and answers them by rules, replies and scripts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Unpack

from windsock.errors import RecordingFailed, UsageError
from windsock.fakes import patterns
from windsock.fakes.datagram_sessions import DatagramSessions
from windsock.fakes.errors import FramingMissing, UnexpectedConnection, Unmet
from windsock.fakes.playable import check_playable
from windsock.fakes.replies import Answer, Delivery, checked_times, made_answer
from windsock.fakes.responder import Responder
from windsock.fakes.rules import Connections, Rule, checked_after, checked_connections
from windsock.fakes.script_queue import QueuedScript, ScriptQueue
from windsock.fakes.script_run import ScriptRun, perform
from windsock.fakes.server_endpoint import ServerDatagram, ServerStopped, ServerStream, StopEvent, ready_among
from windsock.fakes.stream_session import StreamSession
from windsock.fakes.unfinished import unfinished
from windsock.net import addresses, sockets
from windsock.net.deadlines import within
from windsock.net.system import monotonic, threading
from windsock.protocols.values import Sendable, as_bytes
from windsock.recording import Connection, Framing, Recorder, preview
from windsock.scripts import Script
from windsock.scripts.repr import code_of
from windsock.taps.requests import connection_of

__all__ = ["Fake"]

GRACE = 1.0
"""Seconds that a stopping server gives to messages in transit."""
LOOK = 0.05
"""Seconds between two checks for clients."""


class Fake:
    """Answers for a server without a handler; each instance is its server's RequestHandlerClass.

    A connection with a script of its own plays that. On all others, rules come first, in the order in which they were
    created, then the queued replies, then the echo. Without any of them, everything is received and nothing answered. A
    forked child knows the rules and scripts that were added before its client connected.
    """

    def __init__(
        self,
        framing: Framing | None,
        recorder: Recorder,
        *,
        forks: bool,
        is_datagram: bool = False,
        timeout: Callable[[], float] = lambda: 5.0,
    ) -> None:
        self._framing = framing
        self._recorder = recorder
        self._is_datagram = is_datagram
        self._responder = Responder(framing, forks=forks, is_datagram=is_datagram)
        self.timeout = timeout
        self._script_queue = ScriptQueue(recorder, is_datagram=is_datagram)
        self._stop_event: StopEvent | None = None
        self._sessions: DatagramSessions | None = None
        self._greeting: Answer | None = None
        self._lock = threading.Lock()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules, in the order in which they are tried."""
        return self._responder.rules

    @property
    def never_speaks(self) -> bool:
        """Return whether it has nothing to send: it takes everything, and answers nothing."""
        return not (self._responder or self._responder.plays_too or self._greeting)

    # --- rules, replies and scripts

    def on(
        self, pattern: object, *, after: int = 0, connections: Connections | None = None, first: bool = False
    ) -> Rule:
        """Create a rule for bytes, a compiled regular expression over bytes, or a predicate.

        With framing, bytes must equal a message (with or without its line end, delimiter, length prefix or record
        marks), and a regular expression must be found in it. Without framing a stream has no messages, and rules are
        for bytes: the first rule whose bytes come next answers. With framing="any" a pattern must match from the first
        byte that has arrived.

        `after`: the number of matches to skip first. `connections`: the connections that the rule is for, by index
        from 0 (an index, a slice, a function of the index); on a datagram server each datagram is a connection.
        `first`: the rule comes before existing rules, not after them.
        """
        checked_after(after)
        which = checked_connections(connections)
        if not isinstance(patterns.checked(pattern), bytes):
            self._check_framing(f"on({code_of(pattern)})")
        with self._lock:
            self._make_stop_event()
            return self._responder.rule(pattern, after=after, connections=which, first=first)

    def reply(
        self,
        data: Sendable,
        *,
        times: int | None = 1,
        **delivery: Unpack[Delivery],
    ) -> None:
        """Answer the next message, whatever it is; the next `times` messages, or all of them with None.

        For the other options, see Rule.reply.
        """
        answer = made_answer("reply", data, delivery)
        checked_times("reply", times)
        answer.check("reply", is_datagram=self._is_datagram)
        self._check_framing(f"reply({preview(data) if isinstance(data, bytes) else repr(data)})")
        with self._lock:
            self._make_stop_event()
            self._responder.add(answer, times)

    def _check_framing(self, call: str) -> None:
        """Raise UsageError if any piece of a stream that arrives would be answered."""
        if self._framing is None and not self._is_datagram:
            raise FramingMissing(call)

    def greet(self, what: object, **delivery: Unpack[Delivery]) -> None:
        """Send this on each new connection before anything else, also before a script that it plays.

        For the options, see Rule.reply.
        """
        if not (isinstance(what, Script) or as_bytes(what)):
            raise UsageError(f"greet({what!r}): expected the bytes to send first, or a Script")
        greeting = made_answer("greet", what, delivery)
        if self._is_datagram:
            raise UsageError("greet(): that is for streams; a datagram server can't speak first")
        greeting.check("greet", is_datagram=False)
        with self._lock:
            self._make_stop_event()
            self._greeting = greeting

    def echo(self) -> None:
        """Answer every message with itself."""
        self._responder.echo()

    def play(self, server: Any, *scripts: Script) -> None:
        """Let the next connections play these scripts, one each, in order."""
        if not scripts:
            raise UsageError("play(): expected a script, or several for as many connections")
        for each in scripts:
            check_playable("play", each, server, is_datagram=self._is_datagram)
        self._prepare(server)
        self._script_queue.queue(scripts)

    def play_all(self, server: Any, script: Script) -> None:
        """Let each connection without a script of its own play this script."""
        check_playable("play_all", script, server, is_datagram=self._is_datagram, has_to_end=True)
        self._prepare(server)
        self._script_queue.for_all(script)

    def _prepare(self, server: Any) -> None:
        """Create what playing needs, before the next fork."""
        with self._lock:
            stop_event = self._make_stop_event()
            self._responder.plays_too = True
            if self._is_datagram and self._sessions is None:
                self._sessions = DatagramSessions(server, self._script_queue, self._recorder, stop_event, self.timeout)

    def _make_stop_event(self) -> StopEvent:
        if self._stop_event is None:
            self._stop_event = StopEvent()
        return self._stop_event

    # --- lifecycle

    def stop(self, seconds: float) -> None:
        """End scripts and replies in progress: the server is stopping."""
        if self._stop_event is not None:
            self._stop_event.set()
        if self._sessions is not None:
            self._sessions.stop(seconds)

    def resume(self) -> None:
        """Undo `stop()` after an outage; the scripts that it ended are over."""
        self._script_queue.excuse()
        if self._stop_event is not None:
            self._stop_event.clear()

    def close(self) -> None:
        """Close the descriptors."""
        with self._lock:
            self._responder.close()
            if self._sessions is not None:
                self._sessions.close()
                self._sessions = None
            if self._stop_event is not None:
                self._stop_event.close()

    def settle(self, server: Any, seconds: float) -> None:
        """Wait a moment for messages in transit, which may meet expectations. Without clients, do not wait."""
        deadline = monotonic() + within(min(seconds, GRACE))
        quiet = 0
        while quiet < 2 and monotonic() < deadline:
            if self._recorder.wait_until(self._is_decided, min(LOOK, deadline - monotonic())):
                return
            quiet = 0 if self._is_busy(server) else quiet + 1

    def _is_decided(self) -> bool:
        return bool(self._recorder.errors) or not self._unmet(is_final=False)

    def _is_busy(self, server: Any) -> bool:
        """Return whether there are clients, accepted or not."""
        if any(not each.is_closed for each in self._recorder.connections):
            return True
        try:
            return bool(ready_among([server.socket.fileno()], 0.0))
        except (AttributeError, OSError, ValueError):  # it has no listener, or no longer
            return False

    def is_waiting(self) -> bool:
        """Return whether a client, or a script, may still go on, and so meet an expectation."""
        return self._script_queue.is_waiting() or any(not each.is_closed for each in self._recorder.connections)

    def unmet(self) -> list[Unmet]:
        """Return the expectations that were not met."""
        self._script_queue.wait_for_actions()
        found = self._unmet(is_final=True)
        if found and not self._is_datagram:
            with contextlib.suppress(RecordingFailed):  # the error is reported elsewhere
                begun = unfinished(self._recorder, self._framing, self._responder)
                found[0] += "".join(f"\n  {each}" for each in begun)
        return [Unmet(each) for each in found]

    def place_of(self, connection: int) -> str:
        """Return where the script of an open connection stands; nothing if it has none in this process."""
        return self._script_queue.place_of(connection)

    def _unmet(self, *, is_final: bool) -> list[str]:
        if not (self._script_queue or self._responder):
            return []
        streams = self._streams() if is_final else ()
        return [*self._script_queue.unmet(is_final=is_final), *self._responder.unmet(streams)]

    def _streams(self) -> Iterator[tuple[int, bytes]]:
        """Yield what came on each connection that played no script, with its index."""
        for each in list(self._recorder.connections):
            if each.played is None:
                yield each.index, each.upstream

    # --- answering

    def __call__(self, request: Any, client_address: Any, server: Any) -> None:
        """Handle one request, as the constructor of a handler class does."""
        connection = connection_of(request)
        if isinstance(request, tuple):
            self._handle_datagram(request, client_address, -1 if connection is None else connection.index)
            return
        play = None if connection is None else self._script_queue.of(connection.index)
        if play is not None and connection is not None:
            self._play(play, request, server, connection)
            return
        index = -1 if connection is None else connection.index
        if self._script_queue.are_over(index) and not self._responder:
            raise UnexpectedConnection(self._script_queue.count)
        conversation = StreamSession(
            self._responder,
            request,
            server,
            index,
            self._framing,
            stop_event=self._make_stop_event,
            timeout=self.timeout,
        )
        conversation.run(self._greeting)

    def _play(self, play: QueuedScript, request: Any, server: Any, connection: Connection) -> None:
        stop_event = self._make_stop_event()
        end = ServerStream(request, server, stop_event)
        if not self._greet(end):
            return
        run = ScriptRun(play.script, end, connection, timeout=self.timeout(), stop_event=stop_event, whose=play.label)
        self._script_queue.begin(connection.index, run)
        run.run()

    def _greet(self, end: ServerStream) -> bool:
        """Send the greeting before a script; return whether the script can continue."""
        plan = None if self._greeting is None else self._greeting.plan(b"")
        if plan is not None:
            try:
                perform(plan if isinstance(plan, Script) else Script().send(plan), end, self.timeout())
            except ServerStopped:
                return False
        return not end.is_closed

    def _handle_datagram(self, request: tuple[bytes, Any], client_address: Any, connection: int) -> None:
        message, server_socket = request
        answer = self._responder.answer(message, connection)
        plan = None if answer is None else answer.plan(message)
        address = addresses.plain(client_address)
        if plan is None or address is None:
            return
        if isinstance(plan, bytes):
            self._send_datagram(server_socket, plan, address)
            return
        end = ServerDatagram(request, client_address, self._make_stop_event())
        try:
            perform(plan, end, self.timeout())
        except ServerStopped:
            pass  # the server stops in the middle of a reply

    def _send_datagram(self, server_socket: Any, data: bytes, address: Any) -> None:
        """Send one datagram. Does not fail if the client is gone."""
        try:
            with contextlib.suppress(ConnectionRefusedError, ConnectionResetError, FileNotFoundError):
                server_socket.sendto(data, address)
        except OSError as error:
            sockets.check_datagram(error, "reply(...)", len(data))
            raise
