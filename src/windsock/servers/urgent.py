"""UrgentMixIn: urgent data for the handlers of stream servers (MSG_OOB; tcp(7), unix(7), RFC 6093)."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from windsock.errors import UsageError
from windsock.net.system import select, socket, threading
from windsock.net.wakeup import Wakeup
from windsock.servers.urgent_socket import PRI, UrgentReader, UrgentSocket, look_first, pass_mark, read_as_usual

if TYPE_CHECKING:
    from windsock.servers.handlers import BaseRequestHandler as _AnyHandler
else:  # a mix-in for any handler class
    _AnyHandler = object

__all__ = ["UrgentMixIn", "check_urgent", "check_urgent_in_tls"]


class UrgentMixIn(_AnyHandler):
    """Calls `handle_urgent()` for urgent data that arrives while `handle()` runs. First among the handler's bases.

    By default the byte is out of line: it overtakes the unread data before it, and is not part of the stream. The
    kernel holds one; another that arrives before it was taken replaces it, or makes it ordinary data.

    With `urgent_inline = True` the byte stays in its place in the stream (SO_OOBINLINE), and no byte is lost.
    `handle_urgent()` is called when the handler reads it; that read returns it alone. If another urgent byte arrives
    before it was read, it is read as ordinary data.
    """

    urgent_inline = False
    _urgent: Any = None
    """Looks for urgent data while `handle()` runs: an UrgentWatch, or an UrgentStream."""

    def handle_urgent(self, byte: bytes, position: int) -> Awaitable[None] | None:
        """Handle one urgent byte. Must be overridden; in async handlers it may be async.

        `position` is its offset in the stream of the bytes that the handler reads. Out of line, a handler in a thread
        or process of its own that does not read at that time is called from another thread. What this raises is raised
        by the handler's next read, or at its end.
        """
        raise NotImplementedError(f"{type(self).__name__}.handle_urgent()")

    def setup(self) -> Any:
        """Have `handle()` run while urgent data is looked for. May be extended (call super)."""
        if "stream" not in vars(self):  # the server calls run_beside() for an async handler
            self.handle = partial(self._handle_beside, self.handle)  # type: ignore[method-assign]
        return super().setup()

    def _handle_beside(self, handle: Callable[[], Any]) -> Any:
        del self.handle  # no cycle
        self._begin_urgent()
        try:
            result = handle()
        finally:
            error = self._end_urgent()
        if error is not None:
            raise error
        return result

    async def run_beside(self, handle: Callable[[], Awaitable[None] | None]) -> None:
        """Run an async `handle()` beside a task that watches for urgent data. For the server."""
        self._begin_urgent()
        try:
            await self._urgent.run_beside(handle)
        finally:
            self._end_urgent()

    def start_tls(self, *, unread: bytes = b"") -> Any:
        """See BaseRequestHandler. TLS has no urgent data, so none is looked for until TLS ends."""
        self._end_urgent()
        return super().start_tls(unread=unread)

    def stop_tls(self) -> Any:
        """See BaseRequestHandler."""
        result = super().stop_tls()
        if result is None:
            self._begin_urgent()
        return result

    def _begin_urgent(self) -> None:
        request = vars(self).get("stream", self.request)
        if hasattr(request, "pending") or hasattr(request, "transport_stream"):
            check_urgent_in_tls(type(self))
        if "stream" in vars(self):
            from windsock.servers.trio.urgent import UrgentStream

            self._urgent = UrgentStream(self.stream, self.handle_urgent, is_inline=self.urgent_inline)
        else:
            self._urgent = UrgentWatch(self.request, self.handle_urgent, is_inline=self.urgent_inline)

    def _end_urgent(self) -> BaseException | None:
        watch, self._urgent = self._urgent, None
        return None if watch is None else watch.end()

    def _close_files(self) -> None:
        vars(self).pop("handle", None)
        self._end_urgent()
        super()._close_files()


class UrgentWatch:
    """Urgent data of a blocking handler: its reads look for it, and a thread does while it is busy elsewhere."""

    def __init__(self, request: Any, tell: Callable[[bytes, int], Any], *, is_inline: bool) -> None:
        self._request = request
        self._reader = UrgentReader(request, tell, is_inline=is_inline)
        self._alarm = Wakeup()
        self._thread: threading.Thread | None = None
        look_first(request, self._reader, _base_for(request))
        if is_inline:
            return  # urgent data waits in its place, and is reported with ordinary data
        watch = getattr(request, "watch_urgent", self._start)
        watch()

    def _start(self) -> None:
        self._reader.alarm = self._alarm.fileno()
        self._reader.stop = self._stop
        descriptor = self._request.fileno()
        self._thread = threading.Thread(target=self._watch, args=(descriptor,), name="urgent data", daemon=True)
        self._thread.start()

    def _watch(self, descriptor: int) -> None:
        poll = select.poll()
        poll.register(descriptor, PRI)
        poll.register(self._alarm.fileno(), select.POLLIN)
        try:
            while dict(poll.poll()).get(descriptor, 0) & PRI and not self._reader.is_over:
                self._reader.tell()
        except BaseException as error:
            self._reader.error = error
            self._alarm.call()

    def _stop(self) -> None:
        """End the thread, and wait for the `handle_urgent()` that runs in it, unless this is called from there."""
        self._reader.is_over = True
        self._reader.alarm = -1
        if self._alarm.fileno() >= 0:
            self._alarm.call()
        if not self._reader.is_telling_here():
            if self._thread is not None:
                self._thread.join()
            self._alarm.close()

    def end(self) -> BaseException | None:
        """Look no more; return an exception that no read has raised."""
        self._stop()
        self._reader.let_go()
        if not self._reader.is_inline and self._request.fileno() >= 0:
            pass_mark(self._request)
        read_as_usual(self._request)
        return self._reader.error


def check_urgent(server: Any, handler: Any) -> None:
    """Raise UsageError if a handler handles urgent data and this server's connections have none."""
    if not (isinstance(handler, type) and issubclass(handler, UrgentMixIn)):
        return
    if sys.platform != "linux":
        raise _no_urgent_data(handler, "UrgentMixIn needs Linux")
    if getattr(server, "socket_type", socket.SOCK_STREAM) != socket.SOCK_STREAM:
        raise _no_urgent_data(handler, f"{type(server).__name__} is for datagrams, which have none; leave it out")


def check_urgent_in_tls(handler: Any) -> None:
    """Raise UsageError if a handler handles urgent data: its connections begin with TLS."""
    if isinstance(handler, type) and issubclass(handler, UrgentMixIn):
        raise _no_urgent_data(handler, "TLS has none; leave UrgentMixIn out, or begin in plaintext (tls='starttls')")


def _no_urgent_data(handler: type[Any], why: str) -> UsageError:
    return UsageError(f"{handler.__name__} handles urgent data: {why}")


def _base_for(request: Any) -> type[UrgentSocket]:
    """Return the class that looks first for a kind of socket: one that waits as it does."""
    if not hasattr(request, "selecting_hub"):
        return UrgentSocket
    from windsock.servers.selecting.green_urgent import UrgentGreenSocket

    return UrgentGreenSocket
