"""A server that is down for a while, and then up again at the same address."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from windsock.net.system import os, socket
from windsock.options import listeners

if TYPE_CHECKING:
    from windsock.harness.server_run import ServerRun
    from windsock.injection.server_faults import ServerFaults

__all__ = ["outage_of"]


@contextmanager
def outage_of(
    server: Any, run: ServerRun, faults: ServerFaults | None, is_stopped: Callable[[], bool]
) -> Iterator[None]:
    """End the server's run for the length of a `with`; then serve again, unless it was stopped meanwhile."""
    if faults is not None:
        faults.check_outage()
    copy = _copy_of_listener(server, faults) if listeners.can_serve_again(server) else None
    try:
        run.end(for_good=False)
    except BaseException:
        if copy is not None:
            copy.close()
        raise
    if faults is not None:
        faults.listener.close()  # what belongs to the one that was closed
    holder = listeners.take_place(server, copy)
    try:
        yield
    finally:
        if is_stopped():
            listeners.give_up_place(server, holder)
        else:
            if copy is not None:
                listeners.serve_again(server, copy)
            else:
                listeners.bind_again(server, holder)
            run.resume()


def _copy_of_listener(server: Any, faults: ServerFaults | None) -> socket.socket:
    if faults is not None:
        return faults.listener.copy_of_listener()
    return socket.socket(fileno=os.dup(server.fileno()))
