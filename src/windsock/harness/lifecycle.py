"""Running and stopping a server: one of the family, or a stranger that only knows the standard library's ways."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable
from typing import Any, Protocol

from windsock.net import sockets
from windsock.net.callbacks import nothing
from windsock.net.deadlines import capped
from windsock.net.system import monotonic, socket, threading
from windsock.servers import BaseServer
from windsock.servers.forking.children import Children
from windsock.servers.requests import open_requests

__all__ = ["Lifecycle", "lifecycle_of"]


class Lifecycle(Protocol):
    """The methods that start and stop a server. The classes of the family have them."""

    stop_timeout: float

    def prepare_to_serve(self) -> None:
        """Prepare the next `serve_forever()`."""
        ...

    def serve_forever(self) -> None:
        """Serve until told to stop."""
        ...

    def request_stop(self) -> None:
        """Tell it to stop; do not wait."""
        ...

    def end_requests(self) -> None:
        """End the accepted connections."""
        ...

    def kill_requests(self) -> None:
        """Kill the processes that handle requests."""
        ...

    def server_close(self) -> None:
        """Close the listener; wait for handlers for at most `stop_timeout` seconds."""
        ...

    def wait_for_requests(self, timeout: float) -> list[str]:
        """Wait for handlers; return descriptions of those still running."""
        ...


def lifecycle_of(server: Any) -> Lifecycle:
    """Return the lifecycle for this server."""
    return server if isinstance(server, BaseServer) else ForeignServer(server)


class _StopServing(Exception):
    """Leaves a stranger's loop."""


class ForeignServer:
    """Runs an instance of a class that is not of the family: hooks are wrapped on the instance.

    Its loop may poll as slowly as it likes: to stop it, the listener is shut down, which wakes the loop, and
    `service_actions()`, which the loop calls next, leaves it.
    """

    stop_timeout: float = 5.0

    def __init__(self, server: Any) -> None:
        self._server = server
        self._is_stopping = False
        self._is_datagram = getattr(server, "socket_type", None) == socket.SOCK_DGRAM
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._originals: dict[str, Callable[..., Any]] = {}
        server.block_on_close = False  # its own wait knows no deadline
        for name in ("get_request", "process_request", "process_request_thread", "close_request", "service_actions"):
            original = getattr(server, name, None)
            if original is not None:
                self._originals[name] = original
                setattr(server, name, getattr(self, f"_{name}"))

    def prepare_to_serve(self) -> None:
        """Forget that it was stopped before."""
        self._is_stopping = False

    def serve_forever(self) -> None:
        """Serve until told to stop."""
        with contextlib.suppress(_StopServing):
            self._server.serve_forever()

    def request_stop(self) -> None:
        """Wake the loop; when asked again, it is not one that calls `service_actions()`: ask it by `shutdown()`."""
        if self._is_stopping:
            threading.Thread(target=self._server.shutdown, name="windsock shutdown()", daemon=True).start()
        self._is_stopping = True
        if not self._is_datagram:
            sockets.refuse(self._server.socket)
            return
        with contextlib.suppress(OSError):  # nothing else wakes the loop; handlers still reply through it
            self._server.socket.shutdown(socket.SHUT_RD)

    def end_requests(self) -> None:
        """Shut down the accepted connections; send SIGTERM to children, which have the only copies of theirs."""
        open_requests(self._server).end(socket.SHUT_RDWR)
        children = self._children()
        if children is not None:
            children.signal_all(signal.SIGTERM)

    def kill_requests(self) -> None:
        """Kill the children."""
        children = self._children()
        if children is not None:
            children.signal_all(signal.SIGKILL)

    def server_close(self) -> None:
        """Close the listener; a datagram server's socket, through which handlers reply, once they have ended."""
        if self._is_datagram:
            self.wait_for_requests(self.stop_timeout)
        self._server.server_close()

    def wait_for_requests(self, timeout: float) -> list[str]:
        """Wait for threads and children."""
        deadline = monotonic() + timeout
        for thread in list(self._threads):
            thread.join(capped(deadline - monotonic()))
        self._threads = {thread for thread in self._threads if thread.is_alive()}
        left = [f"thread {thread.name!r}" for thread in self._threads]
        children = self._children()
        if children is not None:
            for pid in list(children.pids):
                children.add(pid, None, None)  # by its pidfd, the wait ends the moment it does
            children.wait(lambda: not children.pids, max(0.0, deadline - monotonic()))
            left += children.describe()
        return left

    def _children(self) -> Children | None:
        """Return the children of a forking server, whose pids are its own set."""
        pids = getattr(self._server, "active_children", None)
        return Children(pids, nothing) if pids else None  # how they end is their own affair

    # --- hooks

    def _get_request(self) -> Any:
        if self._is_stopping:
            raise BlockingIOError("the server is being stopped")
        return self._originals["get_request"]()

    def _process_request(self, request: Any, client_address: Any) -> None:
        open_requests(self._server).add(request, client_address)
        self._originals["process_request"](request, client_address)

    def _process_request_thread(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._threads = {thread for thread in self._threads if thread.is_alive()} | {threading.current_thread()}
        self._originals["process_request_thread"](request, client_address)

    def _close_request(self, request: Any) -> None:
        open_requests(self._server).discard(request)
        self._originals["close_request"](request)

    def _service_actions(self) -> None:
        self._originals["service_actions"]()
        if self._is_stopping:
            raise _StopServing
