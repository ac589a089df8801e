"""What a fake expects: whether it may still be met, and what of it was not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from windsock.errors import RecordingFailed
from windsock.fakes.errors import Unmet, UnreachableRule
from windsock.fakes.responder import Responder
from windsock.fakes.script_queue import ScriptQueue
from windsock.fakes.server_endpoint import ready_among
from windsock.fakes.unfinished import unfinished
from windsock.net.deadlines import within
from windsock.net.system import monotonic
from windsock.recording import Framing, Recorder

__all__ = ["Expectations"]

GRACE = 1.0
"""Seconds that a stopping server gives to messages in transit."""
LOOK = 0.05
"""Seconds between two checks for clients."""


class Expectations:
    """The rules, replies and scripts of a fake, as far as they were used."""

    def __init__(
        self, framing: Framing | None, recorder: Recorder, responder: Responder, script_queue: ScriptQueue
    ) -> None:
        self._framing = framing
        self._recorder = recorder
        self._responder = responder
        self._script_queue = script_queue

    def settle(self, server: Any, seconds: float) -> None:
        """Wait a moment for messages in transit, which may meet expectations. Without clients, do not wait."""
        deadline = monotonic() + within(min(seconds, GRACE))
        quiet = 0
        while quiet < 2 and monotonic() < deadline:
            if self._recorder.waiters.wait_until(self._is_decided, min(LOOK, deadline - monotonic())):
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

    def unreachable(self) -> list[UnreachableRule]:
        """Return the rules that no message can reach because of their states."""
        return self._responder.replies.unreachable()

    def unmet(self) -> list[Unmet]:
        """Return the expectations that were not met."""
        self._script_queue.wait_for_actions()
        found = self._unmet(is_final=True)
        if found and not self._responder.is_datagram:
            with contextlib.suppress(RecordingFailed):  # the error is reported elsewhere
                begun = unfinished(self._recorder, self._framing, self._responder)
                found[0] += "".join(f"\n  {each}" for each in begun)
        return [Unmet(each) for each in found]

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
