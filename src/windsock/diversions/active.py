"""The diversions of this process that are active now, and what they say to a lookup or a connection."""

from __future__ import annotations

import socket as standard  # the standard library's own gaierror, gethostname(): what the code under test knows
from typing import Any, NamedTuple, Protocol

from windsock.diversions import names, patches
from windsock.diversions.errors import NotDiverted
from windsock.diversions.placeholders import name_of, placeholder
from windsock.diversions.routes import Routes
from windsock.net.addresses import is_loopback
from windsock.net.system import socket, threading
from windsock.net.targets import Target
from windsock.recording.subject import living

__all__ = ["Way", "begin", "end", "families_of", "way_to"]

ANYWHERE = ("", "0.0.0.0", "::")
"""Hosts that mean this machine to connect(2)."""
NO_NAMES = ("localhost", "<broadcast>", *ANYWHERE)
"""Hosts whose lookup asks no other machine."""


class _Diversion(Protocol):
    """A diversion, as a lookup or a connection sees it."""

    routes: Routes

    @property
    def others(self) -> str: ...
    def refusal(self, host: str, port: int | None) -> NotDiverted: ...


_active: tuple[_Diversion, ...] = ()
"""The latest first."""
_lock = threading.Lock()


def begin(diversion: _Diversion) -> None:
    """Have a diversion act, in the whole process."""
    global _active
    with _lock:
        if not _active:
            patches.install(families_of, way_to)
        _active = (diversion, *_active)


def end(diversion: _Diversion) -> None:
    """Have it act no more. The last one puts back what the standard library had."""
    global _active
    with _lock:
        _active = tuple(each for each in _active if each is not diversion)
        if not _active:
            patches.remove()


def families_of(host: str, port: int | None) -> list[int]:
    """Return the address families of a diverted name, given in its one spelling; none for another host.

    Raises NotDiverted for a name that must not be looked up.
    """
    if names.is_literal(host):
        return []
    found: list[Target] = []
    for each in _active:
        found += each.routes.of_name(host) if port is None else filter(None, [each.routes.find(host, port)])
    if not found and host not in NO_NAMES and host != names.normal(standard.gethostname()):
        _refuse(host, port)
    return sorted({each.family for each in (found if port is None else found[:1])}, key=int)


class Way(NamedTuple):
    """Where a connection or datagram really goes, and where from its answers seem to come."""

    address: Any
    apparent: Any = None
    """None: from there."""


def way_to(family: int, address: Any, *, is_datagram: bool = False) -> Way:
    """Return the way to an address, `(host, port, ...)`.

    Raises NotDiverted if it may not be reached; gaierror if sockets of this family cannot.
    """
    asked, port = names.normal(address[0]), address[1]
    name = name_of(asked)
    host = name or asked
    target = next(filter(None, (each.routes.find(host, port) for each in _active)), None)
    if target is not None:
        numeric = address[0] if names.is_literal(host) else placeholder(host, family)
        return Way(_reachable(target, host, family), (numeric, port, 0, 0) if ":" in numeric else (numeric, port))
    if not (is_datagram and is_loopback(asked)) and not _is_known(host, port):
        _refuse(host, port)
    return Way(address if name is None else (name, *address[1:]))


def _reachable(target: Target, host: str, family: int) -> Any:
    """Return the target's address for sockets of a family."""
    if target.family == family:
        return target.address
    if family == socket.AF_INET6:
        return f"::ffff:{target.address[0]}", target.address[1], 0, 0
    raise standard.gaierror(
        socket.EAI_NONAME, f"{host} is diverted to {target.address[0]}, which a socket for IPv4 cannot reach"
    )


def _is_known(host: str, port: int) -> bool:
    """Return whether a server or proxy of windsock is there, or a name leads there."""
    is_here = host in ANYWHERE or is_loopback(host)
    if any(each.routes.leads_to(host, port) for each in _active):
        return True
    return any(
        not each.is_stopped and not each.is_unix and each.address[1] == port and (is_here or each.address[0] == host)
        for each in living()
    )


def _refuse(host: str, port: int | None) -> None:
    """Raise NotDiverted if a diversion refuses what is elsewhere."""
    refusing = next((each for each in _active if each.others == "refuse"), None)
    if refusing is not None:
        raise refusing.refusal(host, port)
