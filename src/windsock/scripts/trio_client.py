"""A scripted client for trio: the same steps, awaited; on trio's clock, and cancelled as trio users expect."""

from __future__ import annotations

import errno
import math
import os
import socket
import sys
from collections.abc import Awaitable
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

from windsock import addresses, deadlines
from windsock.errors import PeerError, UsageError, WaitTimeout
from windsock.scripts import connecting, rude
from windsock.scripts.ends import SLICE
from windsock.scripts.outcomes import Outcome
from windsock.scripts.rude import kernel_socket
from windsock.scripts.stream_end import NO_HANDSHAKE
from windsock.steps import Act, Action, Deed, Progress, Reset, Script, ScriptTimeout, StartTLS, Step, Steps, Transmit
from windsock.steps import Close as CloseStep

if TYPE_CHECKING:
    from windsock.scripts.opening import Line
    from windsock.scripts.polled import PolledDatagrams, PolledStream

__all__ = ["TrioClient"]


class TrioClient(Steps[Awaitable["TrioClient"]]):
    """A client whose methods are the steps of scripts, awaited: `await client.send(b"PING")`.

    `async with` connects and closes it; what it takes is what `scripted_client()` takes. Time is trio's, so that a
    mock clock moves it. Who is cancelled in a step has a client that is closed at once, as by `aclose_forcefully`.
    """

    def __init__(
        self, address: Any = None, *, _line: Line | None = None, name: str = "", handshake: bool = True, **options: Any
    ) -> None:
        if _line is None:
            from windsock.scripts.opening import line_to

            _line = line_to(address, **{"transport": None, "tls": False} | options)
        self.name = name
        self.timeout = _line.timeout
        """Seconds of trio's time that a step may take that does not say so itself."""
        self._line = _line
        self._handshake = handshake
        self._end: PolledStream | PolledDatagrams | None = None
        self._private: Any = None
        self._address: Any = None
        self._count = 0
        self._is_playing = False

    def __repr__(self) -> str:
        where = addresses.show(self.peer)
        return f"<TrioClient{' ' + self.name if self.name else ''} of {where}, {self.outcome}>"

    async def __aenter__(self) -> Self:
        """Connect. Raises ConnectFailed."""
        import trio

        if self._end is not None:
            raise UsageError("async with: this client has been connected before; make another one")
        sock, private = await self._connect()
        try:
            self._end = self._line.end_over(sock, trio.current_time)
            self._address = addresses.plain(sock.getsockname())
            if self._line.begins_with_tls and self._handshake:
                step = StartTLS(server_hostname=self._line.server_hostname)
                with suppress(PeerError):  # what it comes to is the outcome
                    await self._start_tls(step, self._limit(self.timeout))
        except TimeoutError as error:
            connecting.give_back(sock, private)
            raise WaitTimeout(f"TLS with {addresses.show(self.peer)}: {error}") from None
        except BaseException:
            connecting.give_back(sock, private)
            raise
        self._private = private
        return self

    async def _connect(self) -> tuple[connecting.QuietSocket, Any]:
        """Return a connected socket, and the private path that it is bound to."""
        import trio

        place = self._line.place
        for kind in place.kinds:
            sock, private = connecting.prepare(place, kind, **self._line.options)
            try:
                with trio.fail_at(self._limit(self.timeout)):
                    await connect(sock, place)
            except trio.TooSlowError:
                connecting.give_back(sock, private)
                late = TimeoutError(errno.ETIMEDOUT, "timed out")
                raise connecting.ConnectFailed(place.address, late) from None
            except OSError as error:
                connecting.give_back(sock, private)
                if not connecting.is_of_another_kind(error, place, kind):
                    raise connecting.ConnectFailed(place.address, error) from error
            except BaseException:
                connecting.give_back(sock, private)
                raise
            else:
                return sock, private
        raise AssertionError("the last kind is none of another kind")

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        self._close()
        import trio

        if error is None:
            await trio.lowlevel.checkpoint()

    def __del__(self) -> None:
        with suppress(Exception):
            self._close()

    # --- what is known of it

    @property
    def end(self) -> Any:
        """The end of the conversation, which has the inbox. Raises UsageError before there is one."""
        if self._end is None:
            raise UsageError(f"{self.name or 'this client'} is not connected: `async with ... as client` connects it")
        return self._end

    @property
    def address(self) -> Any:
        """Its own address, as the server sees it; None for a Unix socket without a name."""
        return self._address[:2] if isinstance(self._address, tuple) else self._address

    @property
    def peer(self) -> Any:
        """The address that it connects to."""
        return self._line.place.address

    @property
    def outcome(self) -> str:
        """What has become of it, in the same word on every version of Python: see Outcome."""
        return str(self._end.outcome) if self._end is not None else "not connected"

    @property
    def unread(self) -> bytes:
        """What has come and was not expected yet, as far as a step has read it; of datagrams the first one."""
        return bytes(self.end.inbox.unread)

    @property
    def deeds(self) -> list[Deed]:
        """The last things that both ends did, the oldest first."""
        found: list[Deed] = self.end.inbox.deeds
        return found

    @property
    def socket(self) -> Any:
        """The socket below, for what nobody thought of. It does not block."""
        return kernel_socket(self.end.sock)

    # --- playing

    async def play(self, script: Script) -> Self:
        """Take all steps of a script. Raises ScriptMismatch and ScriptTimeout."""
        __tracebackhide__ = True
        import trio

        if not isinstance(script, Script):
            raise UsageError(f"play({script!r}): expected a Script")
        end = self._check_free("play()")
        first, self._count = self._count + 1, self._count + len(script)
        progress = Progress(
            script,
            end.inbox,
            timeout=self.timeout,
            limit=self._limit(math.inf),
            first=first,
            whose=f"{self.name}, " if self.name else "",
        )
        self._is_playing = True
        try:
            while (action := progress.next(trio.current_time())) is not None:
                await self._perform(action, progress)
            await trio.lowlevel.checkpoint()
        except ScriptTimeout:
            end.ended_as(Outcome.TIMEOUT)
            raise
        except BaseException as error:
            if not isinstance(error, Exception):  # cancelled, alone or in a group
                self._close_forcefully()
            raise
        finally:
            self._is_playing = False
        return self

    async def _take(self, step: Step) -> TrioClient:
        __tracebackhide__ = True
        return await self.play(Script(step))

    def _check_free(self, method: str) -> Any:
        end = self.end
        if end.is_closed:
            raise UsageError(f"{method}: this client is closed; make another one, with server.connect_trio()")
        if self._is_playing:
            raise UsageError(f"{method}: another task takes a step with this client; one at a time")
        return end

    def _limit(self, seconds: float) -> float:
        """Return the time, on trio's clock, at which something that takes so long has to be over."""
        import trio

        testing = sys.modules.get("trio.testing")
        is_real = testing is None or not isinstance(trio.lowlevel.current_clock(), testing.MockClock)
        left = deadlines.latest() - monotonic() if is_real else math.inf  # the test's time is real
        return trio.current_time() + min(seconds, left)

    async def _perform(self, action: Action, progress: Progress) -> None:
        __tracebackhide__ = True
        import trio

        end = self.end
        try:
            if isinstance(action, Transmit):
                await self._transmit(action)
            elif isinstance(action, Act):
                await self._act(action)
            else:
                end.check_open("a step")
                await self._wait(action.until, action.event)
        except TimeoutError as error:
            raise progress.timed_out(trio.current_time(), str(error) or "it took too long") from None
        except PeerError as error:
            raise progress.stopped(str(error), trio.current_time()) from error

    # --- what a script asks for

    async def _transmit(self, action: Transmit) -> None:
        end, data = self.end, memoryview(action.data)
        if end.inbox.is_datagram:
            end.check_open("send(...)")
        else:
            end.check_may_send()
        sent = 0
        while sent < len(data) or not data:
            size = self._try_to_send(action, data[sent:])
            if size is None:
                if not await self._ready(action.deadline, for_writing=True):
                    raise TimeoutError(f"the other end took {sent} of {len(data)} bytes in time")
                continue
            sent += size
            if end.is_gone or not data:
                break
        if sent or (not data and not end.is_gone):
            end.inbox.note_sent(bytes(data[:sent]), end.clock())

    def _try_to_send(self, action: Transmit, rest: memoryview) -> int | None:
        end = self.end
        found: int | None
        found = end.try_to_send(rest, is_urgent=True) if action.is_urgent else end.try_to_send(rest)
        return found

    async def _act(self, action: Act) -> None:
        step, end = action.step, self.end
        if isinstance(step, StartTLS):
            end.check_open(step.text)
            await self._start_tls(step, action.deadline)
            return
        if isinstance(step, Reset) and step.flush:
            end.check_open(step.text)
            await self._flush(action.deadline)
            step = Reset()
        end.act(step, action.deadline)
        if end.is_closed:
            self._give_back()

    async def _flush(self, deadline: float) -> None:
        import trio

        while left := rude.unacknowledged(self.end.sock):
            if trio.current_time() >= deadline:
                raise TimeoutError(f"{left} bytes that were sent have not been taken")
            await trio.sleep(SLICE / 10)

    async def _start_tls(self, step: StartTLS, deadline: float) -> None:
        """Do the handshake, with the same words for what it comes to as in a thread."""
        import trio

        end = self.end
        secured = end.begin_tls(step)
        bare = kernel_socket(secured)
        while (needs := end.try_tls(secured)) is not None:
            with trio.move_on_at(deadline) as scope:
                await (trio.lowlevel.wait_writable(bare) if needs == "write" else trio.lowlevel.wait_readable(bare))
            if scope.cancelled_caught:
                raise TimeoutError(NO_HANDSHAKE)

    async def _wait(self, until: float, event: Any) -> None:
        """Until something comes, the event is set, or the time is over."""
        import trio

        end = self.end
        if end.may_have_more and not end.is_stalled and not end.rate_holds_back():
            end.take_in()
            return
        if isinstance(event, trio.Event):
            with trio.move_on_at(until):
                await event.wait()
            return
        if event is not None or (end.inbox.has_eof and not end.inbox.was_reset):
            end.look_for_reset()
            until = min(until, trio.current_time() + SLICE)
        if end.is_stalled or end.inbox.has_ended:
            await trio.sleep_until(until)
        elif end.rate_holds_back():
            await trio.sleep_until(min(until, end.may_read_at))
        elif await self._ready(until):
            end.take_in()

    async def _ready(self, until: float, *, for_writing: bool = False) -> bool:
        """Wait until the socket is ready; while it waits to write it reads. Return whether it is."""
        import trio

        bare = kernel_socket(self.end.sock)
        with trio.move_on_at(until) as scope:
            if not for_writing:
                await trio.lowlevel.wait_readable(bare)
            elif self.end.is_stalled or self.end.inbox.has_ended or self.end.rate_holds_back():
                await trio.lowlevel.wait_writable(bare)
            else:
                await self._either(bare)
        return not scope.cancelled_caught

    async def _either(self, bare: Any) -> None:
        """Wait until it can be written to, and read meanwhile: the other end may not go on before."""
        import trio

        async def read(scope: trio.CancelScope) -> None:
            await trio.lowlevel.wait_readable(bare)
            self.end.take_in()
            scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read, nursery.cancel_scope)
            await trio.lowlevel.wait_writable(bare)
            nursery.cancel_scope.cancel()

    # --- its end

    async def aclose(self) -> None:
        """Close it, as `async with` does."""
        import trio

        self._close()
        await trio.lowlevel.checkpoint()

    def _close(self) -> None:
        end = self._end
        if end is not None and not end.is_closed:
            end.act(CloseStep(), math.inf)
        self._give_back()

    def _close_forcefully(self) -> None:
        """Close it without a word in TLS: whoever cancels does not wait."""
        abandon = getattr(self.end.sock, "abandon", None)
        if abandon is not None:
            abandon()
        self._close()

    def _give_back(self) -> None:
        private, self._private = self._private, None
        if private is not None:
            private.remove()


async def connect(sock: Any, place: connecting.Place) -> None:
    """Connect a socket that does not block yet; as long as it takes."""
    import trio

    sock.setblocking(False)
    if place.family != socket.AF_UNIX:
        try:
            sock.connect(place.address)
        except BlockingIOError:
            await trio.lowlevel.wait_writable(sock)
        if number := sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(number, os.strerror(number))
        if sock.type == socket.SOCK_STREAM:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return
    while True:
        try:
            sock.connect(place.address)
        except BlockingIOError:  # the backlog is full, and nothing says when it is not
            await trio.sleep(SLICE)
        else:
            await trio.lowlevel.checkpoint()
            return
