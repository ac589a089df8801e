"""A scripted client for trio: the same steps, awaited; on trio's clock, and cancelled as trio users expect."""

from __future__ import annotations

import errno
import math
import sys
from collections.abc import Awaitable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, Unpack

from windsock.clients import client_sockets
from windsock.clients.client_base import ClientBase
from windsock.clients.client_endpoint import ClientDatagramEndpoint, ClientStreamEndpoint
from windsock.clients.connect_options import AddressKeywords, ConnectOptions
from windsock.errors import UsageError, whole
from windsock.net import deadlines
from windsock.net.system import monotonic
from windsock.scripts import Script, Step, Steps
from windsock.scripts.checks import check_keywords

if TYPE_CHECKING:
    from windsock.clients.connector import Connector
    from windsock.net.addresses import PrivateSocketPath

__all__ = ["TrioClient"]


class TrioClient(ClientBase, Steps[Awaitable["TrioClient"]]):
    """A client whose methods are the steps of scripts, awaited: `await client.send(b"PING")`.

    `async with` connects and closes it. The keywords are those of `scripted_client()` except `faults`. Time is trio's,
    so a mock clock moves it. If a step is cancelled, the client is closed at once, as by `trio.aclose_forcefully()`.
    One task may take a step at a time.
    """

    remedy = "this client is closed; make another one, with server.connect_trio()"
    """What is said about a step after its end."""

    def __init__(
        self,
        address: Any = None,
        *,
        handshake: bool = True,
        name: str = "",
        _connector: Connector | None = None,
        **options: Unpack[AddressKeywords],
    ) -> None:
        check_keywords("TrioClient", options, AddressKeywords)
        if _connector is None:
            from windsock.clients.connector import connector_to

            _connector = connector_to(address, ConnectOptions(**options))
        if _connector.plans:
            raise UsageError(
                "faults=[...]: a client of trio has no proxy of its own for faults; use server.fault(...), or connect "
                "to a windsock.proxy()"
            )
        self.name = name
        self.timeout = _connector.timeout
        """Seconds of trio's time that a step without a timeout of its own may take."""
        self._connector = _connector
        self._handshake = handshake
        self._end: ClientStreamEndpoint | ClientDatagramEndpoint | None = None
        self._is_playing = False

    async def __aenter__(self) -> Self:
        """Connect. Raises ConnectFailed."""
        import trio

        from windsock.clients import trio_runner

        if self._end is not None:
            raise UsageError("async with: this client has been connected before; make another one")
        sock, private = await self._connect()
        try:
            self._end = self._connector.end_over(sock, trio.current_time)
            self._is_called(sock, private)
            if self._connector.begins_with_tls and self._handshake:
                handshake = self._connector.handshake(self._end, self._limit(self.timeout))
                await trio_runner.carry_out(handshake, self._end)
        except BaseException:
            client_sockets.give_back(sock, private)
            raise
        return self

    async def _connect(self) -> tuple[client_sockets.QuietSocket, PrivateSocketPath | None]:
        """Return a connected socket, and the private path that it is bound to. Raises ConnectFailed."""
        import trio

        place = self._connector.place
        for kind in place.kinds:
            sock, private = client_sockets.prepare(place, kind, self._connector.options)
            try:
                await self._reach(sock)
            except OSError as error:
                client_sockets.give_back(sock, private)
                if not client_sockets.is_of_another_kind(error, place, kind):
                    waited = whole(self.timeout, is_cut=trio.current_time() >= self._limit(math.inf))
                    raise client_sockets.ConnectFailed(place.address, error, waited) from error
            except BaseException:
                client_sockets.give_back(sock, private)
                raise
            else:
                return sock, private
        raise AssertionError("the last kind is none of another kind")

    async def _reach(self, sock: client_sockets.QuietSocket) -> None:
        """Connect a socket, in the time that a step may take. Raises OSError."""
        import trio

        from windsock.clients import trio_runner

        try:
            with trio.fail_at(self._limit(self.timeout)):
                await trio_runner.connect(sock, self._connector.place)
        except trio.TooSlowError:
            raise TimeoutError(errno.ETIMEDOUT, "timed out") from None

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            await self.aclose()
        else:
            self._leave()

    def __del__(self) -> None:
        with suppress(Exception):
            self._leave()

    # --- what is known of it

    @property
    def end(self) -> ClientStreamEndpoint | ClientDatagramEndpoint:
        """Its end of the conversation, which has the inbox. Raises UsageError before there is one."""
        if self._end is None:
            raise UsageError(f"{self.name or 'this client'} is not connected: `async with ... as client` connects it")
        return self._end

    @property
    def peer(self) -> Any:
        """The address that it connects to."""
        return self._connector.place.address

    @property
    def outcome(self) -> str:
        """The outcome, in the same words on every version of Python; "not connected" at first: see Outcome."""
        return "not connected" if self._end is None else super().outcome

    # --- playing

    async def play(self, script: Script) -> Self:
        """Take all steps of a script. Raises ScriptMismatch and ScriptTimeout."""
        __tracebackhide__ = True
        from windsock.clients import trio_runner

        if not isinstance(script, Script):
            raise UsageError(f"play({script!r}): expected a Script")
        end = self._check_free("play()")
        progress = self._progress_of(script, self._limit(math.inf))
        self._is_playing = True
        try:
            await trio_runner.play(progress, end)
        finally:
            self._is_playing = False
            if end.is_closed:
                self._remove_path()
        return self

    async def _take(self, step: Step) -> TrioClient:
        __tracebackhide__ = True
        return await self.play(Script(step))

    def _check_free(self, method: str) -> ClientStreamEndpoint | ClientDatagramEndpoint:
        end = self.end
        if end.is_closed:
            raise UsageError(f"{method}: {self.remedy}")
        if self._is_playing:
            raise UsageError(f"{method}: another task takes a step with this client; one at a time")
        return end

    def _limit(self, seconds: float) -> float:
        """Return the deadline, on trio's clock, of something that may take `seconds`."""
        import trio

        testing = sys.modules.get("trio.testing")
        is_real = testing is None or not isinstance(trio.lowlevel.current_clock(), testing.MockClock)
        left = deadlines.latest() - monotonic() if is_real else math.inf  # the test's time is real
        return trio.current_time() + min(seconds, left)

    # --- its end

    async def aclose(self) -> None:
        """Close it, as `async with` does; under TLS the other end has a second to take the end of the stream."""
        import trio

        from windsock.clients import trio_runner

        try:
            if self._end is not None:
                await trio_runner.part(self._end)
        finally:
            self._remove_path()
        await trio.lowlevel.checkpoint()

    def _leave(self) -> None:
        """Close it without waiting for anything."""
        if self._end is not None:
            self._end.say_goodbye()
            self._end.part()
        self._remove_path()
