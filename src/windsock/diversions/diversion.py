"""`divert()`: names lead to other addresses for the length of a `with`, in the whole process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TypeAlias

from windsock.diversions import active
from windsock.diversions.errors import NotDiverted, failure_of, related
from windsock.diversions.routes import Routes
from windsock.errors import UsageError
from windsock.net.interrupts import uninterrupted
from windsock.net.whereabouts import place_of_caller

if TYPE_CHECKING:
    from windsock.recording.subject import Subject

__all__ = ["Diversion", "Divertible", "Others", "ServerPair", "divert"]


class ServerPair(Protocol):
    """Two servers at one address, as `tcp_udp_server` is."""

    @property
    def servers(self) -> tuple[Subject, Subject]:
        """Both servers."""


class HasAddress(Protocol):
    """A real program, whose address may change: a proxy for faults comes in front of it."""

    @property
    def address(self) -> Any:
        """Where it is now."""


Divertible: TypeAlias = "Subject | ServerPair | HasAddress | tuple[str, int] | tuple[str, int, int, int]"
"""Where a name can lead: a running server, pair of servers, program or proxy of windsock, or its address."""
Others: TypeAlias = Literal["allow", "refuse"]


def divert(names: Mapping[str, Divertible], *, others: Others = "allow", strict: bool = True) -> Diversion:
    """Return a context manager: within, connections to these names and ports go to the servers that they map to.

    A key is a name, a wildcard or an IP address, with a port or for all ports: "api.example:443", "*.example". A value
    is a server, a pair of them or a proxy of windsock, or `(host, port)`. Sockets, asyncio and trio are diverted in all
    threads.

    With `others="refuse"`, a connection to anywhere else raises NotDiverted at once; servers and proxies of windsock
    are always reachable. If the code under test swallows that, the `with` raises it at its end, unless `strict=False`.

    Raises UsageError for what cannot be diverted, or where to.
    """
    return Diversion(Routes(names), others, strict=strict)


class Diversion:
    """A diversion of names, active within its `with`. Others may be active around it and inside it.

    `refused` has the connections that it has refused.
    """

    def __init__(self, routes: Routes, others: Others = "allow", *, strict: bool = True) -> None:
        if others not in ("allow", "refuse"):
            raise UsageError(f'others={others!r}: expected "allow" or "refuse"')
        if not len(routes) and others == "allow":
            raise UsageError('divert({}): expected a name at least, or others="refuse"')
        self.routes = routes
        self.others = others
        self.strict = strict
        self._is_active = False
        self._refused: dict[tuple[str, int | None, str], NotDiverted] = {}

    def __repr__(self) -> str:
        what = ", ".join(filter(None, [str(self.routes), "others refused" if self.others == "refuse" else ""]))
        return f"<diversion{'' if self._is_active else ', not active'}: {what}>"

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        __tracebackhide__ = True  # pytest leaves such frames out
        self.end()
        if error is not None:
            self.note_on(error)
        elif refused := self.unexpected():
            raise failure_of(refused)

    @uninterrupted
    def begin(self) -> None:
        """Divert from now on. Raises UsageError if it is active already."""
        if self._is_active:
            raise UsageError("this diversion is active already; make another one, with divert()")
        self._is_active = True
        active.begin(self)

    @uninterrupted
    def end(self) -> None:
        """Divert no more. Idempotent."""
        self._is_active = False
        active.end(self)

    @property
    def refused(self) -> tuple[NotDiverted, ...]:
        """What it has refused, in order, once for each place in the code."""
        return tuple(self._refused.values())

    def take(self) -> tuple[NotDiverted, ...]:
        """Return what it has refused, and forget it: a test that expects it does not fail."""
        taken = self.refused
        self._refused.clear()
        return taken

    def refusal(self, host: str, port: int | None) -> NotDiverted:
        """Return the error to raise for a connection to this host, and remember that it was refused."""
        error = NotDiverted(host, port, place_of_caller())
        self._refused.setdefault(error.key, NotDiverted(*error.key))  # without a traceback, which keeps sockets alive
        return error

    def unexpected(self) -> tuple[NotDiverted, ...]:
        """Return what it has refused and is to be raised, and forget it; nothing if it is not strict."""
        return self.take() if self.strict else ()

    def note_on(self, error: BaseException) -> None:
        """Note on an exception what it has refused and does not lead to that exception itself; forget it."""
        shown = {each.key for each in related(error) if isinstance(each, NotDiverted)}
        for each in self.take():
            if each.key not in shown:
                error.add_note(f"windsock: refused: {each}")
