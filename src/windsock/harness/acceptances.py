"""The connections that a test accepts: which `accept()` gets which, and which wait for one."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from windsock.errors import UsageError
from windsock.fakes.errors import AcceptTimeout
from windsock.fakes.fake import Fake
from windsock.harness.arrivals import Arrival, DatagramArrival, StreamArrival
from windsock.harness.claim import AcceptOptions, Claim
from windsock.net import addresses
from windsock.net.async_loops import BlocksLoop, running_loop
from windsock.net.deadlines import is_over, within
from windsock.net.system import monotonic, threading
from windsock.recording import Connection, Recorder
from windsock.recording.events import Kind
from windsock.taps.hooks import put_back
from windsock.taps.requests import connection_of

if TYPE_CHECKING:
    from windsock.injection.server_faults import ServerFaults

__all__ = ["Acceptances"]

MOST = 10
"""The most clients that the message of a timeout describes."""


class Acceptances:
    """Intercepts the requests of one fake's server that `accept()` is for.

    A connection is for the first call of `accept()` that it fits and that has none, unless a queued script is for it.
    Others are for the fake. If that has nothing to say, or with `keeps_all`, they wait for the next `accept()`: a test
    that accepts one after the other does not race with its clients. From any thread.
    """

    def __init__(
        self, server: Any, fake: Fake, recorder: Recorder, faults: ServerFaults | None, *, keeps_all: bool
    ) -> None:
        self.server = server
        self.fake = fake
        self._recorder = recorder
        self._lock = threading.RLock()
        self._claims: list[Claim] = []
        self._arrivals: list[Arrival] = []
        self._keeps_all = keeps_all
        self._kept: set[int] = set()
        self._left: list[str] = []
        """Descriptions of the clients that waited in vain when the server was stopped."""
        self._latest = -1
        self._is_stopped = False
        if faults is None:
            self._process: Callable[[Any, Any], None] = server.process_request
            server.process_request = self.process_request
        else:
            self._process = faults.intercept_process(self.process_request)

    # --- clients come

    def process_request(self, request: Any, client_address: Any) -> None:
        """Stand in for the server's method: keep a request for the test, or have the server process it."""
        if not self._is_kept(request, client_address):
            self._process(request, client_address)

    def _is_kept(self, request: Any, client_address: Any) -> bool:
        connection = connection_of(request)
        if connection is None:
            return False
        with self._lock:
            self._latest = connection.index
            conversation = self._conversation_of(request, client_address)
            if conversation is not None:
                self._kept.add(connection.index)
                conversation.socket.hear(request)
                return True
            if self._is_stopped or self.fake.plays_on(connection, client_address):
                return False
            taken = {each.claim for each in self._arrivals}
            claim = next((each for each in self._claims if each not in taken and each.fits(connection)), None)
            if claim is None and not (self._keeps_all or self.fake.never_speaks):
                return False
            kind = DatagramArrival if isinstance(request, tuple) else StreamArrival
            arrival = kind(self, request, client_address, connection)
            self._arrivals.append(arrival)
            self._kept.add(connection.index)
            if claim is None:
                connection.note(Kind.NOTE, b"waits for accept()")
            else:
                self._give(arrival, claim)
        arrival.begin()
        return True

    def _conversation_of(self, request: Any, client_address: Any) -> DatagramArrival | None:
        """Return the conversation that a datagram belongs to."""
        if not isinstance(request, tuple):
            return None
        client = addresses.plain(client_address)
        found = (each for each in self._arrivals if isinstance(each, DatagramArrival) and each.client_address == client)
        return next(found, None)

    def _give(self, arrival: Arrival, claim: Claim) -> None:
        arrival.claim = claim
        claim.wake()

    def _arrival_of(self, claim: Claim) -> Arrival | None:
        return next((each for each in self._arrivals if each.claim is claim), None)

    def is_ready(self, arrival: Arrival, sock: Any) -> None:
        """Give an arrival its socket, and tell its `accept()`."""
        arrival.connection.rest(math.inf)  # no drain waits for the test to read
        with self._lock:
            arrival.socket = sock
            if arrival.claim is not None:
                arrival.claim.wake()

    def holds(self, connection: Connection) -> bool:
        """Return whether the test serves a connection, or is to."""
        return any(each.connection is connection for each in list(self._arrivals))

    def forget(self, arrival: Arrival) -> None:
        """Forget an arrival that is over; if it was refused before it was ready, its `accept()` waits for another."""
        with self._lock:
            if arrival in self._arrivals:
                self._arrivals.remove(arrival)
            self.fake.hand_overs.pop(arrival.connection, None)
            claim = arrival.claim
            if claim is not None and claim in self._claims and arrival.socket is None:
                self._look_for(claim)

    # --- the test accepts

    def claim(self, options: AcceptOptions) -> Claim:
        """Return a claim on a connection: one that waits already, or one that will come. Raises UsageError."""
        claim = Claim(options, len(self._recorder.connections))
        with self._lock:
            if not self._look_for(claim) and isinstance(options.which, int):
                self._check_may_come(options.which, options.call)
            self._claims.append(claim)
        return claim

    def _look_for(self, claim: Claim) -> bool:
        """Give a claim the first connection that waits and fits; return whether there is one."""
        for arrival in self._arrivals:
            if arrival.claim is None and claim.fits(arrival.connection):
                self._give(arrival, claim)
                return True
        return False

    def _check_may_come(self, index: int, call: str) -> None:
        if index <= self._latest:
            what = "was accepted before" if index in self._kept else "came before that, and is served by the fake"
            raise UsageError(f"{call}: connection #{index} {what}; call it once, before the client comes")

    def take(self, claim: Claim) -> Arrival | None:
        """Return the arrival of a claim, which is over; None if there is none yet. Raises UsageError after a stop."""
        with self._lock:
            if claim not in self._claims:
                raise UsageError(f"{claim.call}: it was entered before; call accept() again for another connection")
            if self._is_stopped:
                self.withdraw(claim)
                raise UsageError(f"{claim.call}: the server was stopped meanwhile")
            arrival = self._arrival_of(claim)
            if arrival is None or arrival.socket is None:
                return None
            self._claims.remove(claim)
            claim.close()
            return arrival

    def wait(self, claim: Claim) -> Arrival:
        """Wait for the arrival of a claim.

        Raises AcceptTimeout and UsageError; BlocksLoop if the client may be in the loop of this thread.
        """
        until = monotonic() + within(claim.options.seconds)
        while (arrival := self.take(claim)) is None:
            if loop := running_loop():
                self.withdraw(claim)
                raise BlocksLoop(claim.call, loop, f"async with server.accept_{loop}() as peer")
            if monotonic() >= until:
                raise self.timed_out(claim)
            claim.wait(until)
        return arrival

    def withdraw(self, claim: Claim) -> None:
        """Give up a claim; the connection that it has got waits for another `accept()`."""
        with self._lock:
            if claim in self._claims:
                self._claims.remove(claim)
            claim.close()
            arrival = self._arrival_of(claim)
            if arrival is not None:
                arrival.claim = None

    def timed_out(self, claim: Claim) -> AcceptTimeout:
        """Give up a claim; return the error, which describes the clients that came."""
        self.withdraw(claim)
        self._recorder.catch_up()
        connections = list(self._recorder.connections)
        came = [self._described(each, claim) for each in connections[-MOST:]]
        if len(connections) > MOST:
            came.insert(0, f"({len(connections) - MOST} others before)")
        return AcceptTimeout(claim.call, claim.options.seconds, came, is_cut=is_over())

    def _described(self, connection: Connection, claim: Claim) -> str:
        who = f"#{connection.index} from {addresses.show(connection.peer)}"
        arrival = next((each for each in self._arrivals if each.connection is connection), None)
        if arrival is not None:
            if arrival.socket is None:
                return f"{who}: its handshake is not over"
            return f"{who}: {'waits for an accept() that it fits' if arrival.claim is None else 'was accepted'}"
        ended = f" ({connection.ending})" if connection.is_closed else ""
        if connection.index in self._kept:
            return f"{who}: was accepted before{ended}"
        served = f"{who}: served by the fake{ended}"
        if connection.index < claim.before:
            return f"{served}, as it came before the call; pass accept=True, and clients wait for accept()"
        return f"{served}, as it does not fit"

    # --- the end

    def begin_again(self) -> None:
        """Give up the claims that no test has entered: connections are numbered anew, for the next test."""
        with self._lock:
            for claim in list(self._claims):
                self.withdraw(claim)
            self._latest, self._kept, self._left = -1, set(), []

    def unentered(self) -> list[str]:
        """Return the calls of `accept()` whose `with` was never entered."""
        return [each.call for each in self._claims]

    def was_kept(self, connection: Connection) -> bool:
        """Return whether a connection of this part is or was for the test, and not for the fake."""
        return connection.index in self._kept

    def unaccepted(self) -> list[str]:
        """Return descriptions of the clients that came for the test, all of which are for it, and wait in vain."""
        with self._lock:
            has_handshake = getattr(self.server, "begins_with_tls", False)
            arrived = [each for each in self._arrivals if each.socket is not None or not has_handshake]
            waiting = [each.connection for each in arrived if each.claim is None and self._keeps_all]
            found = [each for each in waiting if self.was_kept(each)]
        return [*self._left, *(f"#{each.index} from {addresses.show(each.peer)}" for each in found)]

    def stop(self) -> None:
        """Give all connections back to the server, which is stopping."""
        with self._lock:
            self._left = self.unaccepted()
            self._is_stopped = True
            arrivals, claims = list(self._arrivals), list(self._claims)
        for arrival in arrivals:
            arrival.remove()
        for claim in claims:
            claim.wake()

    def wait_for_end(self, until: float) -> list[str]:
        """Wait until the server has released all connections; return descriptions of those that it has not."""
        with self._lock:
            arrivals = list(self._arrivals)
        return [what for each in arrivals for what in each.wait(max(0.0, until - monotonic()))]

    def resume(self) -> None:
        """Undo `stop()` after an outage, which has ended the connections of those that waited."""
        self._is_stopped = False
        self._left = []

    def close(self) -> None:
        """Restore the server's own hook, and close descriptors."""
        for claim in self._claims:
            claim.close()
        put_back(self.server, "process_request", self._process)
