"""Plays a script on an endpoint, in a thread that may block."""

from __future__ import annotations

from collections.abc import Callable

from windsock.endpoints.datagram import DatagramEndpoint
from windsock.endpoints.outcomes import Outcome
from windsock.endpoints.stream import StreamEndpoint
from windsock.errors import PeerError
from windsock.net.system import monotonic
from windsock.scripts import Act, Action, Progress, Transmit, Wait
from windsock.scripts.failures import ScriptTimeout

__all__ = ["play"]


def play(
    progress: Progress,
    end: StreamEndpoint | DatagramEndpoint,
    clock: Callable[[], float] = monotonic,
) -> None:
    """Play a script to its end. Raises ScriptMismatch, ScriptTimeout, or UsageError for an impossible step."""
    __tracebackhide__ = True  # pytest leaves such frames out
    try:
        while (action := progress.next(clock())) is not None:
            perform(action, progress, end, clock)
    except ScriptTimeout:
        end.ended_as(Outcome.TIMEOUT)
        raise


def perform(
    action: Action, progress: Progress, end: StreamEndpoint | DatagramEndpoint, clock: Callable[[], float]
) -> None:
    """Carry out one action."""
    __tracebackhide__ = True
    try:
        if isinstance(action, Wait):
            end.check_open("a step")
            end.wait(action.until, action.event)
        elif isinstance(action, Transmit):
            end.transmit(action.data, action.deadline, is_urgent=action.is_urgent)
        else:
            assert isinstance(action, Act)
            end.act(action.step, action.deadline)
    except TimeoutError as error:
        raise progress.timed_out(clock(), str(error) or "it took too long") from None
    except PeerError as error:  # a handshake that failed
        raise progress.stopped(str(error), clock()) from error
