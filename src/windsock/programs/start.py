"""Starting a program: again on other ports if they are taken, until it is ready, ends, or its time is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from windsock.errors import UsageError, whole
from windsock.net import deadlines
from windsock.net.system import monotonic, sleep
from windsock.programs import kernel
from windsock.programs.errors import ProgramEnded, ProgramError, ProgramNotReady, ending_of
from windsock.programs.ownership import find_strays, is_of_another_process, where_it_listens
from windsock.programs.readiness import ProgramReadiness, SocketPassed

if TYPE_CHECKING:
    from windsock.programs.running import RealServer

__all__ = ["DRAIN", "check_ready_can_be_seen", "first_start", "in_background", "kill_strays", "start_again"]

ATTEMPTS = 5
"""Starts on different ports before it is an error that they are taken."""
RETRY = 0.05
"""Seconds before it is started again on the same ports, if they are taken."""
DRAIN = 0.2
"""Seconds to wait for the rest of the output of a program that has ended."""
GOES_TO_BACKGROUND = 0.5
"""Seconds in which a process that was left in the background is looked for."""
FOREGROUND = "tell it to stay in the foreground, as with --daemonize no, -D, -F or `daemon off;`"


class PortTaken(Exception):
    """Another process has a port of the program. `failure` is what to raise if that does not change."""

    def __init__(self, failure: ProgramError) -> None:
        self.failure = failure


def check_ready_can_be_seen(server: RealServer) -> None:
    """Raise UsageError if the program has no address, and its readiness needs one."""
    if server.options.ready in ("connect", "socket") and not server.workspace.placeholders.addresses:
        raise UsageError(
            f"real_server({list(server.options.command)!r}): neither {{port}} nor {{path}} is in the command, env= or "
            f"files=, so ready={server.options.ready!r} has no address; use one of them, or ready= a line of output"
        )


def first_start(server: RealServer) -> None:
    """Start a program, on other ports if another process has taken them."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _start(server, deadlines.within(server.options.timeout))
            return
        except PortTaken as taken:
            if attempt == ATTEMPTS:
                raise taken.failure from None
            server.choose_ports_anew()


def start_again(server: RealServer) -> None:
    """Start it on the same ports; wait until they are free."""
    until = monotonic() + deadlines.within(server.options.timeout)
    while True:
        try:
            _start(server, until - monotonic())
            return
        except PortTaken as taken:
            if monotonic() + RETRY >= until:
                raise taken.failure from None
            sleep(RETRY)


def kill_strays(server: RealServer, seconds: float = 0.0) -> list[int]:
    """Kill what an ended program has left in the background; return the pids. Look for it for some seconds."""
    process, workspace = server.process, server.workspace
    until = monotonic() + seconds
    while True:
        found = find_strays(process, workspace.executable, workspace.mark, workspace.placeholders.ports)
        if found or monotonic() >= until:
            break
        sleep(0.01)
    for each in found:
        process.kill(kernel.family(each.pid))
    return [each.pid for each in found]


def _start(server: RealServer, seconds: float) -> None:
    """Start it, and wait until it is ready; leave nothing of it if it fails."""
    server.launch()
    try:
        _wait_until_ready(server, server.options.readiness(), seconds)
    except BaseException:
        server.abandon()
        raise


def _wait_until_ready(server: RealServer, readiness: ProgramReadiness, seconds: float) -> None:
    until = monotonic() + seconds
    while True:
        if server.process.has_ended:
            raise _ended(server)
        if readiness.look(server):
            _check_owner(server, readiness)
            if server.process.has_ended:
                raise _ended(server)
            return
        left = until - monotonic()
        if left <= 0:
            raise _not_ready(server, readiness)
        readiness.pause(server, left)


def _check_owner(server: RealServer, readiness: ProgramReadiness) -> None:
    """Raise PortTaken if another process answers at the program's address."""
    if isinstance(readiness, SocketPassed) or not server.workspace.placeholders.addresses:
        return
    address = server.direct_address
    kind = server.options.transport if isinstance(address, tuple) else "unix"
    if is_of_another_process(server.process, kind, address) and not server.process.has_ended:
        raise PortTaken(_error(server, "another process answers at its address, and it has not noticed"))


def _ended(server: RealServer) -> ProgramError | PortTaken:
    """Return what to raise for a program that has ended before it was ready."""
    exit_code = server.process.exit_code
    server.output.drain(DRAIN)
    what = f"{ending_of(exit_code)} after {monotonic() - server.began:.2f} s, before it was ready"
    if exit_code == 0:
        return _error(server, f"{what}{in_background(kill_strays(server, GOES_TO_BACKGROUND))}")
    failure = _error(server, what)
    return failure if server.workspace.has_free_ports() else PortTaken(failure)


def in_background(strays: list[int]) -> str:
    """Return in words what a program has left in the background, and what to do about it."""
    if strays:
        left = ", ".join(map(str, strays))
        return f", and left a process in the background (pid {left}), which was killed: {FOREGROUND}"
    return f"; if it goes into the background, {FOREGROUND}"


def _error(server: RealServer, what: str) -> ProgramEnded:
    return ProgramEnded(server.command, what, server.process.exit_code, server.output.lines)


def _not_ready(server: RealServer, readiness: ProgramReadiness) -> ProgramNotReady:
    listens = where_it_listens(server.process)
    hint = "pass a longer timeout= or another ready="
    if listens:
        hint = f"it listens on {', '.join(listens)}: was it told its address, {{host}} and {{port}}?"
    time = whole(server.options.timeout, is_cut=deadlines.is_over())
    return ProgramNotReady(
        server.command,
        f"was not ready within {time}: {readiness.missing(server)}; {hint}",
        None,
        server.output.lines,
    )
