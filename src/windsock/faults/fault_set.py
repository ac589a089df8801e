"""All the faults of one server or proxy. Any thread can change them at any time."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any, Literal

from windsock.errors import UsageError
from windsock.faults.chain import Chain
from windsock.faults.fault import Fault
from windsock.faults.function import fault_from
from windsock.faults.handle import FaultHandle, Firing, settle
from windsock.faults.seeds import derive
from windsock.faults.selector import ConnectionInfo, Selector, holds, selector_from
from windsock.net.system import threading
from windsock.net.targets import Unit

__all__ = ["FaultSet"]

Point = Literal["accept", "handshake", "process"]
LIVE_ONLY = ("direction", "match", "after_bytes", "after")
"""Selector keywords that do not apply to faults outside of chains."""
EVERYTHING = Selector()


class FaultSet:
    """The faults of one server or proxy. Thread-safe.

    `seed`: any integer; `traffic`: "stream", "datagram" or "record".
    """

    def __init__(self, *, seed: int = 0, traffic: Unit = "stream") -> None:
        if traffic not in ("stream", "datagram", "record"):
            raise UsageError(f"FaultSet: traffic={traffic!r}: expected 'stream', 'datagram' or 'record'")
        self.seed: int = seed
        self.traffic = traffic
        self.version: int = 0
        """Increases with each change; chains compare it."""
        self.acting: threading.RLock = threading.RLock()
        """Held by relays while they ask their faults and carry out the answers, so that readers can wait for that."""
        self._handles: tuple[FaultHandle, ...] = ()
        self._past: list[FaultHandle] = []
        self._callbacks: list[Callable[[], object]] = []
        self._names: dict[str, int] = {}
        self._live: dict[int, int] = {}
        self._next_connection = 0
        self._orders = count()
        self._own: tuple[FaultHandle, ...] = ()
        self._shared: tuple[FaultHandle, ...] = ()
        self._outer: list[tuple[tuple[FaultHandle, ...], dict[str, int]]] = []
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        return f"<FaultSet seed={self.seed}: {list(self._handles)}>"

    # Installing and healing

    def install(
        self,
        fault: Fault | Callable[..., Any],
        *,
        name: str | None = None,
        allow_unfired: bool = False,
        **selector: Any,
    ) -> FaultHandle:
        """Install a fault that acts from now on, where the selector says (see `Selector`).

        `fault` may be a function of an item and a context, called for data and datagrams: it returns items, or bytes
        to replace the item's, or None for nothing. `name` replaces its repr as the name of its random streams.
        `allow_unfired` means that it need not fire. Raises UsageError for a fault or selector that cannot work here.
        """
        value = fault_from(fault)
        where = selector_from(selector)
        self._check(value, where)
        with self._lock:
            handle = FaultHandle(
                value,
                where,
                name=self._name(name or repr(value)),
                changed=self._changed,
                allow_unfired=allow_unfired,
                base=min(self._live, default=self._next_connection),
                acting=self.acting,
            )
            handle.order = next(self._orders)
            self._past.append(handle)
            self._handles = (*self._handles, handle)
        self._changed()
        return handle

    def install_all(
        self, faults: Iterable[tuple[Fault, Selector] | Fault], *, allow_unfired: bool = False
    ) -> tuple[FaultHandle, ...]:
        """Install a profile: faults, or pairs of a fault and a selector. All are checked before any is installed."""
        if self.traffic == "datagram":
            faults = getattr(faults, "datagrams", faults)
        pairs = [each if isinstance(each, tuple) else (each, Selector()) for each in faults]
        for fault, where in pairs:
            self._check(fault_from(fault), where)
        return tuple(self.install(fault, selector=where, allow_unfired=allow_unfired) for fault, where in pairs)

    def remove(self, handle: FaultHandle) -> None:
        """Heal a fault permanently."""
        handle.heal()

    def heal(self) -> None:
        """Heal all faults."""
        for each in self.handles:
            each.heal()

    @property
    def handles(self) -> tuple[FaultHandle, ...]:
        """The handles of all installed faults that are not healed, in the order of installation."""
        return self._handles

    @property
    def all_handles(self) -> tuple[FaultHandle, ...]:
        """The handles of all faults that were ever installed, in the order of installation."""
        return tuple(self._past)

    @property
    def log(self) -> list[Firing]:
        """All firings of all faults, healed ones too, in order of time."""
        return sorted((firing for each in self._past for firing in each.log), key=lambda firing: firing.at)

    @property
    def unfired(self) -> list[FaultHandle]:
        """Return the installed faults that should have fired and did not."""
        past = [each for each in self._past if each not in self._shared]
        return [each for each in past if not each.fired and not each.allow_unfired]

    def settle(self) -> None:
        """Wait a moment for relays to finish what their faults are doing."""
        settle(self.acting)

    # Parts: one for each test on a server that outlives it

    def begin_part(self, seed: int, first: int) -> None:
        """Share the faults there are between all parts: each begins with them anew, and they need not fire in it.

        `first` is the index of the connection that comes next; `seed` is the part's.
        """
        with self._lock:
            self.seed = seed
            self._next_connection = first
            self._past = [each for each in self._past if each not in self._own and not each.is_healed]
            self._outer.append((self._shared, dict(self._names)))
            self._own, self._shared = (), tuple(self._past)
        for each in self._shared:
            each.begin_again(first)

    def end_part(self) -> None:
        """Heal the faults of the part; their firings can be read until the next one."""
        with self._lock:
            self._own = own = tuple(each for each in self._past if each not in self._shared)
            outer, self._names = self._outer.pop() if self._outer else ((), {})  # all are of the part that made it
            self._shared = outer if self._outer else self._shared
        for each in own:
            each.heal()

    def subscribe(self, callback: Callable[[], object]) -> None:
        """Call a function after each change, in the thread that made it."""
        with self._lock:
            self._callbacks.append(callback)

    def unsubscribe(self, callback: Callable[[], object]) -> None:
        """Undo `subscribe`. Does nothing for a function that is not subscribed."""
        with self._lock:
            self._callbacks = [each for each in self._callbacks if each != callback]

    # Queries of relays

    def chain(self, *, connection: int, direction: str, now: float, peer: Any = None) -> Chain:
        """Return the chain for one direction ("upstream" or "downstream") of a connection (an index from 0)."""
        if direction not in ("upstream", "downstream"):
            raise UsageError(f"FaultSet.chain: direction={direction!r}: expected 'upstream' or 'downstream'")
        with self._lock:
            self._live[connection] = self._live.get(connection, 0) + 1
            self._next_connection = max(self._next_connection, connection + 1)
        try:
            return Chain(self, connection, direction, now, peer)
        except BaseException:  # raised by a function of a test
            self._forget(connection)
            raise

    def links(self, *, connection: int, now: float, peer: Any = None) -> tuple[Chain, Chain]:
        """Return the chains of both directions of a connection, "upstream" first."""
        upward = self.chain(connection=connection, direction="upstream", now=now, peer=peer)
        try:
            return upward, self.chain(connection=connection, direction="downstream", now=now, peer=peer)
        except BaseException:
            upward.close(now)
            raise

    def unlink(self, chain: Chain) -> None:
        """Remove a chain; for `Chain.close`."""
        self._forget(chain.connection)

    def _forget(self, connection: int) -> None:
        with self._lock:
            left = self._live.pop(connection, 1) - 1
            if left > 0:
                self._live[connection] = left

    def at_accept(self, *, connection: int, now: float, peer: Any = None, active: int | None = None) -> list[Fault]:
        """Return the faults that apply to a connection when it is accepted; they are logged as fired.

        `active`: the number of other open connections; by default, of those that have chains.
        """
        if active is None:
            active = sum(index != connection for index in tuple(self._live))
        return self._at("accept", connection, now, peer, active)

    def at_handshake(self, *, connection: int, now: float, peer: Any = None) -> list[Fault]:
        """Return the faults that apply to the TLS handshake of a connection; they are logged as fired."""
        return self._at("handshake", connection, now, peer, 0)

    def at_process(self, *, connection: int, now: float, peer: Any = None) -> list[Fault]:
        """Return the faults that apply to the process that handles a connection; they are logged as fired."""
        return self._at("process", connection, now, peer, 0)

    def _at(self, point: Point, connection: int, now: float, peer: Any, active: int) -> list[Fault]:
        with self._lock:
            self._next_connection = max(self._next_connection, connection + 1)
        info = ConnectionInfo(connection, peer)
        return [
            each.fault
            for each in self._handles
            if point in each.fault.applies_to and each.is_active and self.fires(each, point, info, now, active)
        ]

    def fires(self, handle: FaultHandle, point: Point, info: ConnectionInfo, now: float, active: int) -> bool:
        """Count a connection at one point of a fault; return whether the fault acts there."""
        where = handle.selector
        if not handle.concerns(info) or not handle.fault.happens(active):
            return False
        with handle.turn:
            if handle.is_used_up():
                return False
            handle.occasions += 1
            if where.nth is not None and not holds(where.nth, handle.occasions):
                return False
            if where.every is not None and handle.occasions % where.every:
                return False
            if where.probability is not None:
                draws = random.Random(derive(self.seed, info.index, point, handle.name))
                if draws.random() >= where.probability:
                    return False
            handle.fire(now, "happens at {}", point, connection=info.index)
            return True

    # Helpers

    def _check(self, fault: Fault, where: Selector) -> None:
        on = fault.applies_to
        kind = "stream" if self.traffic == "record" else self.traffic
        if self.traffic == "record" and fault.splits:
            raise UsageError(f"{fault!r} splits data, and a record stays whole: expected a fault that does not")
        if kind not in on and not ("process" in on or (kind == "stream" and on & {"accept", "handshake"})):
            acts_on = " and ".join(sorted(on))
            raise UsageError(
                f"{fault!r} acts on {acts_on}, this is a {self.traffic}: expected a fault for {self.traffic}s; "
                f"the table in docs/weather.md says which are"
            )
        if on.isdisjoint(("stream", "datagram")):
            for name in LIVE_ONLY:
                if getattr(where, name) != getattr(EVERYTHING, name):
                    raise UsageError(
                        f"{fault!r} with {name}={getattr(where, name)!r}: nothing passes yet where it happens; "
                        f"expected connections=, nth=, every=, times= or probability="
                    )
        if where.after_bytes is not None and getattr(fault, "after_bytes", None) is not None:
            raise UsageError(f"{fault!r} with after_bytes={where.after_bytes}: given twice; leave one of them out")

    def _name(self, name: str) -> str:
        ordinal = self._names.get(name, 0)
        self._names[name] = ordinal + 1
        return f"{name} #{ordinal}"

    def _changed(self) -> None:
        with self._lock:
            self.version += 1
            self._handles = tuple(each for each in self._handles if not each.is_healed)
            callbacks = tuple(self._callbacks)
        for callback in callbacks:
            callback()
