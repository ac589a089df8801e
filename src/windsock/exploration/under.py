"""One example on a server that goes on: its faults, its recording, and nothing left of it afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from windsock.errors import UsageError
from windsock.exploration.falsifying import tell_hypothesis
from windsock.exploration.patience import bounded
from windsock.faults.options import plans_from
from windsock.net.system import monotonic
from windsock.recording.errors import RequestTimeout
from windsock.scripts.checks import check_seconds

if TYPE_CHECKING:
    from windsock.faults import FaultHandle
    from windsock.faults.options import FaultGroup
    from windsock.harness import RunningServer

__all__ = ["PATIENCE", "under"]

PATIENCE = 5.0
"""Seconds of an example in which nothing need happen."""
LOOK = 0.05
"""Seconds between two looks for connections that clients make while the example ends."""


@contextmanager
def under(weather: Iterable[Any], server: RunningServer, *, patience: float = PATIENCE) -> Iterator[RunningServer]:
    """Run one example on a server: the block of a `with`, under the faults of `weather`, a value as for `faults=`.

    In the block `server.connections` and `server.requests` are those of the example, numbered from 0. Rules, scripts
    and clients made in it are gone afterwards, its connections have ended, and its faults are healed, whether they have
    fired or not. The server's own verdict is left out, since its handlers see the weather too: assert in the block.

    If nothing happens in the block for `patience` seconds, or it takes four times that, its faults and connections end,
    and ClientHung is raised: let the patience be longer than any timeout of the client. An example of Hypothesis is
    told the kinds that have fired (`event()`), and if it fails, the transcript (`note()`). Raises UsageError for a
    weather that cannot act on the server, and for anything but a running server.
    """
    __tracebackhide__ = True  # pytest leaves such frames out
    _check(server, patience)
    plans = plans_from(weather)
    _end_connections(server)
    checkpoint = server.checkpoint()
    checkpoint.begin()
    try:
        handles = [_install(server, each.fault, dict(each.keywords)) for each in plans]
        try:
            with bounded(server, handles, patience):
                yield server
        except BaseException as error:
            tell_hypothesis(server.fault_handles, getattr(error, "transcript", None) or server.transcript())
            raise
        tell_hypothesis(server.fault_handles)
    finally:
        checkpoint.stop()
        _end_connections(server)


def _check(server: RunningServer, patience: float) -> None:
    if not hasattr(server, "checkpoint"):
        raise UsageError(
            f"under(..., {server!r}): expected a running server; a proxy gets its faults by proxy(address, faults=...)"
        )
    check_seconds(f"under(patience={patience!r})", patience)


def _install(server: RunningServer, fault: Any, keywords: dict[str, Any]) -> FaultHandle | FaultGroup:
    handle: FaultHandle | FaultGroup = server.fault(fault, **{**keywords, "allow_unfired": True})
    return handle


def _end_connections(server: RunningServer) -> None:
    """End all connections and wait for their ends, those too that are accepted meanwhile. Raises RequestTimeout."""
    deadline = monotonic() + server.timeout
    while True:
        server.end_connections()
        server.drain()  # accepts what is in the queue
        if not _are_open(server):
            return
        left = deadline - monotonic()
        try:
            server.connections.wait(len(server.connections), timeout=max(0.0, min(LOOK, left)))
        except RequestTimeout:
            if left <= 0:
                raise


def _are_open(server: RunningServer) -> bool:
    return any(each.closed is None for each in server.connections)
