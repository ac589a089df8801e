"""A fake server: receives messages, and answers them by rules, replies and scripts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Unpack

from windsock.errors import UsageError
from windsock.fakes import patterns
from windsock.fakes.datagram_replies import DatagramReplies
from windsock.fakes.datagram_sessions import DatagramSessions
from windsock.fakes.errors import FramingMissing, UnexpectedConnection
from windsock.fakes.expectations import Expectations
from windsock.fakes.fake_replies import FakeReplies
from windsock.fakes.pace import Pace, Pacing
from windsock.fakes.paced_session import PacedResponder, PacedSession
from windsock.fakes.playable import check_playable
from windsock.fakes.replies import Answer, Delivery, Replied, checked_times, made_answer
from windsock.fakes.responder import Responder
from windsock.fakes.rule_options import RuleOptions
from windsock.fakes.rules import Rule
from windsock.fakes.script_queue import QueuedScript, ScriptQueue
from windsock.fakes.script_run import ScriptRun, can_go_on
from windsock.fakes.server_endpoint import ServerStream, StopEvent
from windsock.fakes.shared_replies import HalfReplies
from windsock.fakes.states import Scope
from windsock.fakes.stream_session import StreamSession
from windsock.net.system import threading
from windsock.protocols.values import as_bytes
from windsock.recording import Connection, Framing, Recorder, preview
from windsock.recording.events import Kind
from windsock.scripts import Script
from windsock.scripts.repr import code_of
from windsock.taps.requests import connection_of

__all__ = ["Fake"]


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
        self._replies = FakeReplies(forks=forks, is_datagram=is_datagram, noted=partial(_note_state, recorder))
        self._responder = Responder(self._replies, framing, is_datagram=is_datagram)
        self.timeout = timeout
        self._script_queue = ScriptQueue(recorder, is_datagram=is_datagram)
        self._stop_event: StopEvent | None = None
        self._sessions: DatagramSessions | None = None
        self._greeting: Answer | None = None
        self._pacing = Pacing(is_datagram=is_datagram)
        self._datagram_replies = DatagramReplies(self._responder, recorder, timeout=timeout)
        self.expectations: Expectations = Expectations(framing, recorder, self._responder, self._script_queue)
        self._outer: list[tuple[Answer | None, Pace | None]] = []
        """What was there before the parts that have begun: the greeting, and the pace."""
        self._lock = threading.Lock()
        self.hand_overs: dict[Connection, Callable[[Any], None]] = {}
        """Functions that get the request of a connection instead of the fake; they return at its end."""

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules, in the order in which they are tried."""
        return self._responder.rules

    @property
    def never_speaks(self) -> bool:
        """Return whether it has nothing to send: it takes everything, and answers nothing."""
        return not (self._responder or self._replies.plays_too or self._greeting)

    @property
    def idle_seconds(self) -> float | None:
        """The time after which it ends a connection on which no message comes; None if it does not."""
        idle = self._pacing.pace.idle if self._pacing.pace is not None else None
        return None if idle is None else idle.seconds

    # --- rules, replies and scripts

    def on(self, pattern: object, options: RuleOptions) -> Rule:
        """Create a rule for bytes, a compiled regular expression over bytes, or a predicate.

        With framing, bytes must equal a message (with or without its line end, delimiter, length prefix or record
        marks), and a regular expression must be found in it. Without framing a stream has no messages, and rules are
        for bytes: the first rule whose bytes come next answers. With framing="any" a pattern must match from the first
        byte that has arrived.

        `after`: the number of matches to skip first. `connections`: the connections that the rule is for, by index
        from 0 (an index, a slice, a function of the index); on a datagram server each datagram is a connection.
        `first`: the rule comes before existing rules, not after them. `state`: the state or states in which the rule
        answers, all by default; see `states()`.
        """
        if not isinstance(patterns.checked(pattern), bytes):
            self._check_framing(f"on({code_of(pattern)})")
        with self._lock:
            self._make_stop_event()
            return self._replies.rule(pattern, options)

    def states(self, *, start: str = "start", per: Scope = "connection") -> None:
        """Name the first state, and say what has a state: each connection, or the server as a whole.

        On a datagram server "connection" means the client's address. Raises UsageError if a rule names a state already.
        """
        self._replies.states.choose(start, per)

    def state_table(self) -> list[str]:
        """Return the rules with their states, one a line; nothing if no rule names a state."""
        return self._replies.state_table()

    def reply(self, data: Replied, *, times: int | None = 1, **delivery: Unpack[Delivery]) -> None:
        """Answer the next message, whatever it is; the next `times` messages, or all of them with None.

        For the other options, see Rule.reply.
        """
        answer = made_answer("reply", data, delivery)
        checked_times("reply", times)
        answer.check("reply", is_datagram=self._is_datagram)
        self._check_framing(f"reply({preview(data) if isinstance(data, bytes) else repr(data)})")
        with self._lock:
            self._make_stop_event()
            self._replies.add(answer, times)

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

    def pacing(self) -> Pacing:
        """Return where the order of replies, the idle timeout and the limit of messages are set."""
        with self._lock:
            self._make_stop_event()
            return self._pacing

    def let_datagrams_overtake(self) -> None:
        """Give each delayed reply to a datagram a thread: the server handles one after the other."""
        self._datagram_replies.has_threads = True

    def share(self, replies: HalfReplies) -> None:
        """Answer what nothing of its own answers with replies that another fake has too."""
        with self._lock:
            self._make_stop_event()
            self._responder.shared = replies

    def echo(self) -> None:
        """Answer every message with itself."""
        self._replies.echo()

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
            self._replies.plays_too = True
            if self._is_datagram and self._sessions is None:
                self._sessions = DatagramSessions(server, self._script_queue, self._recorder, stop_event, self.timeout)

    def _make_stop_event(self) -> StopEvent:
        if self._stop_event is None:
            self._stop_event = StopEvent()
        return self._stop_event

    # --- parts: one for each test on a server that outlives it

    def begin_part(self) -> None:
        """Share the answers there are between all parts: each begins with them anew, and need not use them."""
        with self._lock:
            self._outer.append((self._greeting, self._pacing.pace))
            self._replies.begin_part([each.index for each in self._recorder.connections])
            self._script_queue.begin_part()

    def end_part(self) -> None:
        """Remove the answers that came since `begin_part()`."""
        is_quiet = all(each.is_closed for each in list(self._recorder.connections))
        with self._lock:
            self._greeting, self._pacing.pace = self._outer.pop()
            self._replies.end_part(is_quiet=is_quiet)
            self._script_queue.end_part()

    # --- lifecycle

    def stop(self, seconds: float) -> None:
        """End scripts and replies in progress: the server is stopping."""
        if self._stop_event is not None:
            self._stop_event.set()
        if self._sessions is not None:
            self._sessions.stop(seconds)
        self._datagram_replies.stop(seconds)

    def resume(self) -> None:
        """Undo `stop()` after an outage; the scripts that it ended are over."""
        self._script_queue.excuse()
        if self._stop_event is not None:
            self._stop_event.clear()

    def close(self) -> None:
        """Close the descriptors."""
        with self._lock:
            self._replies.close()
            if self._sessions is not None:
                self._sessions.close()
                self._sessions = None
            if self._stop_event is not None:
                self._stop_event.close()

    def plays_on(self, connection: Connection, client_address: Any) -> bool:
        """Return whether a queued script is for a connection or datagram that has just come."""
        if self._sessions is not None:
            return self._sessions.wants(client_address)
        return not self._is_datagram and self._script_queue.is_queued_for(connection.index)

    def place_of(self, connection: int) -> str:
        """Return where the script of an open connection stands; nothing if it has none in this process."""
        return self._script_queue.place_of(connection)

    # --- answering

    def __call__(self, request: Any, client_address: Any, server: Any) -> None:
        """Handle one request, as the constructor of a handler class does."""
        connection = connection_of(request)
        if self.hand_overs and connection is not None and connection in self.hand_overs:
            self.hand_overs.pop(connection)(request)
            return
        if isinstance(request, tuple):
            self._datagram_replies.handle(request, client_address, self._make_stop_event)
            return
        play = None if connection is None else self._script_queue.of(connection.index)
        if play is not None and connection is not None:
            self._play(play, request, server, connection)
            return
        index = -1 if connection is None else connection.index
        if self._script_queue.are_over(index) and not self._responder:
            raise UnexpectedConnection(self._script_queue.count)
        rest = (request, server, index, self._framing, self._make_stop_event, self.timeout)
        if (pace := self._pacing.pace) is None:
            session = StreamSession(self._responder, *rest)
        else:
            session = PacedSession(PacedResponder(self._responder, pace), *rest)
        session.run(self._greeting)

    def _play(self, play: QueuedScript, request: Any, server: Any, connection: Connection) -> None:
        stop_event = self._make_stop_event()
        end = ServerStream(request, server, stop_event)
        if not can_go_on(self._greeting, end, self.timeout()):
            return
        run = ScriptRun(play.script, end, connection, timeout=self.timeout(), stop_event=stop_event, whose=play.label)
        self._script_queue.begin(connection.index, run)
        run.run()


def _note_state(recorder: Recorder, connection: int, state: str) -> None:
    if connection >= 0:
        recorder.numbers.by_index(connection).note(Kind.NOTE, f"is in state {state!r}".encode())
