"""Many clients at once, in one thread: the same script, or one for each, and one summary of their outcomes."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from windsock.clients import nonblocking
from windsock.clients.nonblocking import OwnEnd, Run
from windsock.clients.summary import CrowdMember, CrowdSummary
from windsock.endpoints.endpoint import SLICE
from windsock.endpoints.outcomes import Outcome
from windsock.errors import PeerError, UsageError, WaitTimeout
from windsock.net import deadlines
from windsock.net.abort import kernel_socket
from windsock.net.event_loop import EventLoop, Timer
from windsock.net.system import monotonic
from windsock.scripts import Progress, Script
from windsock.scripts.checks import check_count, check_seconds

if TYPE_CHECKING:
    from windsock.clients.connector import Connector
    from windsock.net.addresses import PrivateSocketPath

__all__ = ["crowd"]

NEVER = Timer(math.inf, None)


def crowd(
    connector: Connector,
    count: int,
    script: Script | Callable[[int], Script],
    *,
    spread: float = 0.0,
    strict: bool = True,
) -> CrowdSummary:
    """Play a script with `count` clients at once, in this thread; see RunningServer.crowd()."""
    check_count(f"crowd({count!r}, ...)", count)
    check_seconds(f"crowd(spread={spread!r})", spread, or_none=True)
    summary = Crowd(connector, _scripts(count, script)).run(spread)
    if strict:
        summary.check()
    return summary


def _scripts(count: int, script: Script | Callable[[int], Script]) -> list[Script]:
    """Return each client's script. Raises UsageError for a value that is not a script."""
    if isinstance(script, Script):
        return [script] * count
    if not callable(script):
        raise UsageError(f"crowd({count}, {script!r}): expected a Script, or a function from the index to a Script")
    scripts = [script(index) for index in range(count)]
    for index, each in enumerate(scripts):
        if not isinstance(each, Script):
            raise UsageError(f"crowd(): the function returned {each!r} for index {index}; expected a Script")
    return scripts


class CrowdClient:
    """One client: its run, and the events that the loop watches for it."""

    __slots__ = ("descriptor", "end", "events", "index", "private", "run", "started", "timer")

    def __init__(self, index: int, connector: Connector, script: Script) -> None:
        self.index: int = index
        self.started: float = 0.0
        self.end: OwnEnd | None = None
        self.private: PrivateSocketPath | None = None
        """The path that its Unix datagram socket is bound to."""
        self.run: Run | None = self.begin(connector, script, deadlines.latest())
        self.descriptor: int = -1
        self.events: int = 0
        self.timer: Timer = NEVER

    def begin(self, connector: Connector, script: Script, limit: float) -> Run:
        """Connect, do the handshake if all begins with TLS, and run the script."""
        self.started = monotonic()
        self.end, self.private = end, _ = connector.end(handshake=False)
        self.descriptor = kernel_socket(end.sock).fileno()
        if connector.begins_with_tls:
            yield from connector.handshake(end)
        yield from nonblocking.play(Progress(script, end.inbox, timeout=connector.timeout, limit=limit), end)

    def leave(self) -> None:
        """Close it. Idempotent."""
        self.timer.cancel()
        self.run = None  # which ends it
        end, self.end = self.end, None
        if end is not None:
            end.say_goodbye()
            end.part()
        private, self.private = self.private, None
        if private is not None:
            private.remove()


class Crowd:
    """Continues the run of each client when its socket is ready or its time has come."""

    def __init__(self, connector: Connector, scripts: list[Script]) -> None:
        self.clients: list[CrowdClient] = [
            CrowdClient(index, connector, script) for index, script in enumerate(scripts)
        ]
        self.results: dict[int, CrowdMember] = {}
        self.loop: EventLoop = EventLoop("windsock crowd", _fail, lambda: None)

    def run(self, spread: float) -> CrowdSummary:
        """Run all. Raises the error of a faulty script, such as UsageError, after all clients are closed."""
        started = monotonic()
        for client in self.clients:
            begins = started + client.index * spread / len(self.clients)
            client.timer = self.loop.at(begins, partial(self.go_on, client), is_exact=False)
        try:
            self.loop.run()
        finally:
            for client in self.clients:
                client.leave()
        return CrowdSummary(tuple(self.results[client.index] for client in self.clients), monotonic() - started)

    def go_on(self, client: CrowdClient, ready: int | None = None) -> None:
        """Continue one run, with the ready events of its socket or at its time; then wait for its next need.

        At its time, look at the socket once more: while another run had the loop to itself, data may have come in time.
        """
        if ready is None:
            client.timer = NEVER
            if client.events and client.end is not None:
                ready = client.end.ready(client.events, 0.0)
        assert client.run is not None
        try:
            events, until, event = client.run.send(ready)
        except StopIteration:
            self.over(client, None)
        except (PeerError, WaitTimeout) as failure:
            self.over(client, failure)
        else:
            if events != client.events:
                self.watch(client, events)
            if event is not None:
                until = min(until, monotonic() + SLICE)
            if until < client.timer.time:  # or it rings early enough, and another look sees to the rest
                client.timer.cancel()
                client.timer = self.loop.at(until, partial(self.go_on, client), is_exact=False)

    def watch(self, client: CrowdClient, events: int) -> None:
        """Have the loop wait for these events of its socket."""
        if not events:
            self.loop.forget(client.descriptor)
        elif client.events:
            self.loop.change(client.descriptor, events)
        else:
            self.loop.watch(client.descriptor, events, partial(self.go_on, client))
        client.events = events

    def over(self, client: CrowdClient, failure: Exception | None) -> None:
        """Note how one has ended, and close it."""
        seconds = monotonic() - client.started
        self.loop.forget(client.descriptor)
        end = client.end
        client.leave()
        outcome = getattr(failure, "outcome", Outcome.CLOSED) if end is None else end.outcome
        self.results[client.index] = CrowdMember(client.index, seconds, outcome, failure)
        if len(self.results) == len(self.clients):
            self.loop.stop(0)


def _fail(error: BaseException) -> None:
    """End the loop with an error."""
    try:
        raise error
    finally:
        del error  # or the error and this frame would refer to each other
