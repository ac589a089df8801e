"""SelectingMixIn: all requests in one loop, a greenlet for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from windsock.errors import NotInstalled, UsageError
from windsock.net import addresses
from windsock.net.deadlines import to_stop
from windsock.net.stacks import outwards
from windsock.net.system import monotonic, os, select, socket, threading
from windsock.servers import fork_hooks
from windsock.servers.base import BaseServer
from windsock.servers.requests import end_of_forked_handler, give_up, open_requests, release_or_report

if TYPE_CHECKING:
    from types import FrameType

    from windsock.servers.loop import ServeLoop
    from windsock.servers.selecting.hub import Hub
    from windsock.servers.selecting.request_greenlet import RequestGreenlet

__all__ = ["PartialRequest", "SelectingMixIn"]

MOST_AT_ONCE = 64
"""The most requests accepted in one round, so that neither new nor old ones keep the others waiting."""


@dataclass(frozen=True, slots=True)
class PartialRequest:
    """A row of a selecting server's table: a request in progress.

    `doing` is "reading" or "writing" while its handler waits for the client, "running" while it runs (at most one
    does), "waiting" while others run. `since` is in monotonic seconds; `received` and `sent` are the bytes so far.
    """

    client_address: Any
    doing: str
    since: float
    received: int
    sent: int


class SelectingMixIn:
    """Handles all requests in the serve loop's own thread, by turns. Comes first among the bases.

    A handler runs in a greenlet. Its socket looks like a blocking one; while it would block, another request whose
    socket is ready runs. A handler that blocks on anything else (`time.sleep`, a socket of its own, a long
    calculation) keeps all others waiting.

    When the loop stops, each connection is shut down for reading, then both ways; each time, its handler may do
    what needs no waiting. If it still waits then, GreenletExit is raised in it.
    """

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Refuse classes with a loop of another family, which would handle one request after the other."""
        super().__init_subclass__(**keywords)
        if hasattr(cls, "serve_forever") and not issubclass(cls, BaseServer):
            raise UsageError(
                f"class {cls.__name__}: SelectingMixIn needs a server of windsock.servers below it, such as TCPServer, "
                "whose loop gives requests their turns"
            )

    @property
    def table(self) -> list[PartialRequest]:
        """The requests in progress, oldest first. From any thread."""
        return [_row(turn) for hub in self._hubs_of_this_process() for turn in list(hub.turns)]

    def handler_frames(self) -> list[tuple[Any, list[FrameType]]]:
        """Return the requests whose handlers wait for their turn, each with its frames, the innermost first."""
        turns = [turn for hub in self._hubs_of_this_process() for turn in list(hub.turns)]
        return [(turn.request, list(outwards(turn.gr_frame))) for turn in turns]

    # --- serving

    def handle_request(self) -> None:
        """Handle one request to its end. If none comes within `timeout`, call `handle_timeout()`."""
        if self._hub_here() is not None:
            super().handle_request()  # type: ignore[misc]  # the server class has it
            return
        hub = _hub_module().Hub(None)
        hub.begin()
        try:
            self._adopt(hub)
            super().handle_request()  # type: ignore[misc]  # the server class has it
            hub.wait_for_end(None)
        finally:
            hub.finish()
            hub.close()

    def get_request(self) -> tuple[Any, Any]:
        """Get a request whose socket lets others run while it would block. May be extended (call super)."""
        request, client_address = super().get_request()  # type: ignore[misc]  # the server class has it
        hub = self._hub_here()
        if hub is not None:
            request = _over(request, hub)
        return request, client_address

    def process_request(self, request: Any, client_address: Any) -> None:
        """Run the request in a greenlet, until it first waits."""
        hub = self._hub_here()
        if hub is None:
            self._run_request(request, client_address)
            return
        open_requests(self).add(request, client_address)
        hub.start(request, client_address)

    def process_request_greenlet(self, request: Any, client_address: Any) -> None:
        """Handle the request, in its greenlet. May be extended (call super)."""
        mark = fork_hooks.now()
        try:
            self.finish_request(request, client_address)  # type: ignore[attr-defined]  # the server class has it
        except Exception:
            give_up(self, request, client_address, mark)
        except BaseException:
            release_or_report(self, request, client_address, mark)
            raise
        else:
            release_or_report(self, request, client_address, mark)

    def _run_request(self, request: Any, client_address: Any) -> None:
        """Handle the request. Exceptions that end a thread end only the request."""
        from greenlet import GreenletExit

        process_id = os.getpid()
        try:
            self.process_request_greenlet(request, client_address)
        except (GreenletExit, SystemExit):
            pass
        except KeyboardInterrupt:
            raise  # the loop itself was interrupted
        except BaseException as error:
            threading.excepthook(
                threading.ExceptHookArgs((type(error), error, error.__traceback__, threading.current_thread()))
            )
        finally:
            if os.getpid() != process_id:
                end_of_forked_handler(0)

    def _handle_request_noblock(self) -> None:
        """Get and start requests: as many as old ones ran in the latest round, so that none waits for long."""
        hub = self._hub_here()
        for _ in range(1 if hub is None else min(MOST_AT_ONCE, 1 + hub.ran)):
            before = None if hub is None else hub.started
            super()._handle_request_noblock()  # type: ignore[misc]  # the server class has it
            if hub is None or hub.started == before or hub.stopping:
                return

    # --- loops

    def _loop_class(self) -> type[ServeLoop]:
        found: type[ServeLoop] = _hub_module().Hub
        return found

    def _loop_started(self, loop: Any) -> None:
        super()._loop_started(loop)  # type: ignore[misc]  # the server class has it
        self._adopt(loop)

    def _adopt(self, hub: Hub) -> None:
        hub.handle = self._run_request
        hub.finished = self._hub_finished
        hub.seconds_to_end = self._seconds_to_end
        if hasattr(self, "fileno"):
            os.set_blocking(self.fileno(), False)
        self._hubs.append(hub)

    def _seconds_to_end(self) -> float:
        """Return how many seconds requests that do not end may delay the end of their loop."""
        seconds: float = getattr(self, "seconds_to_stop", 5.0)
        return seconds / 2

    def _hub_finished(self, hub: Hub) -> None:
        """Forget a loop, but keep the requests that did not end with it: their connections are closed."""
        self._hubs.remove(hub)
        for turn in hub.stubborn:
            self._stubborn.append(turn)
            release_or_report(self, turn.request, turn.client_address, fork_hooks.now())

    def _hubs_of_this_process(self) -> list[Hub]:
        """Return the loops that do not belong to a parent process."""
        return [hub for hub in list(self._hubs) if not hub.is_elsewhere]

    def _hub_here(self) -> Hub | None:
        """Return the loop that runs in this thread of this process."""
        return next((hub for hub in reversed(self._hubs) if hub.is_here()), None)

    @property
    def _hubs(self) -> list[Hub]:
        hubs: list[Hub] | None = vars(self).get("_hubs_of_mine")
        if hubs is None:  # setdefault: two serving threads may get here at once
            hubs = vars(self).setdefault("_hubs_of_mine", [])
        return hubs

    @property
    def _stubborn(self) -> list[RequestGreenlet]:
        stubborn: list[RequestGreenlet] = vars(self).setdefault("_stubborn_of_mine", [])
        return stubborn

    # --- stopping

    def wait_for_requests(self, timeout: float | None = None, *, daemons: bool = True) -> list[str]:
        """Wait for the greenlets; return descriptions of those still running after `timeout` seconds."""
        deadline = monotonic() + to_stop(timeout)
        left: list[RequestGreenlet] = []
        for hub in self._hubs_of_this_process():
            hub.wait_for_end(max(0.0, deadline - monotonic()))
            left += hub.others()
        left += self._stubborn
        return [f"request from {addresses.show(turn.client_address)}" for turn in left]


