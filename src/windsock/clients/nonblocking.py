"""Runs a script over a socket that never blocks: a generator that yields what to wait for, for any event loop."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple, TypeAlias

from windsock.clients.client_endpoint import NO_HANDSHAKE, ClientDatagramEndpoint, ClientStreamEndpoint
from windsock.endpoints.endpoint import SLICE
from windsock.endpoints.outcomes import Outcome
from windsock.endpoints.stream import NO_END_OF_TLS
from windsock.errors import PeerError
from windsock.net import abort
from windsock.net.async_loops import running_loop
from windsock.net.event_loop import READABLE, WRITABLE
from windsock.scripts import Act, Close, Progress, Reset, ScriptTimeout, StartTLS, StopTLS, Transmit, Wait
from windsock.scripts.steps import Waitable

__all__ = ["Need", "OwnEnd", "Run", "blocked_loop", "carry_out", "play", "play_blocking", "say_goodbye", "start_tls"]

GOODBYE = 1.0
"""Seconds in which the other end may take the end of TLS."""
OwnEnd: TypeAlias = ClientStreamEndpoint | ClientDatagramEndpoint


class Need(NamedTuple):
    """Resume when the socket is ready for `events`, when `event` is set, or at the time `until`; earlier is allowed.

    Without `events` the next thing to happen may be that the socket is closed: stop watching its descriptor first.
    """

    events: int
    until: float
    event: Waitable | None = None


Run: TypeAlias = Generator[Need, int | None, None]
"""Is sent a true value if the socket is ready, else None. Times are those of the endpoint's clock."""


def play(progress: Progress, end: OwnEnd) -> Run:
    """Run a script to its end. Raises ScriptMismatch, ScriptTimeout, or UsageError for a step that can't be taken."""
    __tracebackhide__ = True
    clock = end.clock
    end.prepare_for(progress)
    try:
        while (action := progress.next(clock())) is not None:
            try:
                if isinstance(action, Transmit):
                    data, is_urgent = action.data, action.is_urgent
                    end.check_may_send(data, is_urgent=is_urgent)
                    sent = end.try_to_send(data, is_urgent=is_urgent)
                    if sent == len(data) and not end.is_gone:
                        end.inbox.note_sent(data, clock())
                    else:
                        yield from _send_rest(end, action, sent)
                elif isinstance(action, Act):
                    yield from _act(end, action)
                elif not end.is_plain or action.event is not None:
                    yield from _wait(end, action)
                elif (yield Need(READABLE, action.until)):  # the same in the most frequent case, but faster
                    end.read()
            except TimeoutError as error:
                raise progress.timed_out(clock(), str(error) or "it was not finished") from None
            except PeerError as error:
                raise progress.stopped(str(error), clock()) from error
    except ScriptTimeout:
        end.ended_as(Outcome.TIMEOUT)
        raise


def play_blocking(progress: Progress, end: OwnEnd) -> None:
    """Run a script in this thread, which waits. Raises what `play()` raises, and CalledOff."""
    __tracebackhide__ = True
    end.not_block()
    try:
        carry_out(play(progress, end), end)
    except ScriptTimeout as error:
        if words := blocked_loop():
            raise ScriptTimeout(replace(error.failure, why=f"{error.failure.why}; {words}")) from None
        raise


def blocked_loop() -> str:
    """Return what to say of a wait in vain that has blocked the event loop of this thread; "" if none runs."""
    loop = running_loop()
    if not loop:
        return ""
    name = "AsyncioClient" if loop == "asyncio" else "TrioClient"
    return (
        f"this blocked the {loop} loop that runs in this thread, so the other end could not answer if it is in the "
        f"loop; then write: async with windsock.{name}(address) as client"
    )


