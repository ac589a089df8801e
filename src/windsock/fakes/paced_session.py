"""One connection of a fake whose replies may overtake each other, or that has an idle timeout or a limit of messages.

It does all of that in the connection's own thread, process or greenlet: it waits for data until the next reply is due.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from windsock.fakes.pace import Idle, Pace
from windsock.fakes.pending_replies import PendingReplies, PendingReply
from windsock.fakes.replies import Answer
from windsock.fakes.responder import Responder
from windsock.fakes.server_endpoint import resting
from windsock.fakes.stream_session import StreamSession, mark_exchange
from windsock.net.deadlines import LONGEST
from windsock.net.system import monotonic
from windsock.recording.events import Kind
from windsock.scripts import Script
from windsock.taps.requests import connection_of

__all__ = ["PacedResponder", "PacedSession"]


class PacedResponder:
    """The responder of one connection: counts its messages, and answers those beyond the limit."""

    def __init__(self, responder: Responder, pace: Pace) -> None:
        self._responder = responder
        self.protocol = responder.protocol
        self.pace = pace
        self.count: int = 0
        """The number of messages so far."""

    @property
    def has_had_all(self) -> bool:
        """Return whether there have been as many messages as the limit allows."""
        return self.pace.limit is not None and self.count >= self.pace.limit.messages

    def answer(self, message: bytes, connection: int) -> Answer | None:
        """See Responder."""
        is_beyond = self.has_had_all
        self.count += 1
        return self._last_answer() if is_beyond else self._responder.answer(message, connection)

    def answer_start(self, arrived: bytes, connection: int, *, is_all: bool = False) -> tuple[int, Answer | None]:
        """See Responder."""
        if self.has_had_all:
            self.count += 1
            return len(arrived), self._last_answer()
        size, answer = self._responder.answer_start(arrived, connection, is_all=is_all)
        self.count += size > 0
        return size, answer

    def _last_answer(self) -> Answer | None:
        limit = self.pace.limit
        return None if limit is None or not limit.has_reply else limit.answer


class PacedSession(StreamSession):
    """One stream connection of a fake that does more than answer each message in turn; see StreamSession."""

    def __init__(self, responder: PacedResponder, *rest: Any) -> None:
        super().__init__(responder, *rest)
        self._paced = responder
        self._pace = responder.pace
        self._idle = responder.pace.idle
        self._pending = PendingReplies()
        self._since = monotonic()
        """When the latest message was answered."""
        self._arrived = b""
        """Data that came while a pending reply was sent."""

    # --- waiting

    def _receive(self) -> bytes:
        """Return the next data, b"" at the end. Replies that become due are sent meanwhile."""
        end = self._endpoint()
        while True:
            self._send_due()
            if self._arrived:
                data, self._arrived = self._arrived, b""
                return data
            if end.inbox and not self._is_over:
                return end.inbox.take(len(end.inbox.unread))
            if self._is_over or end.inbox.has_ended:
                return b""
            end.wait(min(self._pending.due, self._idle_until(), monotonic() + LONGEST))
            self._request.settimeout(None)
            is_quiet = not end.inbox and not end.inbox.has_ended
            if is_quiet and self._idle is not None and monotonic() >= self._idle_until():
                self._end_idle(self._idle)

    def _idle_until(self) -> float:
        return math.inf if self._idle is None or self._pending else self._since + self._idle.seconds

    def _end_idle(self, idle: Idle) -> None:
        self._idle = None  # after a half-close the client may still send
        self._note(f"no message for {idle.seconds:g} s")
        self._end_with(idle.answer)

    def _end_with(self, answer: Answer) -> None:
        plan = super()._plan(answer, b"")
        if isinstance(plan, Script):
            self._arrived += self._perform(plan, b"")

    def _note(self, words: str) -> None:
        connection = connection_of(self._request)
        if connection is not None:
            connection.note(Kind.NOTE, words.encode())

    # --- replies

    def _plan(self, answer: Answer | None, message: bytes) -> bytes | Script | None:
        """Return the reply to send now, if it is not to be sent later."""
        unordered, limit = self._pace.unordered, self._pace.limit
        is_greeting = not self._paced.count
        if limit is not None and answer is limit.answer:
            self._flush()
        if unordered is None or answer is None or is_greeting or isinstance(answer.what, Script):
            return super()._plan(answer, message)
        key = unordered.key_of(message)
        if not answer.delay and not self._pending.holds_up(key):
            return super()._plan(answer, message)
        plan = super()._plan(replace(answer, delay=0.0), message)
        if plan is not None:
            self._pending.add(PendingReply(monotonic() + answer.delay, self._paced.count, key, plan))
        return None

    def _answered(self) -> None:
        """After each message: end the connection if it was the last one."""
        self._since = monotonic()
        limit = self._pace.limit
        if limit is not None and not limit.has_reply and self._paced.count == limit.messages and not self._is_over:
            self._flush()
            self._note(f"had {limit.messages} message{'' if limit.messages == 1 else 's'}")
            self._end_with(limit.answer)

    def _send_due(self) -> None:
        while not self._is_over and (reply := self._pending.take(monotonic())) is not None:
            mark_exchange(self._request, reply.number)
            if isinstance(reply.plan, Script):
                self._arrived += self._perform(reply.plan, b"")
            else:
                self._send(reply.plan)
            mark_exchange(self._request, self._paced.count)
            self._since = monotonic()

    def _flush(self) -> None:
        """Send all pending replies, each when it is due, unless the client has reset the connection."""
        end = self._endpoint()
        while self._pending and not (self._is_over or end.inbox.was_reset):
            with resting([connection_of(self._request)], self._pending.due):
                end.sleep(self._pending.due - monotonic())
            self._send_due()

    def _finish(self) -> None:
        """Send what is pending when the client has ended its stream."""
        self._flush()
        count = len(self._pending)
        if count:
            replies = "1 delayed reply was" if count == 1 else f"{count} delayed replies were"
            self._note(f"{replies} not sent: the connection was over")