def _hub_module() -> Any:
    """Return the hub module, after importing everything that the loop's thread needs.

    Raises NotInstalled if greenlet is missing.
    """
    try:
        import greenlet  # noqa: F401  # a check whether it is installed
    except ImportError as error:
        raise NotInstalled("a selecting server needs greenlet, which is not installed: pip install greenlet") from error
    from windsock.servers.selecting import green_datagrams, green_socket, hub  # noqa: F401  # for the loop's thread

    return hub


def _over(request: Any, hub: Hub) -> Any:
    """Return a request with its plain socket replaced by a green one."""
    from windsock.servers.selecting.green_datagrams import GreenDatagrams
    from windsock.servers.selecting.green_socket import green

    if type(request) is socket.socket:
        hub.accepted = request = green(request, hub)
    elif isinstance(request, tuple) and len(request) == 2 and isinstance(request[0], bytes):
        hub.accepted = GreenDatagrams(request[1], hub, len(request[0]))
        return request[0], hub.accepted
    return request


def _row(turn: RequestGreenlet) -> PartialRequest:
    """Return a request's current row of the table."""
    traffic = turn.traffic
    received, sent = (0, 0) if traffic is None else (traffic.received, traffic.sent)
    return PartialRequest(turn.client_address, DOING[turn.doing], turn.since, received, sent)


DOING = {select.POLLIN: "reading", select.POLLOUT: "writing", 0: "running", -1: "waiting"}
