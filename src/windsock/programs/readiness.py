"""How it is known that a program is ready: a connection, a line of output, a probe, or a socket passed to it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol

from windsock.errors import UsageError, text_of
from windsock.net import addresses
from windsock.net.system import connect, monotonic, sleep, socket
from windsock.programs import kernel
from windsock.programs.execution import Execution
from windsock.programs.output import compiled
from windsock.programs.ports import family_of
from windsock.scripts.script import Script

__all__ = ["Connected", "LineSeen", "Probed", "ProgramReadiness", "SocketPassed", "readiness_of"]

SHORTEST, LONGEST = 0.0002, 0.02
"""Seconds between two looks: a hundredth of the time since the start, within these bounds."""
PROBE_TIMEOUT = 1.0
"""Seconds that connecting, and each step of a script that probes, may take."""


class ProgramReadiness(Protocol):
    """A way to know that a program is ready."""

    def look(self, execution: Execution, /) -> bool:
        """Return whether the program is ready."""
        ...

    def pause(self, execution: Execution, seconds: float, /) -> None:
        """Wait before the next look, for at most `seconds`."""
        ...

    def missing(self, execution: Execution, /) -> str:
        """Return what has not happened."""
        ...


class Pauses:
    """Pauses that are short at first, and grow with the time since the start."""

    def pause(self, execution: Execution, seconds: float) -> None:
        """See ProgramReadiness."""
        since = monotonic() - execution.began
        sleep(min(max(SHORTEST, since / 100), LONGEST, max(0.0, seconds)))


class Connected(Pauses):
    """The main address accepts a connection; that of a program which takes datagrams is bound."""

    def look(self, execution: Execution) -> bool:
        """See ProgramReadiness."""
        address = execution.address
        if execution.options.transport == "udp":
            return any(each.covers("udp", address) for each in kernel.listeners())
        return _connects(address)

    def missing(self, execution: Execution) -> str:
        """See ProgramReadiness."""
        takes = "takes datagrams" if execution.options.transport == "udp" else "accepts connections"
        return f"nothing {takes} at {addresses.show(execution.address)}"


class LineSeen:
    """A line of output matches. Its group `port`, if there is one, is the port that the program has chosen."""

    def __init__(self, pattern: re.Pattern[Any]) -> None:
        self._pattern = pattern
        self._seen = -1

    def look(self, execution: Execution) -> bool:
        """See ProgramReadiness."""
        output = execution.output
        self._seen = max(self._seen, execution.output_start)
        found, self._seen = output.search(self._pattern, self._seen)
        if found is not None and found.groupdict().get("port"):
            execution.use_port(int(found["port"]))
        return found is not None

    def pause(self, execution: Execution, seconds: float) -> None:
        """See ProgramReadiness."""
        if not execution.output.wait(self._seen, min(seconds, LONGEST)) or execution.output.is_over:
            sleep(SHORTEST)

    def missing(self, _: Execution) -> str:
        """See ProgramReadiness."""
        return f"no line of its output matched {self._pattern.pattern!r}"


class Probed(Pauses):
    """A function returns something true, or a script that a client plays comes to its end."""

    def __init__(self, probe: Callable[[Execution], object]) -> None:
        self._probe = probe
        self._last = "has returned nothing true"

    def look(self, execution: Execution) -> bool:
        """See ProgramReadiness."""
        try:
            return bool(self._probe(execution))
        except UsageError:
            raise
        except Exception as error:
            self._last = f"has last raised {type(error).__name__}: {text_of(error)}"
            return False

    def missing(self, _: Execution) -> str:
        """See ProgramReadiness."""
        return f"the probe {self._last}"


class SocketPassed(Pauses):
    """The program gets a socket that listens already (sd_listen_fds(3)), so clients need not wait for it."""

    def look(self, _: Execution) -> bool:
        """See ProgramReadiness."""
        return True

    def missing(self, _: Execution) -> str:
        """See ProgramReadiness."""
        return "it was not started"


def readiness_of(ready: Any) -> Callable[[], ProgramReadiness]:
    """Return what makes the readiness of each start. Raises UsageError for invalid values of `ready=`."""
    if ready == "connect":
        return Connected
    if ready == "socket":
        return SocketPassed
    if isinstance(ready, Script):
        return lambda: Probed(lambda execution: _plays(execution, ready))
    if isinstance(ready, str | bytes | re.Pattern):
        pattern = compiled("real_server, ready=", ready)
        return lambda: LineSeen(pattern)
    if callable(ready):
        return lambda: Probed(lambda execution: ready(execution.server()))
    raise UsageError(
        f"ready={ready!r}: expected 'connect', 'socket', a regular expression for a line of output, "
        "a function of the server, or a Script"
    )


def _connects(address: Any) -> bool:
    family = family_of(address[0]) if isinstance(address, tuple) else socket.AF_UNIX
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_TIMEOUT)
        try:
            connect(probe, address)
        except OSError as error:
            return _is_datagram_socket(error)
        return True


def _is_datagram_socket(error: OSError) -> bool:
    """Return whether connecting has failed because a Unix socket takes datagrams (unix(7))."""
    import errno

    return error.errno == errno.EPROTOTYPE


def _plays(execution: Execution, script: Script) -> bool:
    from windsock.clients.connector import scripted_client

    transport = execution.options.client_transport
    with scripted_client(execution.known_address, transport=transport, timeout=PROBE_TIMEOUT) as client:
        client.play(script)
    return True
