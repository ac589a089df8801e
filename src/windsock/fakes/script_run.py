"""One script being played by a fake, and what is said of it in the recording."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager

from windsock.endpoints.outcomes import Outcome
from windsock.errors import PeerError
from windsock.fakes.server_endpoint import ServerDatagram, ServerStopped, ServerStream, StopEvent, nothing
from windsock.net.deadlines import latest
from windsock.net.system import monotonic
from windsock.recording import Connection
from windsock.recording.events import Kind
from windsock.scripts import Action, Progress, Script, ScriptMismatch, ScriptTimeout, Transmit, Wait
from windsock.security.handshake_info import HandshakeFailed

__all__ = ["ScriptRun", "perform"]

BY_STOPPING = ("received the end", "was reset")
"""What the server's own stop looks like from here."""


def perform(script: Script, end: ServerStream | ServerDatagram, timeout: float, whose: str = "") -> Progress:
    """Play a script to its end; return its progress. Raises ScriptMismatch, ScriptTimeout, Halted, HandshakeFailed."""
    progress = Progress(script, end.inbox, timeout=timeout, limit=latest(), whose=whose)
    _play(progress, end)
    return progress


def _play(progress: Progress, end: ServerStream | ServerDatagram) -> None:
    try:
        while (action := progress.next(monotonic())) is not None:
            _perform(action, progress, end)
    except ScriptTimeout:
        end.ended_as(Outcome.TIMEOUT)
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
        raise progress.timed_out(monotonic(), str(error) or "it took too long") from None
    except HandshakeFailed:
        raise  # which ends a request, and is no error: the client did not like us
    except PeerError as error:
        raise progress.stopped(str(error), monotonic()) from error


class ScriptRun:
    """The one script that a connection is there for: what comes of it is noted in the recording.

    What `played` says of a connection begins with a word: "begun", "resting", "done", "failed", "stopped".
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
        end.before_wait = self._look
        self.progress = Progress(script, end.inbox, timeout=timeout, limit=latest(), whose=f"{whose}, ")

    def run(self) -> None:
        """Play it. Raises ScriptMismatch or ScriptTimeout, unless it is the server's stop that ends it."""
        with self._noting():
            _play(self.progress, self._end)

    def _look(self) -> None:
        """Before a wait, note whether all is well if the other end says no more: a loop waits for its next round."""
        rests = self.progress.is_between_rounds
        if rests is not self._rests:
            self._rests = rests
            self._note("resting" if rests else "begun")

    @contextmanager
    def _noting(self) -> Iterator[None]:
        self._note("begun")
        word = "stopped"
        try:
            yield
            self.check_rest()
            word = "done"
        except ServerStopped:
            word = self._when_stopped()
        except (ScriptMismatch, ScriptTimeout):
            if self._stop_event.is_set() and self._end.inbox.has_ended:
                word = self._when_stopped()
                return
            word = "failed"
            raise
        except HandshakeFailed:
            raise
        except BaseException:
            word = "stopped" if self._stop_event.is_set() else "failed"
            raise
        finally:
            self._note(word)
            self._end.before_wait = nothing

    def check_rest(self) -> None:
        """Look whether more has come than the script expects, unless it has closed the connection itself."""
        end = self._end
        if end.inbox.is_datagram:
            return  # they may begin another script
        if not (end.is_closed or end.is_stalled or end.inbox.has_ended or end.inbox):
            end.wait(monotonic())
        if end.inbox and not (end.is_closed or end.is_stalled):
            raise self.progress.stopped("more came after this last step", monotonic())

    def _when_stopped(self) -> str:
        """Return what the server's stop has made of it: nothing, if it was only waiting for another round."""
        return "done" if self.progress.is_done or self.progress.is_between_rounds else "stopped"

    def _note(self, word: str) -> None:
        text = word
        if word in ("failed", "stopped"):
            text = f"{word} at {self.progress.where}"
        if word == "stopped" and not self.progress.is_done:
            text += f"\n{self._what_went_before()}"
        self._connection.note(Kind.SCRIPT, text.encode())

    def _what_went_before(self) -> str:
        failure = self.progress.stopped("", monotonic()).failure
        deeds = failure.deeds
        if deeds and deeds[-1].what.startswith(BY_STOPPING):
            deeds = deeds[:-1]
        return str(dataclasses.replace(failure, deeds=deeds)).partition("\n")[2]
