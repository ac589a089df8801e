"""The door to proxies: `with windsock.proxy(address) as proxy`, with faults from its first client on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, overload

from windsock.errors import UsageError
from windsock.faults.never_fired import FaultNeverFired
from windsock.faults.options import install, plans_from, seed_from
from windsock.faults.reports import report_of
from windsock.net import addresses
from windsock.net.interrupts import uninterrupted_start
from windsock.proxies.proxy import Proxy
from windsock.scripts.checks import check_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from windsock.faults import Fault, FaultHandle, Firing
    from windsock.faults.options import FaultGroup
    from windsock.faults.profiles import Profile

__all__ = ["FaultProxy", "Partition", "partition", "proxy"]


class FaultProxy(Proxy):
    """A proxy in a test: it takes profiles too, and if it is strict, each of its faults has to fire."""

    @uninterrupted_start
    def __init__(self, address: Any, *, faults: Iterable[Any] = (), seed: int | None = None, **options: Any) -> None:
        plans = plans_from(faults)
        super().__init__(address, seed=seed_from(seed) or 0, **options)
        try:
            for each in plans:
                install(self.fault_set, each.fault, _anything, dict(each.keywords))
        except BaseException:
            self.stop()
            raise

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, seed {self.fault_set.seed}>"

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        super().__exit__(kind, error, trace)
        if error is not None and self.strict:
            for each in self.unfired():
                error.add_note(f"windsock: {each.what}")

    @overload
    def fault(self, fault: Fault | Callable[..., Any], **keywords: Any) -> FaultHandle: ...
    @overload
    def fault(self, fault: Profile, *, allow_unfired: bool = True) -> FaultGroup: ...
    def fault(self, fault: Fault | Callable[..., Any] | Profile, **keywords: Any) -> FaultHandle | FaultGroup:
        """Have something go wrong from now on, also on connections that are open: see `RunningServer.fault`."""
        if self._is_stopped:
            raise UsageError(f"fault({fault!r}): the {self.name} is stopped already")
        return install(self.fault_set, fault, _anything, keywords)

    def settle(self, seconds: float) -> None:
        """Wait until what clients have sent has arrived, and their connections have ended, for at most `seconds`."""
        check_seconds(f"settle({seconds!r})", seconds, or_none=True)
        if self._is_stopped:
            return
        self._relay_loop.drain(seconds)
        if not self.upstream.is_datagram:
            self._recorder.wait_until(lambda: all(each.is_closed for each in self._recorder.connections), seconds)

    def unfired(self) -> list[FaultNeverFired]:
        """Return an error for each fault that has never fired, though it was to."""
        return [FaultNeverFired.of(each, self._traffic()) for each in self.fault_set.unfired]

    def _traffic(self) -> str:
        if not self._is_recorded:
            return f"what passed the {self.name} was not recorded"
        found = self.connections
        up, down = (sum(len(getattr(each, way)) for each in found) for way in ("upstream", "downstream"))
        noun = "datagram" if self.upstream.is_datagram else "connection"
        plural = "" if len(found) == 1 else "s"
        return f"the {self.name} had {len(found)} {noun}{plural}, {up} B up, {down} B down"

    def fault_report(self) -> list[str]:
        """Return the seed and what the faults did, a line a firing, bounded in length; nothing without faults."""
        return report_of(self.fault_set)

    def datagram_firings(self) -> list[Firing]:
        """Return nothing: what faults did to datagrams is recorded with them."""
        return []

    def finish(self) -> None:
        """Drain, stop, and if it is strict, raise what went wrong in it; else, what faults have never fired."""
        __tracebackhide__ = True  # pytest leaves such frames out
        super().finish()
        unfired = self.unfired() if self.strict and not self._has_failed else []
        if unfired:
            message = f"{self.name} on {addresses.show(self.address)}: what it was told of has not happened"
            raise ExceptionGroup(message, unfired)


def proxy(address: Any, *, faults: Iterable[Any] = (), seed: int | None = None, **options: Any) -> FaultProxy:
    """Start a proxy in front of an address, for the length of a `with`: clients go to `proxy.address`.

    `faults` are there before the first client: faults, pairs of a fault and a dict of what selects, and profiles.
    `seed` is what they draw from; 0 by default, the test's own in the fixture `fault_proxy`. The other keywords are
    those of `windsock.proxies.proxy.Proxy`: `transport`, `listen`, `allow_external`, `framing`, `recorded`, `timeout`,
    `tls`, `upstream_tls`, `server_name`, `name`, `strict`. Raises UsageError for what cannot work, such as a proxy to
    itself.
    """
    return FaultProxy(address, faults=faults, seed=seed, **options)


class Partition:
    """Lines that are down at the same time. A context manager, which repairs them at its end."""

    def __init__(self, lines: tuple[Proxy, ...]) -> None:
        self.lines = lines

    def __repr__(self) -> str:
        return f"<partition of {', '.join(each.name for each in self.lines)}>"

    def __enter__(self) -> Partition:
        return self

    def __exit__(self, *_: object) -> None:
        self.repair()

    def repair(self) -> None:
        """Have all lines up again: what was on its way on streams goes on. Idempotent."""
        for each in self.lines:
            each.reconnect()


def partition(*groups: Any) -> Partition:
    """Cut the lines of these proxies, all of them now, until `repair()` or the end of a `with`.

    Each group is a proxy, or a list of the proxies behind which one part of the network is. Nothing passes a line
    that is down, neither ends nor resets, and new connections are not answered. Raises UsageError for what is no proxy.
    """
    lines = tuple(each for group in groups for each in (group if isinstance(group, list | tuple) else (group,)))
    wrong = next((each for each in lines if not isinstance(each, Proxy)), None)
    if wrong is not None or not lines:
        raise UsageError(f"partition({wrong!r}): expected proxies, of windsock.proxy(...) or the fixture fault_proxy")
    done = Partition(lines)
    with _repaired_on_error(done):
        for each in lines:
            each.disconnect()
    return done


@contextmanager
def _repaired_on_error(done: Partition) -> Iterator[None]:
    try:
        yield
    except BaseException:
        done.repair()
        raise


def _anything(fault: Fault) -> None:
    """A proxy takes all faults that its weather takes, but for those of a process."""
    if "process" in fault.applies_to:
        raise UsageError(
            f"{fault!r}: a proxy handles nothing; expected a server of windsock's, server.fault({fault!r})"
        )
