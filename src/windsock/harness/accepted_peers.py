"""What `accept()` returns: the server's side of a connection, with the steps of a scripted client."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

from windsock.clients.async_client import AsyncClient
from windsock.clients.client import ScriptedClient
from windsock.clients.client_group import ClientGroup
from windsock.clients.nonblocking import OwnEnd
from windsock.harness.acceptances import Acceptances
from windsock.harness.accepted_end import check_rest, end_over
from windsock.harness.arrivals import Arrival
from windsock.harness.claim import Claim
from windsock.net.deadlines import latest
from windsock.net.event_loop import READABLE
from windsock.net.system import monotonic
from windsock.scripts import Close, Script, ScriptMismatch

__all__ = ["Accepting", "AsyncPeer", "AsyncioPeer", "ScriptedPeer", "TrioPeer"]

C = TypeVar("C", bound="AsyncPeer[Any]")


class ScriptedPeer(ScriptedClient):
    """The server's side of an accepted connection. Each step is taken at once: `peer.expect(b"PING").send(b"PONG")`.

    Its steps are those of a scripted client. At the end of the `with`, bytes that came and that no step expected raise
    ScriptMismatch; then the connection is closed. `peer` is the client's address.
    """

    remedy = "this connection is closed; accept the next one, with server.accept()"

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        __tracebackhide__ = True
        try:
            if error is None and not self.is_playing_in_background:
                check_rest(self.end, self._stopped)
        except ScriptMismatch as mismatch:
            super().__exit__(type(mismatch), mismatch, None)
            raise
        super().__exit__(kind, error, trace)

    def _stopped(self, why: str) -> ScriptMismatch:
        return self._progress_of(Script(Close()), latest()).stopped(why, monotonic())


class Accepting:
    """An accepted connection to come: `with` waits for it, and closes it at its end.

    It is for the next connection from the call of `accept()` on.
    """

    def __init__(self, acceptances: Acceptances, claim: Claim, client_group: ClientGroup) -> None:
        self._acceptances = acceptances
        self._claim = claim
        self._client_group = client_group
        self._peer: ScriptedPeer | None = None

    def __repr__(self) -> str:
        return f"<Accepting by {self._claim.call}>"

    def __enter__(self) -> ScriptedPeer:
        """Wait for the connection. Raises AcceptTimeout."""
        __tracebackhide__ = True
        arrival, options = self._acceptances.wait(self._claim), self._claim.options
        as_private: Any = arrival  # its `remove()` gives the connection back
        self._peer = peer = ScriptedPeer(
            end_over(arrival.socket, self._acceptances.server),
            timeout=options.timeout,
            name=options.name,
            private=as_private,
            client_group=self._client_group,
        )
        return peer

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        __tracebackhide__ = True
        peer, self._peer = self._peer, None
        if peer is not None:
            peer.__exit__(kind, error, trace)


class _Acceptor:
    """What a client in an event loop asks of its connector, for an accepted connection."""

    plans = ()
    begins_with_tls = False
    """The server has done its handshake by then."""

    def __init__(self, server: Any, timeout: float) -> None:
        self._server = server
        self.timeout = timeout

    def end_over(self, sock: Any, clock: Callable[[], float]) -> OwnEnd:
        """See Connector."""
        return end_over(sock, self._server, clock)


class AsyncPeer(AsyncClient[C]):
    """The server's side of an accepted connection in an event loop; `peer` is the client's address. See ScriptedPeer.

    `async with` waits for it, and closes it at its end. A subclass names the library.
    """

    def __init__(self, acceptances: Acceptances, claim: Claim) -> None:
        connector: Any = _Acceptor(acceptances.server, claim.options.timeout)
        super().__init__(name=claim.options.name, _connector=connector)
        self._acceptances = acceptances
        self._claim = claim

    def __repr__(self) -> str:
        return super().__repr__() if self._end is not None else f"<{type(self).__name__} by {self._claim.call}>"

    @property
    def peer(self) -> Any:
        """The client's address; None before there is a connection."""
        return self._peer

    async def _connect(self) -> tuple[Any, Any]:
        """Return the socket of the connection, and its release. Raises AcceptTimeout."""
        try:
            arrival = await self._wait()
        except BaseException:
            self._acceptances.withdraw(self._claim)
            raise
        return arrival.socket, arrival

    async def _wait(self) -> Arrival:
        loop = self._loop
        limit = self._limit(self._claim.options.seconds)
        await loop.checkpoint()
        while (arrival := self._acceptances.take(self._claim)) is None:
            if loop.now() >= limit:
                raise self._acceptances.timed_out(self._claim)
            await loop.wait_ready([(self._claim.fileno(), READABLE)], limit)
            self._claim.clear()
        return arrival

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        __tracebackhide__ = True
        if error is None and self._end is not None:
            try:
                check_rest(self._end, self._stopped)
            except ScriptMismatch as mismatch:
                await super().__aexit__(type(mismatch), mismatch, None)
                raise
        await super().__aexit__(kind, error, trace)

    def _stopped(self, why: str) -> ScriptMismatch:
        return self._progress_of(Script(Close()), math.inf).stopped(why, self.end.clock())


class AsyncioPeer(AsyncPeer["AsyncioPeer"]):
    """The server's side of an accepted connection, for asyncio: `async with server.accept_asyncio() as peer`.

    The steps are those of AsyncioClient, awaited; see AsyncPeer.
    """

    library = "asyncio"
    method = "accept_asyncio"
    remedy = "this connection is closed; accept the next one, with server.accept_asyncio()"


class TrioPeer(AsyncPeer["TrioPeer"]):
    """The server's side of an accepted connection, for trio: `async with server.accept_trio() as peer`.

    The steps are those of TrioClient, awaited; see AsyncPeer.
    """

    library = "trio"
    method = "accept_trio"
    remedy = "this connection is closed; accept the next one, with server.accept_trio()"
