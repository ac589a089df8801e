"""The methods by which a test accepts connections of a fake itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from windsock.errors import UsageError
from windsock.harness.fault_api import FaultAPI
from windsock.recording.connections import seconds_of

if TYPE_CHECKING:
    from windsock.fakes.errors import Unmet
    from windsock.fakes.fake import Fake
    from windsock.harness.acceptances import Acceptances
    from windsock.harness.accepted_peers import Accepting, AsyncioPeer, TrioPeer
    from windsock.harness.claim import Claim, Which
    from windsock.harness.server_run import ServerRun
    from windsock.recording import Connection

__all__ = ["AcceptAPI"]


class AcceptAPI(FaultAPI):
    """The methods of a running server that give its side of a connection to the test."""

    _fake: Fake | None
    _run: ServerRun

    def accept(self, which: Which = None, *, timeout: float | None = None, name: str = "") -> Accepting:
        """Return a context manager whose `with` waits for a client, and gives the server's side of its connection.

        `with server.accept() as peer: peer.expect(b"PING").send(b"PONG")`. The steps of a peer are those of a scripted
        client. On a datagram server it is the conversation with the client that sends the next datagram.

        It is for the next connection from this call on; with `serving(accept=True)`, where all clients wait to be
        accepted, for the first one that waits. `which` is the index of a connection instead, from 0, or a function that
        gets a Connection and returns whether to accept it. Connections with a queued script are for that; those that
        are not accepted are for the fake's rules and replies. A fake without any keeps them for later calls of
        `accept()`, once there has been one. The peer is served in this process, whatever the server's concurrency.

        `timeout` bounds the wait for the client, in seconds; the server's own by default. `name` is for messages.
        The `with` raises AcceptTimeout if no client comes, and ScriptMismatch if more has come by its end than was
        expected; then the connection is closed. Raises UsageError for a server with a handler, and for an index that is
        past.
        """
        from windsock.harness.accepted_peers import Accepting

        return Accepting(*self._claim("accept", which, timeout, name), self._clients())

    def accept_trio(self, which: Which = None, *, timeout: float | None = None, name: str = "") -> TrioPeer:
        """Return the server's side of a connection for trio: `async with server.accept_trio() as peer`.

        Its steps are awaited, as those of `connect_trio()`. See `accept()`.
        """
        from windsock.harness.accepted_peers import TrioPeer

        return TrioPeer(*self._claim("accept_trio", which, timeout, name))

    def accept_asyncio(self, which: Which = None, *, timeout: float | None = None, name: str = "") -> AsyncioPeer:
        """Return the server's side of a connection for asyncio: `async with server.accept_asyncio() as peer`.

        Its steps are awaited, as those of `connect_asyncio()`. See `accept()`.
        """
        from windsock.harness.accepted_peers import AsyncioPeer

        return AsyncioPeer(*self._claim("accept_asyncio", which, timeout, name))

    def _claim(self, method: str, which: Which, timeout: float | None, name: str) -> tuple[Acceptances, Claim]:
        """Return a claim on a connection, and what it is claimed from. Raises UsageError."""
        call = f"{method}({'' if which is None else getattr(which, '__name__', repr(which))})"
        is_index = isinstance(which, int) and not isinstance(which, bool) and which >= 0
        if not (which is None or is_index or callable(which)):
            raise UsageError(
                f"{call}: expected the index of a connection from 0, or a function that gets a Connection and returns "
                "whether to accept it; nothing for the next one"
            )
        seconds = seconds_of(timeout, lambda: self.options.timeout)
        acceptances = self._accepting(call)
        from windsock.harness.claim import AcceptOptions

        options = AcceptOptions(which=which, call=call, seconds=seconds, timeout=self.options.timeout, name=name)
        return acceptances, acceptances.claim(options)

    def _accepting(self, call: str) -> Acceptances:
        if self._is_stopped:
            raise UsageError(f"{call}: the {self.name} is stopped already")
        if self._fake is None:
            raise UsageError(
                f"{call}: the {self.name} has a handler, which gets its connections; leave the handler out, or use "
                "server.connections[0].send(...) beside it"
            )
        if self._run.acceptances is None:
            from windsock.harness.acceptances import Acceptances

            self._run.acceptances = Acceptances(
                self.server, self._fake, self._recorder, self._faults, keeps_all=self.options.accept
            )
            self._hand.acceptances = self._run.acceptances
        return self._run.acceptances

    def is_in_hand(self, connection: Connection) -> bool:
        """Return whether a connection is or was for the test's `accept()`, and not for the fake."""
        return self._run.acceptances is not None and self._run.acceptances.was_kept(connection)

    def _never_entered(self) -> list[Unmet]:
        """Return an error for each `accept()` that was called in vain, and each client that waited for one in vain."""
        if self._run.acceptances is None:
            return []
        from windsock.fakes.errors import Unmet

        calls = [f"{call}: its `with` was never entered" for call in self._run.acceptances.unentered()]
        missed = "was never accepted, by `with server.accept()`"
        clients = [f"accept=True: {client} {missed}" for client in self._run.acceptances.unaccepted()]
        return [Unmet(each) for each in (*calls, *clients)]
