"""`--windsock-summary`: figures about all servers and proxies of a run, of all xdist workers together."""

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import pytest

from pytest_windsock.fixtures import State
from windsock import FaultProxy, RunningServer
from windsock.net.system import monotonic, threading

if TYPE_CHECKING:
    from windsock.recording.subject import Subject

__all__ = ["Summary"]

KEY = "windsock_summary"
SERVERS, TRAFFIC, FAULTS, UNFIRED, FIRINGS = "servers", "traffic", "faults", "never fired", "firings"
COUNTED = (SERVERS, TRAFFIC, FAULTS, UNFIRED, FIRINGS)
START, STOP = "start", "stop"
PROXIED = {"stream": ("tcp", "unix_stream"), "datagram": ("udp", "unix_datagram"), "record": ("", "unix_seqpacket")}
"""The names of a proxy's transport: over IP, and over a Unix socket."""


class Summary:
    """Counts the servers and proxies of a run, and shows the figures at its end.

    Each start and stop is timed by a wrapper around the method of the class: without this option there is none.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._counts: dict[str, Counter[str]] = {name: Counter() for name in COUNTED}
        self._slowest: dict[str, tuple[float, str]] = {}
        self._crashed: list[str] = []
        self._stopped: WeakSet[Subject] = WeakSet()
        self._lock = threading.Lock()
        self._originals: list[tuple[type[Any], str, Any]] = []
        for kind in (RunningServer, FaultProxy):
            self._wrap(kind, "__init__", self._has_started)
            self._wrap(kind, "stop", self._has_stopped)

    def _wrap(self, kind: type[Any], name: str, note: Callable[[Any, float], None]) -> None:
        original = getattr(kind, name)

        @functools.wraps(original)
        def timed(subject: Any, *args: Any, **options: Any) -> None:
            __tracebackhide__ = True
            began = monotonic()
            try:
                original(subject, *args, **options)
            finally:
                note(subject, monotonic() - began)

        self._originals.append((kind, name, original))
        setattr(kind, name, timed)

    def pytest_unconfigure(self) -> None:
        """Remove the wrappers."""
        for kind, name, original in self._originals:
            setattr(kind, name, original)

    # --- counting

    def _has_started(self, subject: Any, seconds: float) -> None:
        if not subject.is_running:
            return  # it could not be started
        with self._lock:
            self._counts[SERVERS][combination_of(subject)] += 1
            self._took(START, seconds, subject)

    def _has_stopped(self, subject: Any, seconds: float) -> None:
        with self._lock:
            if subject in self._stopped:
                return
            self._stopped.add(subject)
            self._took(STOP, seconds, subject)
            with contextlib.suppress(Exception):  # such as a recording of which a part is lost
                self._count_traffic(subject)
                self._count_faults(subject.fault_handles)

    def count_part(self, subject: Any) -> None:
        """Count what one test has left on a server that outlives it, before the next test begins there."""
        with self._lock, contextlib.suppress(Exception):  # as in _has_stopped
            self._count_traffic(subject)
            self._count_faults([each for each in subject.fault_handles if each.is_healed])

    def _count_traffic(self, subject: Any) -> None:
        traffic = self._counts[TRAFFIC]
        for each in subject.connections:
            is_new = each.begins == each.opened
            traffic["datagrams" if subject.is_datagram else "connections"] += is_new
            traffic["bytes upstream"] += len(each.upstream)
            traffic["bytes downstream"] += len(each.downstream)

    def _count_faults(self, faults: Iterable[Any]) -> None:
        for fault in faults:
            name = repr(fault.fault).partition("(")[0]
            for what, count in ((FAULTS, 1), (UNFIRED, not fault.fired), (FIRINGS, fault.fired)):
                self._counts[what][name] += count

    def _took(self, what: str, seconds: float, subject: Any) -> None:
        item = getattr(State, "item", None)
        where = "" if item is None else f" in {item.nodeid}"
        found = seconds, f"{subject.name}{where}".encode(errors="backslashreplace").decode()
        self._slowest[what] = max(found, self._slowest.get(what, found))

    # --- from workers to their controller

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Give the figures of an xdist worker to its controller, after its last fixture."""
        if hasattr(self._config, "workeroutput"):
            counts = {name: dict(counter) for name, counter in self._counts.items()}
            self._config.workeroutput[KEY] = counts, self._slowest

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add the figures of a worker that has ended."""
        output = getattr(node, "workeroutput", {}).get(KEY)
        if output is None:
            self._crashed.append(node.gateway.id)
            return
        counts, slowest = output
        for name, counter in counts.items():
            self._counts[name].update(counter)
        for name, found in slowest.items():
            self._slowest[name] = max(tuple(found), self._slowest.get(name, tuple(found)))

    # --- showing

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Show the figures."""
        terminalreporter.section("windsock summary")
        for line in self.lines():
            terminalreporter.line(line)

    def lines(self) -> Iterator[str]:
        """Give the figures in words."""
        servers, traffic, faults, unfired, firings = (self._counts[each] for each in COUNTED)
        yield f"servers and proxies: {servers.total():,}"
        yield from (f"  {name}: {count:,}" for name, count in sorted(servers.items()))
        yield f"connections: {traffic['connections']:,}, datagrams: {traffic['datagrams']:,}"
        yield f"bytes: {traffic['bytes upstream']:,} upstream, {traffic['bytes downstream']:,} downstream"
        for name in sorted(faults):
            counts = f"{faults[name]:,} installed, {unfired[name]:,} never fired, {firings[name]:,} firings"
            yield f"fault {name}: {counts}"
        for name, (seconds, where) in sorted(self._slowest.items()):
            yield f"slowest {name}: {1000 * seconds:.1f} ms, {where}"
        if self._crashed:
            yield f"without the figures of workers that crashed: {', '.join(self._crashed)}"


def combination_of(subject: Any) -> str:
    """Return what a server is in a few words: its transport, concurrency and TLS."""
    options = getattr(subject, "options", None)
    if options is None:
        return f"proxy {PROXIED[subject.upstream.unit][subject.is_unix]}"
    tls = ", TLS" if options.encryption is not None else ""
    return f"{options.concurrency} {options.transport}{tls}"
