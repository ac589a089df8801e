"""One script being played by a fake, and its progress in the recording."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager

from windsock.endpoints.outcomes import Outcome
from windsock.errors import PeerError
from windsock.fakes.replies import Answer
from windsock.fakes.server_endpoint import ServerDatagram, ServerStopped, ServerStream, StopEvent
from windsock.net.callbacks import nothing
from windsock.net.deadlines import latest
from windsock.net.system import monotonic
from windsock.recording import Connection
from windsock.recording.events import Kind, ScriptState
from windsock.scripts import Action, Progress, Script, ScriptMismatch, ScriptTimeout, Transmit, Wait
from windsock.security.handshake_info import HandshakeFailed

__all__ = ["ScriptRun", "can_go_on", "perform"]

BY_STOPPING = ("received the end", "was reset")
"""The events that the server's own stop causes at this end."""


def perform(script: Script, end: ServerStream | ServerDatagram, timeout: float) -> None:
    """Play a script. Raises ScriptMismatch, ScriptTimeout, ServerStopped, HandshakeFailed."""
    _play(Progress(script, end.inbox, timeout=timeout, limit=latest(), can_be_stopped=True), end)


def can_go_on(greeting: Answer | None, end: ServerStream, timeout: float) -> bool:
    """Send the greeting before a script; return whether the script can continue."""
    plan = None if greeting is None else greeting.plan(b"", end.inbox.conversation)
    if plan is not None:
        try:
            perform(plan if isinstance(plan, Script) else Script().send(plan), end, timeout)
        except ServerStopped:
            return False
    return not end.is_closed


def _play(progress: Progress, end: ServerStream | ServerDatagram) -> None:
    end.prepare_for(progress)
    try:
        while (action := progress.next(monotonic())) is not None:
            _perform(action, progress, end)
    except ScriptTimeout as error:
        end.ended_as(Outcome.TIMEOUT)
        if error.is_cut:  # the test is over: what it waits for is no fault of the client's
            raise ServerStopped from error
        raise


def _perform(action: Action, progress: Progress, end: ServerStream | ServerDatagram) -> None:
    try:
        if isinstance(action, Wait):
            end.check_open("a step")
            end.wait(action.until, action.event)
        elif isinstance(action, Transmit):
            end.transmit(action.data, action.deadline, is_urgent=action.is_urgent)
        else:
            end.act(action.step, action.deadline)
    except TimeoutError as error:
        raise progress.timed_out(monotonic(), str(error) or "it was not finished") from None
    except HandshakeFailed:
        raise  # ends the request, and is no error: the client refused the handshake
    except PeerError as error:
        raise progress.stopped(str(error), monotonic()) from error


class ScriptRun:
    """The script of a whole connection, whose progress is recorded.

    A connection's `played` starts with a word: "begun", "resting", "done", "failed", "stopped". The record of it starts
    with the name of the script, `whose`.
    """

    def __init__(
        self,
        script: Script,
        end: ServerStream | ServerDatagram,
        connection: Connection,
        *,
        timeout: float,
        stop_event: StopEvent,
        whose: str,
    ) -> None:
        self._end = end
        self._connection = connection
        self._stop_event = stop_event
        self._rests = False
        self.name = whose
        end.before_wait = self._look
        self.progress: Progress = Progress(
            script, end.inbox, timeout=timeout, limit=latest(), can_be_stopped=True, whose=f"{whose}, "
        )

    def run(self) -> None:
        """Play the script. Raises ScriptMismatch or ScriptTimeout, unless the server's stop ends it."""
        with self._noting():
            _play(self.progress, self._end)

    def _look(self) -> None:
        """Before a wait, record whether the other end may end the conversation now: a loop waits for its next round."""
        rests = self.progress.cursor.is_between_rounds
        if rests is not self._rests:
            self._rests = rests
            self._note(ScriptState.RESTING if rests else ScriptState.BEGUN)

    @contextmanager
    def _noting(self) -> Iterator[None]:
        self._note(ScriptState.BEGUN)
        state = ScriptState.STOPPED
        try:
            yield
            self.check_rest()
            state = ScriptState.DONE
        except ServerStopped:
            state = self._when_stopped()
        except (ScriptMismatch, ScriptTimeout):
            if self._stop_event.is_set() and self._end.inbox.has_ended:
                state = self._when_stopped()
                return
            state = ScriptState.FAILED
            raise
        except HandshakeFailed:
            raise
        except BaseException:
            state = ScriptState.STOPPED if self._stop_event.is_set() else ScriptState.FAILED
            raise
        finally:
            self._note(state)
            self._end.before_wait = nothing

    def check_rest(self) -> None:
        """Check that no more has come than the script expects, unless the script has closed the connection."""
        end = self._end
        if end.inbox.is_datagram:
            return  # they may start another script
        if not (end.is_closed or end.is_stalled or end.inbox.has_ended or end.inbox):
            end.wait(monotonic())
        if end.inbox and not (end.is_closed or end.is_stalled):
            raise self.progress.stopped("more came after this last step", monotonic())

    def _when_stopped(self) -> ScriptState:
        """Return the state after the server's stop: done, if it was only waiting for another round."""
        is_done = self.progress.cursor.is_done or self.progress.cursor.is_between_rounds
        return ScriptState.DONE if is_done else ScriptState.STOPPED

    def _note(self, state: ScriptState) -> None:
        text = f"{self.name}: {state}"
        if state is ScriptState.FAILED:
            text += f" at {self.progress.cursor.where}"
        elif state is ScriptState.STOPPED:
            text += f" {self.place()}"
        self._connection.note(Kind.SCRIPT, text.encode())

    @property
    def is_acting(self) -> bool:
        """Whether it does something that is its own turn, such as a send."""
        return not (self.progress.cursor.is_done or self.progress.cursor.is_expecting)

    def place(self) -> str:
        """Return in words where it stands, and what went before."""
        cursor = self.progress.cursor
        return f"at {cursor.where}" + ("" if cursor.is_done else f"\n{self._what_went_before()}")

    def _what_went_before(self) -> str:
        failure = self.progress.stopped("", monotonic()).failure
        deeds = failure.deeds
        if deeds and deeds[-1].what.startswith(BY_STOPPING):
            deeds = deeds[:-1]
        return str(dataclasses.replace(failure, deeds=deeds)).partition("\n")[2]
