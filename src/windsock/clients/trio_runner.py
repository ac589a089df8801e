"""Moves a script's progress over one end, in a task of trio: on its clock, and under its cancellation."""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from typing import Any

import trio

from windsock.clients.client_endpoint import ClientDatagramEndpoint, ClientStreamEndpoint
from windsock.endpoints.endpoint import SLICE
from windsock.endpoints.outcomes import Outcome
from windsock.endpoints.stream import NO_END_OF_TLS, NO_HANDSHAKE
from windsock.errors import PeerError
from windsock.net import abort, system
from windsock.net.abort import kernel_socket
from windsock.net.system import os, socket
from windsock.net.targets import Target
from windsock.scripts import Act, Action, Close, Progress, Reset, ScriptTimeout, StartTLS, StopTLS, Transmit

__all__ = ["connect", "part", "play", "start_tls"]

GOODBYE = 1.0
"""Seconds, on trio's clock, in which the other end may take the end of TLS."""
OwnEnd = ClientStreamEndpoint | ClientDatagramEndpoint


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
    """Move it to its end. Raises ScriptMismatch, ScriptTimeout, or UsageError for a step that can't be taken.

    Who is cancelled meanwhile has an end that is closed.
    """
    __tracebackhide__ = True
    try:
        while (action := progress.next(trio.current_time())) is not None:
            await _perform(action, progress, end)
        await trio.lowlevel.checkpoint()
    except ScriptTimeout:
        end.ended_as(Outcome.TIMEOUT)
        raise
    except BaseException as error:
        if not isinstance(error, Exception):  # cancelled, alone or in a group
            end.part()
        raise


async def _perform(action: Action, progress: Progress, end: OwnEnd) -> None:
    __tracebackhide__ = True
    try:
        if isinstance(action, Transmit):
            await _transmit(action, end)
        elif isinstance(action, Act):
            await _act(action, end)
        else:
            end.check_open("a step")
            await _wait(end, action.until, action.event)
    except TimeoutError as error:
        raise progress.timed_out(trio.current_time(), str(error) or "it took too long") from None
    except PeerError as error:
        raise progress.stopped(str(error), trio.current_time()) from error


# --- sending


async def _transmit(action: Transmit, end: OwnEnd) -> None:
    data, sent = memoryview(action.data), 0
    end.check_may_send(action.data, is_urgent=action.is_urgent)
    while sent < len(data) or not data:
        size = _try_to_send(action, data[sent:], end)
        if size is None:
            if not await _is_ready(end, action.deadline, for_writing=True):
                raise TimeoutError(f"the other end took {sent} of {len(data)} bytes in time")
            continue
        sent += size
        if end.is_gone or not data:
            break
    if sent or (not data and not end.is_gone):
        end.inbox.note_sent(bytes(data[:sent]), end.clock())


def _try_to_send(action: Transmit, rest: memoryview, end: OwnEnd) -> int | None:
    if action.is_urgent and isinstance(end, ClientStreamEndpoint):
        return end.try_to_send(rest, is_urgent=True)
    return end.try_to_send(rest)


# --- acts


async def _act(action: Act, end: OwnEnd) -> None:
    step = action.step
    end.check_open(step.text)
    if isinstance(step, StartTLS) and isinstance(end, ClientStreamEndpoint):
        await start_tls(end, step, action.deadline)
    elif isinstance(step, StopTLS) and isinstance(end, ClientStreamEndpoint):
        end.check_may_stop_tls(step)
        await _until_done(end.try_to_stop_tls, end.sock, action.deadline, NO_END_OF_TLS)
    elif isinstance(step, Close):
        await part(end)
    elif isinstance(step, Reset) and step.flush:
        await _flush(end, action.deadline)
        end.act(Reset(), action.deadline)
    else:
        end.act(step, action.deadline)


async def _flush(end: OwnEnd, deadline: float) -> None:
    """Wait until the other end's system has all that was sent. Raises TimeoutError."""
    while left := abort.unacknowledged(end.sock):
        if trio.current_time() >= deadline:
            raise TimeoutError(f"{left} bytes that were sent have not been taken")
        await trio.sleep(SLICE / 10)


async def start_tls(end: ClientStreamEndpoint, step: StartTLS, deadline: float) -> None:
    """Do the handshake, with the same words for what it comes to as in a thread. Raises PeerError, TimeoutError."""
    secured = end.begin_tls(step)
    await _until_done(partial(end.try_tls, secured), secured, deadline, NO_HANDSHAKE)


async def _until_done(attempt: Callable[[], str | None], sock: Any, deadline: float, words: str) -> None:
    """Try again and again, when the socket is ready. Raises TimeoutError with these words."""
    bare = kernel_socket(sock)
    while (needs := attempt()) is not None:
        with trio.move_on_at(deadline) as scope:
            await (trio.lowlevel.wait_writable(bare) if needs == "write" else trio.lowlevel.wait_readable(bare))
        if scope.cancelled_caught:
            raise TimeoutError(words)


async def part(end: OwnEnd) -> None:
    """Close an end; in TLS once the other end has taken its close_notify, for which it has a second."""
    try:
        with trio.move_on_after(GOODBYE):
            while not end.say_goodbye():
                await trio.lowlevel.wait_writable(kernel_socket(end.sock))
    finally:
        end.part()


# --- waiting


async def _wait(end: OwnEnd, until: float, event: Any) -> None:
    """Until something comes, the event is set, or the time is over."""
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
    elif await _is_ready(end, until):
        end.take_in()


async def _is_ready(end: OwnEnd, until: float, *, for_writing: bool = False) -> bool:
    """Wait until the socket is ready; while it waits to write it reads. Return whether it is."""
    bare = kernel_socket(end.sock)
    with trio.move_on_at(until) as scope:
        if not for_writing:
            await trio.lowlevel.wait_readable(bare)
        elif end.may_read():
            await _either(end, bare)
        else:
            await trio.lowlevel.wait_writable(bare)
    return not scope.cancelled_caught


async def _either(end: OwnEnd, bare: socket.socket) -> None:
    """Wait until it can be written to, and read meanwhile: the other end may not go on before."""

    async def read(scope: trio.CancelScope) -> None:
        await trio.lowlevel.wait_readable(bare)
        end.take_in()
        scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read, nursery.cancel_scope)
        await trio.lowlevel.wait_writable(bare)
        nursery.cancel_scope.cancel()
