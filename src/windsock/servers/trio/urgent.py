"""Urgent data of async handlers: the stream looks for it before each read, and a task while the handler does not read.

trio waits for ordinary data only. An epoll(7) of its own, which trio waits for, reports urgent data as well.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import trio

from windsock.net import urgent
from windsock.net.system import select, socket
from windsock.servers.urgent_socket import IN, PRI, UrgentReader, events_of

__all__ = ["UrgentStream"]


class UrgentStream:
    """Urgent data of one stream: replaces the `recv` of its socket, which all reads of the stream use."""

    def __init__(self, stream: Any, tell: Callable[[bytes, int], Any], *, is_inline: bool) -> None:
        self._socket = stream.socket
        self._tell = tell
        self._found: list[tuple[bytes, int]] = []
        self._reader = UrgentReader(
            stream.socket, self._keep, is_inline=is_inline, note=getattr(stream.socket, "note_urgent", None)
        )
        self._recv_now = getattr(stream.socket, "recv_now", None)
        if is_inline:
            urgent.keep_inline(stream.socket)
        self._telling = trio.Lock()
        self._either = _Epoll(stream.socket, IN | PRI)
        self._urgent = _Epoll(stream.socket, PRI)
        self._recv_before = vars(stream.socket).get("recv")
        stream.socket.recv = self.recv

    def _keep(self, byte: bytes, position: int) -> None:
        self._found.append((byte, position))

    async def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """See socket.socket."""
        await trio.lowlevel.checkpoint_if_cancelled()
        while True:
            events = events_of(self._socket.fileno(), 0.0)
            if not events:
                await self._either.wait()
            elif events & PRI and not (self._reader.is_inline or self._reader.is_gone):
                await self.tell()
            else:
                async with self._turn():
                    try:
                        data = self._read(events, bufsize, flags)
                    except BlockingIOError:  # a Unix socket is readable until the place of a taken byte was read
                        continue
                    await self._told()
                await trio.lowlevel.cancel_shielded_checkpoint()
                return data

    def _turn(self) -> contextlib.AbstractAsyncContextManager[Any]:
        """Return a lock, so that no read overtakes the handling of a byte; free for the task that handles it."""
        is_mine = self._telling.statistics().owner is trio.lowlevel.current_task()
        return contextlib.nullcontext() if is_mine else self._telling

    def _read(self, events: int, bufsize: int, flags: int) -> bytes:
        def call(twin: socket.socket, flags: int, is_alone: bool) -> bytes:
            size = 1 if is_alone else bufsize
            if self._recv_now is None:
                return twin.recv(size, flags)
            data: bytes = self._recv_now(size, flags)
            return data

        data: bytes = self._reader.read(events, flags, call)
        return data

    async def tell(self) -> None:
        """Take an urgent byte, and tell the handler."""
        async with self._turn():
            self._reader.tell()
            await self._told()

    async def _told(self) -> None:
        while self._found:
            result = self._tell(*self._found.pop(0))
            if inspect.isawaitable(result):
                await result

    async def run_beside(self, handle: Callable[[], Awaitable[None] | None]) -> None:
        """Run the handler beside a task that watches for urgent data; its exceptions are raised as they are."""
        if self._reader.is_inline:
            await _run(handle)
            return
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch)
                await _run(handle)
                if self._socket.fileno() >= 0:
                    await self.tell()  # of a byte that the task had no time for
                nursery.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            if len(group.exceptions) > 1:
                raise
            raise group.exceptions[0] from None

    async def _watch(self) -> None:
        while not self._reader.is_gone:
            await self._urgent.wait()
            await self.tell()

    def end(self) -> None:
        """Look no more."""
        del self._socket.recv
        if self._recv_before is not None:
            self._socket.recv = self._recv_before
        if not self._reader.is_inline and self._socket.fileno() >= 0:
            urgent.pass_mark(self._socket)
        self._reader.let_go()
        self._either.close()
        self._urgent.close()


class _Epoll:
    """An epoll(7) with one socket, for events that trio does not wait for."""

    def __init__(self, sock: Any, events: int) -> None:
        self._epoll = select.epoll()
        self._epoll.register(sock.fileno(), events)

    async def wait(self) -> None:
        await trio.lowlevel.wait_readable(self._epoll.fileno())

    def close(self) -> None:
        self._epoll.close()


async def _run(handle: Callable[[], Awaitable[None] | None]) -> None:
    result = handle()
    if result is not None and inspect.isawaitable(result):
        await result
