"""A bound on one example: when nothing happens any more, its faults and connections end, and the client goes on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from windsock.exploration.errors import ClientHung
from windsock.net.deadlines import capped
from windsock.net.system import monotonic, threading
from windsock.net.whereabouts import place_of_thread

if TYPE_CHECKING:
    from windsock.faults import FaultHandle
    from windsock.faults.options import FaultGroup
    from windsock.harness import RunningServer
    from windsock.proxies.proxy import FaultProxy

__all__ = ["Quiet", "bounded"]

LOOKS = 8
"""How often it is looked, while the patience lasts, whether anything has happened."""
LONGEST = 4
"""The longest that an example may take, whatever happens in it, as a multiple of its patience."""


@contextmanager
def bounded(
    server: RunningServer | FaultProxy, handles: Sequence[FaultHandle | FaultGroup], patience: float
) -> Iterator[None]:
    """Raise ClientHung at the end of a `with` in which nothing was recorded for `patience` seconds.

    The same is true of one that takes LONGEST times that. The faults are healed then and the connections ended, and so
    are those that come later.
    """
    watch = _ExampleWatch(server, handles, patience)
    watch.start()
    try:
        yield
    except BaseException as error:
        hung = watch.end()
        if hung is not None and isinstance(error, Exception):
            raise hung from error
        raise
    hung = watch.end()
    if hung is not None:
        raise hung


class Quiet:
    """Decides whether an example hangs, from what was seen of it at which time, in seconds of one clock."""

    def __init__(self, patience: float, now: float) -> None:
        self._patience = patience
        self._began = self._changed = now
        self._seen: object = None

    def look(self, seen: object, now: float) -> str:
        """Return why it hangs; empty if it does not yet. `seen` changes with all that happens."""
        if seen != self._seen:
            self._seen, self._changed = seen, now
        if now - self._changed >= self._patience:
            return f"nothing happens for {self._patience:g} s"
        if now - self._began >= LONGEST * self._patience:
            return f"it is not over after {LONGEST * self._patience:g} s"
        return ""


class _ExampleWatch(threading.Thread):
    """Waits for the end of one example."""

    def __init__(
        self, server: RunningServer | FaultProxy, handles: Sequence[FaultHandle | FaultGroup], patience: float
    ) -> None:
        super().__init__(name=f"windsock example on the {server.name}", daemon=True)
        self._server = server
        self._handles = handles
        self._patience = patience
        self._test = threading.get_ident()
        self._is_over = threading.Event()
        self._hung: ClientHung | None = None

    def run(self) -> None:
        """See threading.Thread."""
        what = self._wait()
        if not what:
            return
        self._hung = ClientHung(what, place_of_thread(self._test), self._server.transcript())
        for each in self._handles:
            each.heal()
        self._server.end_connections()
        while not self._is_over.wait(capped(self._patience)):
            self._server.end_connections()

    def _wait(self) -> str:
        """Wait for the end of the example; return why it hangs if that is first."""
        quiet = Quiet(self._patience, monotonic())
        why = ""
        while not why and not self._is_over.wait(capped(self._patience / LOOKS)):
            why = quiet.look(self._traffic(), monotonic())
        return why

    def _traffic(self) -> tuple[int, ...]:
        """Return figures that change with all that happens."""
        connections = self._server.connections
        sizes = [len(each.upstream) + len(each.downstream) for each in connections]
        return len(connections), sum(sizes), sum(each.fired for each in self._handles)

    def end(self) -> ClientHung | None:
        """End the watch; return the error of an example that hung."""
        self._is_over.set()
        self.join()
        return self._hung
