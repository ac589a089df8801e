"""One thread that moves the progress of many clients: connects, sends and reads as sockets become ready."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from windsock.clients.client_sockets import ConnectFailed
from windsock.clients.summary import CrowdMember
from windsock.endpoints.endpoint import SLICE
from windsock.endpoints.outcomes import Outcome, is_only_later
from windsock.endpoints.stream import NO_END_OF_TLS, NO_HANDSHAKE
from windsock.errors import PeerError, WaitTimeout
from windsock.net import deadlines
from windsock.net.abort import kernel_socket
from windsock.net.system import monotonic, selectors
from windsock.scripts import Act, Progress, Script, StartTLS, StopTLS, Transmit, Wait

if TYPE_CHECKING:
    from windsock.clients.connector import Connector
    from windsock.net.addresses import PrivateSocketPath

__all__ = ["CrowdLoop"]

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


class CrowdClient:
    """One client, and where it is."""

    __slots__ = (
        "deadline",
        "end",
        "ended",
        "events",
        "failure",
        "index",
        "outcome",
        "private",
        "progress",
        "rest",
        "sent",
        "started",
        "turning",
        "wanted",
    )

    def __init__(self, index: int, started: float) -> None:
        self.index = index
        self.started = started
        self.ended = 0.0
        self.outcome: str = Outcome.CLOSED
        self.failure: Exception | None = None
        self.end: Any = None
        self.private: PrivateSocketPath | None = None
        """The path that its Unix datagram socket is bound to."""
        self.progress: Any = None
        self.rest: memoryview | None = None
        """What is left of the data to send."""
        self.turning: Callable[[], str | None] | None = None
        """Goes on with turning to TLS, or back, while it is in the middle of that."""
        self.sent = 0
        self.deadline = math.inf
        self.events = 0
        self.wanted = math.inf
        """When it wants to be looked at again, whatever comes."""

    def result(self) -> CrowdMember:
        """Return what is told of it in the end."""
        return CrowdMember(self.index, self.ended - self.started, self.outcome, self.failure)


class CrowdLoop:
    """Connects, does TLS handshakes, reads, writes and waits, as sockets become ready."""

    def __init__(self, selector: Any, connector: Connector, scripts: list[Script], spread: float) -> None:
        self.started = monotonic()
        self.selector = selector
        self.connector = connector
        self.scripts = scripts
        step = spread / len(scripts)
        self.members = [CrowdClient(index, self.started + index * step) for index in range(len(scripts))]
        self.left = len(scripts)
        self.times: list[tuple[float, int]] = [(each.started, each.index) for each in self.members]
        for each in self.members:
            each.wanted = each.started
        self.limit = deadlines.latest()

    def run(self) -> None:
        """Go on until all are over. Raises what a mistake in a script raises, such as UsageError."""
        while self.left:
            now = monotonic()
            while self.times and self.times[0][0] <= now:
                at, index = heapq.heappop(self.times)
                member = self.members[index]
                if member.wanted == at:  # or it has thought better of it
                    member.wanted = math.inf
                    self.go_on(member)
            if not self.left:
                return
            seconds = deadlines.capped(self.times[0][0] - monotonic()) if self.times else None
            for key, _ in self.selector.select(seconds):
                self.go_on(key.data, is_ready=True)

    def go_on(self, member: CrowdClient, *, is_ready: bool = False) -> None:
        """Move one on, as far as it goes."""
        try:
            end = member.end
            if end is None:
                self.connect(member)
            elif is_ready and member.events & READ and member.turning is None:
                if end.is_plain:
                    end.read()
                else:
                    end.take_in()
            if member.turning is None or self.turn(member):
                self.play(member)
        except Exception as error:
            self.over(member, error)

    def connect(self, member: CrowdClient) -> None:
        """Connect one; begin TLS, or lay its script out."""
        connector = self.connector
        member.started = monotonic()
        member.end, member.private = connector.end(handshake=False)
        if connector.begins_with_tls:
            member.turning = partial(member.end.try_tls, member.end.begin_tls(connector.first_step()))
            member.deadline = connector.handshake_deadline()
        else:
            self.lay_out(member)

    def lay_out(self, member: CrowdClient) -> None:
        """Have one begin with its script."""
        script = self.scripts[member.index]
        member.progress = Progress(script, member.end.inbox, timeout=self.connector.timeout, limit=self.limit)

    def turn(self, member: CrowdClient) -> bool:
        """Go on with turning to TLS or back; return whether it is over.

        What the first handshake comes to is the end's outcome.
        """
        progress = member.progress
        assert member.turning is not None
        try:
            needs = member.turning()
        except PeerError as error:
            if progress is not None:
                raise progress.stopped(str(error), monotonic()) from error
            needs = None
        if needs is not None:
            self.check_turn(member)
            self.watch(member, WRITE if needs == "write" else READ, member.deadline)
            return False
        member.turning = None
        if progress is None:
            self.lay_out(member)
        return True

    def check_turn(self, member: CrowdClient) -> None:
        """Raise WaitTimeout, or ScriptTimeout, if the time to turn to TLS or back is over."""
        now = monotonic()
        if now >= member.deadline:
            if member.progress is None:
                raise self.connector.no_handshake(TimeoutError(NO_HANDSHAKE))
            is_end = isinstance(member.progress.step, StopTLS)
            raise member.progress.timed_out(now, NO_END_OF_TLS if is_end else NO_HANDSHAKE)

    def play(self, member: CrowdClient) -> None:
        """Do what comes next, until it has to wait or is over."""
        end, progress = member.end, member.progress
        while member.rest is None or self.send(member):
            now = monotonic()
            action = progress.next(now)
            kind = type(action)
            if kind is Wait:
                if end.is_plain and action.event is None:
                    self.watch(member, READ, action.until)
                    return
                if not self.wait(member, action):
                    return
            elif kind is Transmit:
                self.transmit(member, action, now)
            elif kind is Act and isinstance(action.step, StartTLS | StopTLS):
                self.begin_turn(member, action)
                if not self.turn(member):
                    return
            elif kind is Act:
                self.act(member, action)
            else:
                self.over(member, None)
                return

    def begin_turn(self, member: CrowdClient, action: Act) -> None:
        """Begin with turning to TLS, or back, as a step says."""
        end, step = member.end, action.step
        end.check_open(step.text)
        member.deadline = action.deadline
        if isinstance(step, StartTLS):
            member.turning = partial(end.try_tls, end.begin_tls(step))
        else:
            end.check_may_stop_tls(step)
            member.turning = end.try_to_stop_tls

    def transmit(self, member: CrowdClient, action: Transmit, now: float) -> None:
        """Send what an action says, or begin with it."""
        end, data = member.end, action.data
        if end.is_plain and not action.is_urgent:
            try:
                sent = end.sock.send(data)
            except OSError as error:
                if not is_only_later(error):
                    end.failed_to_send(error)
                    return
                sent = 0
            if sent == len(data):
                end.inbox.note_sent(data, now)
                return
            member.sent = sent
        else:
            end.check_may_send(data, is_urgent=action.is_urgent)
            if action.is_urgent:
                end.transmit(data, action.deadline, is_urgent=True)
                return
            member.sent = 0
        member.rest, member.deadline = memoryview(data), action.deadline

    def act(self, member: CrowdClient, action: Act) -> None:
        """Do what a step says. What has to be waited for holds up the others."""
        try:
            if member.events:
                self.selector.unregister(kernel_socket(member.end.sock))
                member.events = 0
            member.end.act(action.step, action.deadline)
        except TimeoutError as error:
            raise member.progress.timed_out(monotonic(), str(error) or "it took too long") from None

    def send(self, member: CrowdClient) -> bool:
        """Send what goes; return whether that was all."""
        end, data = member.end, member.rest
        assert data is not None
        while True:
            sent = end.try_to_send(data[member.sent :])
            if sent is None:
                break
            member.sent += sent
            if end.is_gone or member.sent == len(data):
                if member.sent or (end.inbox.is_datagram and not end.is_gone):
                    end.inbox.note_sent(bytes(data[: member.sent]), monotonic())
                member.rest = None
                return True
        if monotonic() >= member.deadline:
            why = f"the other end took {member.sent} of {len(data)} bytes in time"
            raise member.progress.timed_out(monotonic(), why)
        self.watch(member, WRITE | READ if end.may_read() else WRITE, member.deadline)
        return False

    def wait(self, member: CrowdClient, action: Wait) -> bool:
        """Wait for what an action says; True if there is something to look at already."""
        end, until = member.end, action.until
        end.check_open("a step")
        if end.may_have_more and not end.is_stalled and not end.rate_holds_back():
            end.take_in()
            return True
        if action.event is not None or (end.inbox.has_eof and not end.inbox.was_reset):
            end.look_for_reset()
            until = min(until, monotonic() + SLICE)
        if not end.is_stalled and end.rate_holds_back():
            until = min(until, end.may_read_at)
        self.watch(member, READ if end.may_read() else 0, until)
        return False

    def watch(self, member: CrowdClient, events: int, until: float) -> None:
        """Come back when the socket is ready, or at that time at the latest."""
        if events != member.events:
            bare = kernel_socket(member.end.sock)
            if not events:
                self.selector.unregister(bare)
            elif member.events:
                self.selector.modify(bare, events, member)
            else:
                self.selector.register(bare, events, member)
            member.events = events
        if until < member.wanted:  # or the next look comes early enough, and sees to it again
            member.wanted = until
            heapq.heappush(self.times, (until, member.index))

    def over(self, member: CrowdClient, failure: Exception | None) -> None:
        """One is done."""
        member.ended = monotonic()
        member.wanted = math.inf
        member.failure = failure
        self.left -= 1
        end = member.end
        if end is not None:
            if member.events:
                self.selector.unregister(kernel_socket(end.sock))
                member.events = 0
            if isinstance(failure, WaitTimeout):
                end.ended_as(Outcome.TIMEOUT)
            self.leave(member)
            member.outcome = end.outcome
        elif isinstance(failure, ConnectFailed):
            member.outcome = failure.outcome
        if failure is not None and not isinstance(failure, PeerError | WaitTimeout):
            raise failure  # a mistake in the script
        member.progress = None

    def leave(self, member: CrowdClient) -> None:
        """Close it."""
        end, member.end = member.end, None
        end.say_goodbye()
        end.part()
        if member.private is not None:
            member.private.remove()

    def close(self) -> None:
        """Close the clients that are left after an error."""
        for member in self.members:
            if member.end is not None:
                self.leave(member)
