"""Runs scripts in a task of trio: on its clock, and under its cancellation."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import trio

from windsock.clients import nonblocking
from windsock.clients.nonblocking import Need, OwnEnd, Run
from windsock.endpoints.endpoint import SLICE
from windsock.net import system
from windsock.net.abort import kernel_socket
from windsock.net.event_loop import READABLE, WRITABLE
from windsock.net.system import os, socket
from windsock.net.targets import Target
from windsock.scripts import Progress

__all__ = ["carry_out", "connect", "part", "play"]


async def connect(sock: socket.socket, place: Target) -> None:
    """Connect a socket that does not block yet; as long as it takes."""
    sock.setblocking(False)
    if place.family == getattr(socket, "AF_UNIX", None):
        await _connect_to_path(sock, place.address)
        return
    try:
        sock.connect(place.address)
    except BlockingIOError:
        await trio.lowlevel.wait_writable(sock)
    number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if number not in (0, errno.ECONNRESET):  # a connection that is reset at once has been one: reading says so
        raise OSError(number, os.strerror(number))
    if sock.type == socket.SOCK_STREAM:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


async def _connect_to_path(sock: socket.socket, path: Any) -> None:
    while True:
        try:
            system.connect(sock, path)
        except BlockingIOError:  # the backlog is full, and nothing says when it is not
            await trio.sleep(SLICE)
        else:
            await trio.lowlevel.checkpoint()
            return


async def play(progress: Progress, end: OwnEnd) -> None:
    """Run a script to its end. Raises ScriptMismatch, ScriptTimeout, or UsageError for a step that can't be taken.

    If it is cancelled, `end` is closed.
    """
    __tracebackhide__ = True
    try:
        await carry_out(nonblocking.play(progress, end), end)
        await trio.lowlevel.checkpoint()
    except BaseException as error:
        if not isinstance(error, Exception):  # cancelled, alone or in a group
            end.part()
        raise


async def part(end: OwnEnd) -> None:
    """Close an end; in TLS once the other end has taken its close_notify, for which it has a second."""
    try:
        await carry_out(nonblocking.say_goodbye(end), end)
    finally:
        end.part()


async def carry_out(run: Run, end: OwnEnd) -> None:
    """Carry out a run, waiting for what it needs."""
    __tracebackhide__ = True
    is_ready: bool | None = None
    with suppress(StopIteration):
        while True:
            need = run.send(is_ready)
            is_ready = await _is_ready(end, need)


async def _is_ready(end: OwnEnd, need: Need) -> bool:
    """Wait; return whether the socket is ready. False: there is another reason to continue."""
    events, until, event = need
    now = trio.current_time()
    if not events and until <= now:  # nothing to wait for: cancelled is what comes after the step
        return False
    bare = kernel_socket(end.sock)
    if event is not None and not isinstance(event, trio.Event):
        until = min(until, now + SLICE)
    with trio.move_on_at(until):
        if isinstance(event, trio.Event):
            await event.wait()
            return False
        if events == READABLE | WRITABLE:
            await _either(bare)
        elif events == READABLE:
            await trio.lowlevel.wait_readable(bare)
        elif events:
            await trio.lowlevel.wait_writable(bare)
        else:
            await trio.sleep_forever()
        return True
    return False


async def _either(bare: socket.socket) -> None:
    """Wait until the socket can be read or written to."""

    async def wait(until_ready: Callable[[socket.socket], Awaitable[None]]) -> None:
        await until_ready(bare)
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, trio.lowlevel.wait_readable)
        nursery.start_soon(wait, trio.lowlevel.wait_writable)
