"""Admission of clients to a proxy: faults at accept."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from windsock.faults.kinds.accept_delay import AcceptDelay
from windsock.faults.kinds.accept_error import AcceptError
from windsock.faults.kinds.backlog_full import BacklogFull
from windsock.faults.kinds.max_connections import MaxConnections
from windsock.faults.kinds.refuse import Refuse
from windsock.net.queue_fillers import ListenerState
from windsock.net.system import monotonic, os

if TYPE_CHECKING:
    from windsock.faults import Fault, FaultHandle, FaultSet, Selector

__all__ = ["Admission", "AdmissionVerdict"]


class AdmissionVerdict:
    """The decision on one client: `turned_away` ("reset" or "close", with a reason), `error`, or served after `delay`.

    `stalled_by` is the fault that makes it wait in silence.
    """

    __slots__ = ("delay", "error", "reason", "stalled_by", "turned_away", "words")

    def __init__(self) -> None:
        self.turned_away: str = ""
        self.reason: str = ""
        self.error: OSError | None = None
        self.delay: float = 0.0
        self.stalled_by: Fault | None = None
        self.words: list[str] = []


class Admission:
    """Asks one fault set about each client. For the thread that accepts."""

    def __init__(self, fault_set: FaultSet, active: Callable[[], int]) -> None:
        self._fault_set = fault_set
        self._active = active

    def listener_state(self) -> ListenerState:
        """Return the state that the listener should have, as one client cannot be told from another."""
        whole = [each.fault for each in self._fault_set.handles if each.is_active and _is_open(each.selector)]
        if any(isinstance(each, Refuse) for each in whole):
            return ListenerState.SHUT
        return ListenerState.FULL if any(isinstance(each, BacklogFull) for each in whole) else ListenerState.OPEN

    def note_state(self, state: str) -> None:
        """Note that the faults that shut the listener have done something."""
        kinds: dict[str, type[Fault]] = {ListenerState.SHUT: Refuse, ListenerState.FULL: BacklogFull}
        for each in self._fault_set.handles:
            if type(each.fault) is kinds.get(state) and not each.fired:
                each.fire(monotonic(), "the listener is {}", state)

    def verdict_on(self, index: int, peer: Any) -> AdmissionVerdict:
        """Return the decision on the next client."""
        verdict = AdmissionVerdict()
        if any("accept" in each.fault.applies_to for each in self._fault_set.handles):
            found = self._fault_set.at_accept(connection=index, now=monotonic(), peer=peer, active=self._active())
            for each in found:
                verdict.words.append(f"{each!r}: at accept")
                self._apply(each, verdict)
        return verdict

    def _apply(self, fault: Fault, verdict: AdmissionVerdict) -> None:
        if isinstance(fault, AcceptDelay):
            verdict.delay += fault.time
        elif isinstance(fault, AcceptError):
            verdict.error = OSError(fault.code, os.strerror(fault.code))
        elif isinstance(fault, BacklogFull) or (isinstance(fault, MaxConnections) and fault.then == "stall"):
            verdict.stalled_by = fault
        elif isinstance(fault, Refuse | MaxConnections) and not verdict.turned_away:
            is_closed = isinstance(fault, MaxConnections) and fault.then == "refuse"
            verdict.turned_away, verdict.reason = "close" if is_closed else "reset", repr(fault)

    def still_stalls(self, fault: Fault) -> bool:
        """Return whether a client has to wait for this fault to pass."""
        handle = [each for each in self._fault_set.handles if each.fault is fault and each.is_active]
        return any(_stalls(each, self._active()) for each in handle)


def _stalls(handle: FaultHandle, active: int) -> bool:
    return isinstance(handle.fault, BacklogFull) or handle.fault.happens(active)


def _is_open(selector: Selector) -> bool:
    return selector.is_open and selector.connections is None
