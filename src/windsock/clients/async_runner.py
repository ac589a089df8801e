"""Runs scripts in a task of asyncio or trio: on the loop's clock, and under its cancellation."""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import Any

from windsock.clients import nonblocking
from windsock.clients.nonblocking import Need, OwnEnd, Run
from windsock.endpoints.endpoint import SLICE
from windsock.net import system
from windsock.net.abort import kernel_socket
from windsock.net.async_loops import AsyncLoop
from windsock.net.event_loop import READABLE, WRITABLE
from windsock.net.system import os, socket
from windsock.net.targets import Target
from windsock.scripts import Progress

__all__ = ["carry_out", "connect", "part", "play"]


async def connect(loop: AsyncLoop, sock: socket.socket, place: Target, until: float) -> None:
    """Connect a socket that does not block yet, until a time of the loop. Raises OSError."""
    sock.setblocking(False)
    if place.family == getattr(socket, "AF_UNIX", None):
        await _connect_to_path(loop, sock, place.address, until)
        return
    try:
        sock.connect(place.address)
    except BlockingIOError:
        if not await loop.wait_ready([(sock.fileno(), WRITABLE)], until):
            raise _timed_out() from None
    number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number not in (0, errno.ECONNRESET):  # a connection that is reset at once has been one: reading says so
        raise OSError(number, os.strerror(number))
    if sock.type == socket.SOCK_STREAM:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


async def _connect_to_path(loop: AsyncLoop, sock: socket.socket, path: Any, until: float) -> None:
    while True:
        try:
            system.connect(sock, path)
        except BlockingIOError:  # the backlog is full, and nothing says when it is not
            now = loop.now()
            if now >= until:
                raise _timed_out() from None
            await loop.wait_ready([], min(until, now + SLICE))
        else:
            await loop.checkpoint()
            return


def _timed_out() -> TimeoutError:
    return TimeoutError(errno.ETIMEDOUT, "timed out")


async def play(loop: AsyncLoop, progress: Progress, end: OwnEnd) -> None:
    """Run a script to its end. Raises ScriptMismatch, ScriptTimeout, or UsageError for a step that can't be taken.

    If it is cancelled, `end` is closed.
    """
    __tracebackhide__ = True
    try:
        await carry_out(loop, nonblocking.play(progress, end), end)
        await loop.checkpoint()
    except BaseException as error:
        if not isinstance(error, Exception):  # cancelled, alone or in a group
            end.part()
        raise


async def part(loop: AsyncLoop, end: OwnEnd) -> None:
    """Close an end; in TLS once the other end has taken its close_notify, for which it has a second."""
    try:
        await carry_out(loop, nonblocking.say_goodbye(end), end)
    finally:
        end.part()


async def carry_out(loop: AsyncLoop, run: Run, end: OwnEnd) -> None:
    """Carry out a run, waiting for what it needs."""
    __tracebackhide__ = True
    is_ready: bool | None = None
    with suppress(StopIteration):
        while True:
            need = run.send(is_ready)
            is_ready = await _is_ready(loop, end, need)


async def _is_ready(loop: AsyncLoop, end: OwnEnd, need: Need) -> bool:
    """Wait; return whether the socket is ready. False: there is another reason to continue."""
    events, until, event = need
    now = loop.now()
    if not events and until <= now:  # nothing to wait for: cancelled is what comes after the step
        return False
    if event is not None:
        if (waiting := loop.wait_event(event, until)) is not None:
            return await waiting
        until = min(until, now + SLICE)
    descriptor = kernel_socket(end.sock).fileno()
    return await loop.wait_ready([(descriptor, each) for each in (READABLE, WRITABLE) if events & each], until)