def carry_out(run: Run, end: OwnEnd) -> None:
    """Carry out a run in this thread, waiting for what it needs. Raises CalledOff."""
    __tracebackhide__ = True
    is_ready: int | None = None
    with suppress(StopIteration):
        while True:
            events, until, event = run.send(is_ready)
            seconds = until - end.clock()
            if event is not None:
                seconds = min(seconds, SLICE)
            if events:
                is_ready = end.ready(events, seconds)
            else:
                is_ready = None
                end.sleep(seconds)


def _send_rest(end: OwnEnd, action: Transmit, taken: int | None) -> Run:
    """Send the rest of the data, and read meanwhile: the other end may wait for that."""
    data, sent = memoryview(action.data), taken or 0
    while (taken is None or sent < len(data)) and not end.is_gone:
        if (yield Need(WRITABLE | READABLE if end.may_read() else WRITABLE, action.deadline)) and end.may_read():
            end.take_in()
        taken = end.try_to_send(data[sent:], is_urgent=action.is_urgent)
        if taken is not None:
            sent += taken
        elif end.clock() >= action.deadline:
            raise TimeoutError(f"the other end took {sent} of {len(data)} bytes")
    if sent or not end.is_gone:
        end.inbox.note_sent(action.data[:sent], end.clock())


def _act(end: OwnEnd, action: Act) -> Run:
    """Carry out a step."""
    step, deadline = action
    end.check_open(step.text)
    if isinstance(step, StartTLS):
        yield from start_tls(end, step, deadline)
        return
    if isinstance(step, StopTLS):
        assert isinstance(end, ClientStreamEndpoint)
        end.check_may_stop_tls(step)
        yield from _until_done(end, end.try_to_stop_tls, deadline, NO_END_OF_TLS)
        return
    if isinstance(step, Close):
        yield from say_goodbye(end)
    elif isinstance(step, Reset) and step.flush:
        yield from _flush(end, deadline)
        step = Reset()
    yield Need(0, end.clock())
    if isinstance(step, Close):
        end.part()
    else:
        end.act(step, deadline)


def start_tls(end: OwnEnd, step: StartTLS, deadline: float) -> Run:
    """Do a handshake. Raises PeerError, or TimeoutError at the deadline."""
    assert isinstance(end, ClientStreamEndpoint)
    yield from _until_done(end, end.tls_attempt(step), deadline, NO_HANDSHAKE)


def _until_done(end: OwnEnd, attempt: Callable[[], int | Waitable], deadline: float, words: str) -> Run:
    """Try whenever what the latest attempt waits for is there. Raises TimeoutError with these words."""
    while awaited := attempt():
        if end.clock() >= deadline:
            raise TimeoutError(words)
        yield Need(awaited, deadline) if isinstance(awaited, int) else Need(0, deadline, awaited)


def say_goodbye(end: OwnEnd) -> Run:
    """Send close_notify in TLS; give up when the other end does not take it."""
    deadline = end.clock() + GOODBYE
    while not end.say_goodbye() and end.clock() < deadline:
        yield Need(WRITABLE, deadline)


def _flush(end: OwnEnd, deadline: float) -> Run:
    """Wait until the other end's system has all that was sent. Raises TimeoutError."""
    while left := abort.unacknowledged(end.sock):
        if end.clock() >= deadline:
            raise TimeoutError(f"{left} bytes that were sent have not been taken")
        yield Need(0, end.clock() + SLICE / 10)


def _wait(end: OwnEnd, action: Wait) -> Run:
    """Read when something has come, or wait as an action says."""
    end.check_open("a step")
    if end.may_have_more and not end.is_stalled and not end.rate_holds_back():
        end.take_in()
        return
    until = action.until
    if end.inbox.has_eof and not end.inbox.was_reset:
        end.look_for_reset()
        until = min(until, end.clock() + SLICE)
    if not end.is_stalled and end.rate_holds_back():
        until = min(until, end.may_read_at)
    if (yield Need(READABLE if end.may_read() else 0, until, action.event)):
        end.take_in()
