"""Starting a program: again on other ports if they are taken, until it is ready, ends, or its time is over."""

from __future__ import annotations

from windsock.errors import UsageError, whole
from windsock.net import addresses, deadlines
from windsock.net.system import monotonic, sleep
from windsock.programs.errors import ProgramError, ProgramNotReady, ending_of
from windsock.programs.execution import Execution, in_background
from windsock.programs.ownership import is_of_another_process, where_it_listens
from windsock.programs.readiness import ProgramReadiness, SocketPassed, readiness_of

__all__ = ["check_ready_can_be_seen", "first_start", "start_again"]

ATTEMPTS = 5
"""Starts on different ports before it is an error that they are taken."""
RETRY = 0.05
"""Seconds before it is started again on the same ports, if they are taken."""
GOES_TO_BACKGROUND = 0.5
"""Seconds in which a process that was left in the background is looked for."""


class PortTaken(Exception):
    """Another process has a port of the program. `failure` is what to raise if that does not change."""

    def __init__(self, failure: ProgramError) -> None:
        self.failure = failure


def check_ready_can_be_seen(execution: Execution) -> None:
    """Raise UsageError if the program has no address, and its readiness needs one."""
    options = execution.options
    if options.ready in ("connect", "socket") and not execution.workspace.placeholders.addresses:
        raise UsageError(
            f"real_server({list(options.command)!r}): neither {{port}} nor {{path}} is in the command, env= or "
            f"files=, so ready={options.ready!r} has no address; use one of them, or ready= a line of output"
        )


def first_start(execution: Execution) -> None:
    """Start a program, on other ports if another process has taken them."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _start(execution, deadlines.within(execution.options.timeout))
            return
        except PortTaken as taken:
            if attempt == ATTEMPTS:
                raise taken.failure from None
            execution.choose_ports_anew()


def start_again(execution: Execution) -> None:
    """Start it on the same ports; wait until they are free."""
    until = monotonic() + deadlines.within(execution.options.timeout)
    while True:
        try:
            _start(execution, until - monotonic())
            return
        except PortTaken as taken:
            if monotonic() + RETRY >= until:
                raise taken.failure from None
            sleep(RETRY)


def _start(execution: Execution, seconds: float) -> None:
    """Start it, and wait until it is ready; leave nothing of it if it fails."""
    try:
        execution.launch()
        _wait_until_ready(execution, readiness_of(execution.options.ready)(), seconds)
    except BaseException:
        execution.kill()
        raise


def _wait_until_ready(execution: Execution, readiness: ProgramReadiness, seconds: float) -> None:
    until = monotonic() + seconds
    while not execution.process.has_ended:
        if readiness.look(execution):
            _check_owner(execution, readiness)
            if execution.process.has_ended:
                break
            return
        left = until - monotonic()
        if left <= 0:
            raise _not_ready(execution, readiness)
        readiness.pause(execution, left)
    raise _ended(execution)


def _check_owner(execution: Execution, readiness: ProgramReadiness) -> None:
    """Raise PortTaken if another process answers at the program's address."""
    address = execution.address
    if isinstance(readiness, SocketPassed) or address is None:
        return
    kind = execution.options.transport if isinstance(address, tuple) else "unix"
    if is_of_another_process(execution.process, kind, address) and not execution.process.has_ended:
        raise PortTaken(execution.error("another process answers at its address, and it has not noticed"))


def _ended(execution: Execution) -> ProgramError | PortTaken:
    """Return what to raise for a program that has ended before it was ready."""
    exit_code = execution.exit_code
    what = f"{ending_of(exit_code)} after {monotonic() - execution.began:.2f} s, before it was ready"
    if exit_code == 0:
        return execution.error(f"{what}{in_background(_strays(execution))}")
    failure = execution.error(what)
    return failure if execution.workspace.has_free_ports() else PortTaken(failure)


def _strays(execution: Execution) -> list[int]:
    """Kill what the program has left in the background; wait a while until it can be found by its port."""
    until = monotonic() + GOES_TO_BACKGROUND
    while not (found := execution.strays()) and monotonic() < until:
        sleep(0.01)
    return found


def _not_ready(execution: Execution, readiness: ProgramReadiness) -> ProgramNotReady:
    listens = where_it_listens(execution.process)
    hint = "pass a longer timeout= or another ready="
    is_told = execution.address is not None and addresses.show(execution.address) in listens
    if listens and not is_told:
        hint = f"it listens on {', '.join(listens)}: was it told its address, {{host}} and {{port}}?"
    time = whole(execution.options.timeout, is_cut=deadlines.is_over())
    return ProgramNotReady(
        execution.workspace.command,
        f"was not ready within {time}: {readiness.missing(execution)}; {hint}",
        None,
        execution.output.lines,
    )
