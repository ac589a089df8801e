"""An installed fault: where it applies, its controls, and its log."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from windsock.errors import UsageError
from windsock.faults.checks import count
from windsock.faults.fault import Fault
from windsock.faults.selector import ConnectionInfo, Selector
from windsock.net.deadlines import within
from windsock.net.system import threading

__all__ = ["LONGEST_LOG", "FaultHandle", "Firing", "settle"]

LONGEST_LOG = 10_000
"""The number of latest firings that a log keeps; `FaultHandle.fired` counts them all."""
A_MOMENT = 1.0
"""The most seconds for which reading a log waits for actions in progress."""


@dataclass(frozen=True, slots=True)
class Firing:
    """One action of a fault.

    `number` counts the fault's firings from 1, `at` is in seconds of the relay's clock (monotonic), `offset` is in
    bytes of that direction before it.
    """

    number: int
    at: float
    fault: str
    connection: int | None
    direction: str
    offset: int
    what: str

    def __str__(self) -> str:
        where = "" if self.connection is None else f" on connection #{self.connection} {self.direction}".rstrip()
        return f"{self.fault}{where} at byte {self.offset}: {self.what}"


def settle(acting: threading.RLock) -> None:
    """Wait a moment for faults to finish an action in progress, since a client may have seen its effect already."""
    if acting.acquire(timeout=within(A_MOMENT)):
        acting.release()


class FaultHandle:
    """One fault on one server or proxy, shared by all of its connections. Thread-safe; `with` heals it at the end."""

    def __init__(
        self,
        fault: Fault,
        selector: Selector,
        *,
        name: str,
        changed: Callable[[], None] = lambda: None,
        allow_unfired: bool = False,
        base: int = 0,
        acting: threading.RLock | None = None,
    ) -> None:
        self.fault = fault
        self.selector = selector
        self.name = name
        """The name of its random streams."""
        self.allow_unfired = allow_unfired
        self.turn: threading.RLock = threading.RLock()
        """Held by a context while it selects and fires, so that `times` is exact."""
        self.is_active: bool = True
        """Whether it can act now: neither paused nor healed."""
        self.is_healed: bool = False
        self.is_released: bool = False
        """For Hold: whether all items may continue."""
        self.credit: int = 0
        """For Hold: how many items may have continued in each direction of each connection."""
        self.passed_over: tuple[int, ...] = ()
        """The indices of connections that were open when it was installed, and on which it cannot act."""
        self.epoch: int = 0
        """Counts resumes; after each, the fault starts again on every connection."""
        self.firings: int = 0
        """The number of firings, including one in progress."""
        self.order = 0
        self.occasions: int = 0
        self._changed = changed
        self._base = base
        self._acting = acting or threading.RLock()
        self._log: deque[tuple[Any, ...]] = deque(maxlen=LONGEST_LOG)
        self._claimed: set[int] = set()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        state = "healed" if self.is_healed else "active" if self.is_active else "paused"
        return f"<{self.fault!r}: {state}, fired {self.fired} times>"

    def __enter__(self) -> FaultHandle:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.heal()

    @property
    def fired(self) -> int:
        """The number of firings. One in progress counts once it is done."""
        settle(self._acting)
        return self.firings

    @property
    def log(self) -> list[Firing]:
        """The firings, at most the latest LONGEST_LOG."""
        settle(self._acting)
        with self._lock:
            return [self._shown(*entry) for entry in self._log]

    def since(self, number: int) -> list[Firing]:
        """Return the logged firings after that number."""
        with self._lock:
            count = min(self.firings - number, len(self._log))
            return [self._shown(*self._log[place]) for place in range(-count, 0)]

    def _shown(self, number: int, at: float, context: Any, offset: int, what: str, values: tuple[Any, ...]) -> Firing:
        connection, direction = context
        return Firing(number, at, repr(self.fault), connection, direction, offset, what.format(*values))

    def pause(self) -> None:
        """Let everything pass until `resume()`. Held items continue at once, in order."""
        with self._lock:
            self._may_still("pause")
            self.is_active = False
        self._changed()

    def resume(self) -> None:
        """Act again, on each connection from the start; random draws and counts continue."""
        with self._lock:
            self._may_still("resume")
            self.epoch += 1
            self.credit = 0
            self.is_released = False
            self.is_active = True
        self._changed()

    def heal(self) -> None:
        """End the fault permanently. Held items continue at once, in order; lost ones stay lost."""
        with self._lock:
            self.is_active = False
            self.is_healed = True
        self._changed()

    def release(self) -> None:
        """Let everything that a Hold holds continue, and everything later. `resume()` makes it hold again."""
        self._is_hold("release")
        self.is_released = True
        self._changed()

    def deliver(self, n: int = 1) -> None:
        """Let the next `n` pieces of data or datagrams continue in each direction: held ones first, then new ones."""
        self._is_hold("deliver")
        count("deliver", 1, n=n)
        with self._lock:
            self.credit += n
        self._changed()

    def _may_still(self, what: str) -> None:
        if self.is_healed:
            raise UsageError(
                f"{what}(): {self.fault!r} was healed, for good; expected one that is installed: install it again"
            )

    def _is_hold(self, what: str) -> None:
        self._may_still(what)
        if not getattr(self.fault, "holds", False):
            raise UsageError(f"{what}(): expected a Hold(), this is {self.fault!r}; use pause() or heal()")

    def begin_again(self, base: int) -> None:
        """Count from the start, as if installed anew; `base` is the first index that counts for `first(n)`."""
        with self._lock:
            self._base = base
            self.firings = self.occasions = 0
            self._log.clear()
            self._claimed.clear()

    def concerns(self, info: ConnectionInfo, direction: str = "") -> bool:
        """Return whether the fault applies to that direction of that connection."""
        if direction and self.selector.direction not in ("both", direction):
            return False
        return self.selector.has_connection(info, self._base)

    def is_used_up(self) -> bool:
        """Return whether it has fired as often as `times` allows."""
        return self.selector.times is not None and self.firings >= self.selector.times

    def claim(self, connection: int) -> bool:
        """Return True the first time for each connection, for faults that can act on one only once."""
        with self._lock:
            if connection in self._claimed:
                return False
            self._claimed.add(connection)
            return True

    def fire(self, at: float, what: str, *values: object, connection: int | None = None) -> None:
        """Log a firing: `what` is a format of `values` (str.format), filled in when the log is read."""
        self.note(at, (connection, ""), 0, what, values)

    def add_words(self, words: str) -> None:
        """Append words to the latest firing."""
        with self._lock:
            if self._log:
                number, at, context, offset, what, values = self._log.pop()
                self._log.append((number, at, context, offset, what + "{}", (*values, words)))

    def note(
        self, at: float, context: tuple[int | None, str], offset: int, what: str, values: tuple[object, ...]
    ) -> None:
        """Log a firing; the fast path of contexts."""
        with self._lock:
            self.firings += 1
            self._log.append((self.firings, at, context, offset, what, values))
