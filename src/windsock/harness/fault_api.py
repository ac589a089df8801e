"""The methods by which a test installs faults on a server."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, overload

from windsock.errors import UsageError
from windsock.faults.reports import FaultReports
from windsock.harness.client_api import ClientAPI

if TYPE_CHECKING:
    from windsock.faults import Fault, FaultHandle, FaultSet, Firing
    from windsock.faults.options import FaultGroup
    from windsock.faults.profiles import Profile
    from windsock.harness.hand import ServerHand
    from windsock.injection.server_faults import ServerFaults
    from windsock.recording import Recorder
    from windsock.taps import Seam

__all__ = ["FaultAPI"]


class FaultAPI(FaultReports, ClientAPI):
    """The methods of a running server that install its faults and report on them."""

    is_datagram: bool
    _recorder: Recorder
    _seam: Seam
    _hand: ServerHand
    _faults: ServerFaults | None = None
    """Its faults; None until the first one."""

    @overload
    def fault(
        self,
        fault: Fault | Callable[..., Any],
        *,
        name: str | None = None,
        allow_unfired: bool | None = None,
        **selector: Any,
    ) -> FaultHandle: ...
    @overload
    def fault(self, fault: Profile, *, allow_unfired: bool | None = None) -> FaultGroup: ...
    def fault(
        self,
        fault: Fault | Callable[..., Any] | Profile,
        *,
        name: str | None = None,
        allow_unfired: bool | None = None,
        **selector: Any,
    ) -> FaultHandle | FaultGroup:
        """Install a fault, a function that acts as one, or a profile; it acts from now on.

        The other keywords select where it acts, as those of `windsock.faults.Selector`. The handle that is returned
        knows its firings (`fired`, `log`), and can `pause()`, `resume()` and `heal()` the fault; the end of a `with`,
        and the stop of the server, heal it. Data that a healed fault has held goes on; data held when the server stops
        is lost. `name` is the name of its random numbers. If it never fires, a strict test fails, unless
        `allow_unfired=True`.

        On a server made without `faults=` and `relay=True` faults of streams and datagrams act on connections that
        come from now on. Raises UsageError for a fault that cannot happen to this server.
        """
        given = {"name": name, "allow_unfired": allow_unfired}
        keywords = selector | {key: value for key, value in given.items() if value is not None}
        return self._fault_set().install(fault, keywords)

    def _fault_set(self) -> ServerFaults:
        from windsock.injection.server_faults import ServerFaults

        if self._is_stopped:
            raise UsageError(f"fault(): the {self.name} is stopped already")
        if self._faults is None:
            self._faults = ServerFaults(self.server, self.options, self._seam, self._recorder, self.seed)
            self._hand.faults = self._faults
        return self._faults

    def _plan_faults(self) -> None:
        """Install the faults of `faults=`, which act from the first connection on."""
        fault_set = self._fault_set()
        try:
            for each in self.options.faults:
                fault_set.install(each.fault, dict(each.keywords))
        except BaseException:
            fault_set.close()
            raise

    @property
    def _reported_faults(self) -> FaultSet | None:
        return None if self._faults is None else self._faults.fault_set

    def unrecorded_firings(self) -> list[Firing]:
        """Return what faults did to datagrams and to the listener; the rest is recorded with connections."""
        return self.firings if self.is_datagram else super().unrecorded_firings()
