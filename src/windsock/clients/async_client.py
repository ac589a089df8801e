"""Scripted clients for asyncio and trio: the same steps, awaited; on the loop's clock, and cancelled with the task."""

from __future__ import annotations

import math
from collections.abc import Awaitable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, Unpack, cast

from windsock.clients import async_runner, client_sockets
from windsock.clients.client_base import ClientBase
from windsock.clients.client_endpoint import ClientDatagramEndpoint, ClientStreamEndpoint
from windsock.clients.connect_options import AddressKeywords, ConnectOptions
from windsock.errors import UsageError, whole
from windsock.net import deadlines
from windsock.net.async_loops import AsyncLoop, loop_of, running_loop
from windsock.net.system import monotonic
from windsock.scripts import Script, Step, Steps
from windsock.scripts.checks import check_keywords

if TYPE_CHECKING:
    from windsock.clients.connector import Connector
    from windsock.net.addresses import PrivateSocketPath

__all__ = ["AsyncClient", "AsyncioClient", "TrioClient"]

C = TypeVar("C", bound="AsyncClient[Any]")


class AsyncClient(ClientBase, Steps[Awaitable[C]]):
    """A client whose methods are the steps of scripts, awaited, in the event loop of one library.

    `async with` connects and closes it. One task may take a step at a time. A subclass names the library.
    """

    library: ClassVar[str]
    """The library whose loop it is for."""
    method: ClassVar[str]
    """The method of servers that makes such a client."""
    remedy: ClassVar[str]
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
        check_keywords(type(self).__name__, options, AddressKeywords)
        if _connector is None:
            from windsock.clients.connector import connector_to

            _connector = connector_to(address, ConnectOptions(**options))
        if _connector.plans:
            raise UsageError(
                f"faults=[...]: a client of {self.library} has no proxy of its own for faults; use server.fault(...), "
                "or connect to a windsock.proxy()"
            )
        self.name = name
        self.timeout: float = _connector.timeout
        """Seconds of the loop's time that a step without a timeout of its own may take."""
        self._connector = _connector
        self._handshake = handshake
        self._end: ClientStreamEndpoint | ClientDatagramEndpoint | None = None
        self._is_playing = False

    async def __aenter__(self) -> Self:
        """Connect. Raises ConnectFailed."""
        if self._end is not None:
            raise UsageError("async with: this client has been connected before; make another one")
        loop = self._loop
        sock, private = await self._connect()
        try:
            self._end = self._connector.end_over(sock, loop.now)
            self._is_called(sock, private)
            if self._connector.begins_with_tls and self._handshake:
                handshake = self._connector.handshake(self._end, self._limit(self.timeout))
                await async_runner.carry_out(loop, handshake, self._end)
        except BaseException:
            client_sockets.give_back(sock, private)
            raise
        return self

    @property
    def _loop(self) -> AsyncLoop:
        """The loop that it is for. Raises UsageError if another one runs here, or none."""
        here = running_loop()
        if here != self.library:
            runs = f"here runs one of {here}" if here else "none runs here"
            other = self.method.replace(f"_{self.library}", f"_{here}" if here else "")
            raise UsageError(f"{self.method}(): expected a loop of {self.library}, and {runs}; use {other}()")
        return loop_of(here)

    async def _connect(self) -> tuple[client_sockets.QuietSocket, PrivateSocketPath | None]:
        """Return a connected socket, and the private path that it is bound to. Raises ConnectFailed."""
        place, loop = self._connector.place, self._loop
        for kind in place.kinds:
            sock, private = client_sockets.prepare(place, kind, self._connector.options)
            try:
                await async_runner.connect(loop, sock, place, self._limit(self.timeout))
            except OSError as error:
                client_sockets.give_back(sock, private)
                if not client_sockets.is_of_another_kind(error, place, kind):
                    waited = whole(self.timeout, is_cut=loop.now() >= self._limit(math.inf))
                    raise client_sockets.ConnectFailed(place.address, error, waited) from error
            except BaseException:
                client_sockets.give_back(sock, private)
                raise
            else:
                return sock, private
        raise AssertionError("the last kind is none of another kind")

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
        if not isinstance(script, Script):
            raise UsageError(f"play({script!r}): expected a Script")
        end = self._check_free("play()")
        progress = self._progress_of(script, self._limit(math.inf))
        self._is_playing = True
        try:
            await async_runner.play(self._loop, progress, end)
        finally:
            self._is_playing = False
            if end.is_closed:
                self._remove_path()
        return self

    async def _take(self, step: Step) -> C:
        __tracebackhide__ = True
        return cast(C, await self.play(Script(step)))

    def _check_free(self, method: str) -> ClientStreamEndpoint | ClientDatagramEndpoint:
        end = self.end
        if end.is_closed:
            raise UsageError(f"{method}: {self.remedy}")
        if self._is_playing:
            raise UsageError(f"{method}: another task takes a step with this client; one at a time")
        return end

    def _limit(self, seconds: float) -> float:
        """Return the deadline, on the loop's clock, of something that may take `seconds`."""
        loop = self._loop
        left = deadlines.latest() - monotonic() if loop.is_real() else math.inf  # the test's time is real
        return loop.now() + min(seconds, left)

    # --- its end

    async def aclose(self) -> None:
        """Close it, as `async with` does; under TLS the other end has a second to take the end of the stream."""
        loop = self._loop
        try:
            if self._end is not None:
                await async_runner.part(loop, self._end)
        finally:
            self._remove_path()
        await loop.checkpoint()

    def _leave(self) -> None:
        """Close it without waiting for anything."""
        if self._end is not None:
            self._end.say_goodbye()
            self._end.part()
        self._remove_path()


class AsyncioClient(AsyncClient["AsyncioClient"]):
    """A client whose methods are the steps of scripts, awaited: `await client.send(b"PING")`.

    `async with` connects and closes it. The keywords are those of `scripted_client()` except `faults`. It works in
    every event loop of asyncio that watches descriptors, such as uvloop's. If a step is cancelled, the client is closed
    at once. One task may take a step at a time.
    """

    library = "asyncio"
    method = "connect_asyncio"
    remedy = "this client is closed; make another one, with server.connect_asyncio()"


class TrioClient(AsyncClient["TrioClient"]):
    """A client whose methods are the steps of scripts, awaited: `await client.send(b"PING")`.

    `async with` connects and closes it. The keywords are those of `scripted_client()` except `faults`. Time is trio's,
    so a mock clock moves it. If a step is cancelled, the client is closed at once, as by `trio.aclose_forcefully()`.
    One task may take a step at a time.
    """

    library = "trio"
    method = "connect_trio"
    remedy = "this client is closed; make another one, with server.connect_trio()"
