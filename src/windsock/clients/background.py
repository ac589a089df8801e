"""A script in the background: it plays in its own thread, and its failure is raised once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from windsock.clients.client_endpoint import CalledOff, ClientEndpoint
from windsock.errors import UsageError, WaitTimeout, WindsockError, whole
from windsock.net import deadlines
from windsock.net.async_loops import BlocksLoop, loop_here, running_loop
from windsock.net.event_loop import READABLE
from windsock.net.system import threading
from windsock.net.wakeup import Wakeup
from windsock.scripts import steps as kinds
from windsock.scripts.checks import check_seconds

if TYPE_CHECKING:
    from windsock.scripts import Progress

__all__ = ["Background", "ScriptUnfinished"]

GRACE = 1.0
"""Seconds that a script has to come to its end when its client is about to be closed."""


class ScriptUnfinished(UsageError):
    """A script in the background had not ended when its client was closed. `where` is its position."""

    def __init__(self, where: str) -> None:
        self.where = where
        super().__init__(
            f"{where}: the script in the background was not over when its client was closed; join() it, close() the "
            "client where the script may end in the middle, or pass strict=False"
        )


class Background:
    """One script that is being played in the background: `play_in_background()` returns it.

    `join()` waits for its end and raises its failure. A failure that was not joined is raised when the client or its
    server is finished, unless `strict=False`; so is ScriptUnfinished, if the script does not come to its end within a
    second then.
    """

    def __init__(
        self,
        client: object,
        progress: Progress,
        end: ClientEndpoint,
        play: Callable[[], None],
        *,
        strict: bool,
        timeout: float,
        name: str,
    ) -> None:
        self.strict = strict
        self._client = client  # keeps it open while the script is played
        self._progress = progress
        self._end = end
        self._play = play
        self._timeout = timeout
        self._failure: BaseException | None = None
        self._is_known = False
        self._was_called_off = False
        self._lock = threading.Lock()
        self._is_over = False
        self._waiting: list[Wakeup] = []
        """For tasks that wait for the end."""
        self._thread = threading.Thread(target=self._run, name=f"windsock {name}", daemon=True)

    def __repr__(self) -> str:
        return f"<Background, {'playing' if self.is_playing else 'over'}, at {self.where}>"

    def start(self) -> None:
        """Begin."""
        self._end.can_be_called_off()
        self._thread.start()

    def _run(self) -> None:
        try:
            self._play()
        except CalledOff:
            self._was_called_off = True
        except BaseException as error:  # for join()
            if isinstance(error, WindsockError):  # it says where the script was; the frames of this thread are ours
                error.__traceback__ = None
            self._failure = error
        finally:
            with self._lock:
                self._is_over = True
                for each in self._waiting:
                    each.call()

    @property
    def is_playing(self) -> bool:
        """True while the script is playing."""
        return self._thread.is_alive()

    @property
    def where(self) -> str:
        """The position in words: "step 2 of 3, expect(b'OK')"."""
        return self._progress.cursor.where

    @property
    def is_done(self) -> bool:
        """True once all steps have been taken."""
        return self._progress.cursor.is_done

    @property
    def failure(self) -> BaseException | None:
        """The failure, if there is one. Reading it does not count as handling it."""
        return self._failure

    def join(self, timeout: float | None = None) -> None:
        """Wait for the end of the script. Raises its failure, or WaitTimeout after `timeout` seconds.

        Without a timeout, the deadlines of the steps and the time of the test bound the wait. Raises BlocksLoop if it
        would have to wait in the thread of a running event loop.
        """
        __tracebackhide__ = True
        if timeout is not None:
            check_seconds(f"join(timeout={timeout!r})", timeout, or_none=True)
        seconds = deadlines.within(math.inf if timeout is None else timeout)
        if self.is_playing and seconds > 0 and (loop := running_loop()):
            raise BlocksLoop("join()", loop, "await join_async()")
        self._thread.join(deadlines.capped(seconds))
        self._end_of_join(timeout)

    async def join_async(self, timeout: float | None = None) -> None:
        """Wait as `join()` does, while the event loop of asyncio or trio goes on."""
        __tracebackhide__ = True
        if timeout is not None:
            check_seconds(f"join_async(timeout={timeout!r})", timeout, or_none=True)
        loop = loop_here("join_async()")
        until = loop.now() + deadlines.capped(deadlines.within(math.inf if timeout is None else timeout))
        is_over = Wakeup()
        try:
            self._call_at_the_end(is_over)
            await loop.wait_ready([(is_over.fileno(), READABLE)], until)
        finally:
            with self._lock:
                self._waiting.remove(is_over)
            is_over.close()
        if self._is_over:
            self._thread.join()  # it has nothing left to do
        self._end_of_join(timeout)

    def _call_at_the_end(self, wakeup: Wakeup) -> None:
        with self._lock:
            self._waiting.append(wakeup)
            if self._is_over:
                wakeup.call()

    def _end_of_join(self, timeout: float | None) -> None:
        __tracebackhide__ = True
        if self._thread.is_alive():
            raise self._still_playing(timeout)
        self._is_known = True
        if self._failure is not None:
            raise self._failure

    def _still_playing(self, timeout: float | None) -> WaitTimeout:
        is_cut = deadlines.is_over()
        when = "the time of the test is over" if timeout is None else f"after {whole(timeout, is_cut=is_cut)}"
        error = WaitTimeout(f"join(): the script is still at {self.where}{', and' if timeout is None else ''} {when}")
        error.is_cut = is_cut
        return error

    def call_off(self) -> None:
        """End it wherever it is, and wait for that."""
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._end.call_off()
            self._thread.join(deadlines.capped(deadlines.to_stop(self._timeout)))

    def leave(self) -> None:
        """End it because its client is closed: a strict one that is in the middle then has failed."""
        if self.strict and not self._loops_for_ever:
            self._thread.join(deadlines.within(min(GRACE, self._timeout)))
        is_in_the_middle = self.is_playing
        self.call_off()
        was_early = is_in_the_middle and not deadlines.is_over()
        if was_early and self._was_called_off and not self._progress.cursor.is_between_rounds:
            self._failure = ScriptUnfinished(self.where)

    @property
    def _loops_for_ever(self) -> bool:
        return any(isinstance(each, kinds.Loop) and each.times is None for each in self._progress.cursor.script.steps)

    def unheard(self) -> BaseException | None:
        """Return the failure once, if it was not raised yet, and is more than that the test's time is over."""
        if self._is_known or not self.strict:
            return None
        self._is_known = True
        return None if getattr(self._failure, "is_cut", False) else self._failure
