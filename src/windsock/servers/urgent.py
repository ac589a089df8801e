"""UrgentMixIn: urgent data for the handlers of stream servers (MSG_OOB; tcp(7), unix(7), RFC 6093)."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from windsock.errors import StillRunning, UsageError
from windsock.net.deadlines import is_seconds
from windsock.net.system import platform, select, socket, threading
from windsock.net.urgent import pass_mark
from windsock.net.wakeup import Wakeup
from windsock.servers.async_handlers import STEPS, is_async
from windsock.servers.handlers import BaseRequestHandler
from windsock.servers.urgent_socket import PRI, UrgentReader, UrgentSocket, look_first, read_as_usual

if TYPE_CHECKING:
    _AnyHandler = BaseRequestHandler
else:  # a mix-in for any handler class
    _AnyHandler = object

__all__ = ["UrgentMixIn", "check_urgent", "check_urgent_in_tls"]


class UrgentMixIn(_AnyHandler):
    """Calls `handle_urgent()` for urgent data that arrives while `handle()` runs. First among the handler's bases.

    In another order, and with an async `handle_urgent()` beside a blocking `handle()`, the class raises UsageError.

    By default the byte is out of line: it overtakes the unread data before it, and is not part of the stream. The
    kernel holds one; another that arrives before it was taken replaces it, or makes it ordinary data.

    With `urgent_inline = True` the byte stays in its place in the stream (SO_OOBINLINE), and no byte is lost.
    `handle_urgent()` is called when the handler reads it; that read returns it alone. If another urgent byte arrives
    before it was read, it is read as ordinary data.
    """

    urgent_inline = False
    urgent_timeout: float = 5.0
    """Seconds that a `handle_urgent()` in another thread may take once `handle()` has ended; then StillRunning."""
    _urgent: Any = None
    """Looks for urgent data while `handle()` runs: an UrgentWatch, or an UrgentStream."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _check_order(cls)
        _check_async(cls)

    def handle_urgent(self, byte: bytes, position: int) -> Awaitable[None] | None:
        """Handle one urgent byte. Must be overridden; in async handlers it may be async.

        `position` is its offset in the stream of the bytes that the handler reads. Out of line, a handler in a thread
        or process of its own that does not read at that time is called from another thread. What this raises is raised
        by the handler's next read, or at its end. It may read `self.request`; `self.rfile`, whose lock a read of
        `handle()` may hold, raises UsageError.
        """
        raise NotImplementedError(f"{type(self).__name__}.handle_urgent()")

    if not TYPE_CHECKING:  # where it is an attribute of the other base

        @property
        def rfile(self) -> Any:
            """The file of a StreamRequestHandler. Raises UsageError in `handle_urgent()`."""
            if isinstance(self._urgent, UrgentWatch) and self._urgent.is_telling_here():
                raise _reads_file(type(self))
            if "rfile" not in vars(self):
                raise AttributeError(f"{type(self).__name__!r} object has no attribute 'rfile'", name="rfile", obj=self)
            return vars(self)["rfile"]

        @rfile.setter
        def rfile(self, file: Any) -> None:
            vars(self)["rfile"] = file

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
            if self._urgent is not None:
                self._urgent.look_at_end()
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
            self._urgent = UrgentWatch(self.request, self.handle_urgent, self.urgent_timeout, self.urgent_inline)
            self._urgent.begin()

    def _end_urgent(self) -> BaseException | None:
        watch, self._urgent = self._urgent, None
        return None if watch is None else watch.end()

    def _close_files(self) -> None:
        vars(self).pop("handle", None)
        self._end_urgent()
        super()._close_files()


class UrgentWatch:
    """Urgent data of a blocking handler: its reads look for it, and a thread does while it is busy elsewhere."""

    def __init__(self, request: Any, tell: Callable[[bytes, int], Any], seconds: float, is_inline: bool) -> None:
        if not is_seconds(seconds):
            raise UsageError(f"urgent_timeout = {seconds!r}: expected seconds, 0 or more")
        self._request = request
        self._seconds = seconds
        self._name = getattr(tell, "__qualname__", repr(tell))
        self._reader = UrgentReader(request, tell, is_inline=is_inline)
        self._alarm = Wakeup()
        self._thread: threading.Thread | None = None
        self._is_late = False
        """Whether `handle_urgent()` ran on at its deadline."""

    def begin(self) -> None:
        """Look for urgent data from here on."""
        look_first(self._request, self._reader, _base_for(self._request))
        if self._reader.is_inline:
            return  # urgent data waits in its place, and is reported with ordinary data
        watch = getattr(self._request, "watch_urgent", self._start)
        watch()

    def is_telling_here(self) -> bool:
        """Return whether this thread runs `handle_urgent()`."""
        return self._reader.is_telling_here()

    def _start(self) -> None:
        self._reader.alarm = self._alarm.fileno()
        self._reader.stop = self._stop
        descriptor = self._request.fileno()
        self._thread = threading.Thread(target=self._watch, args=(descriptor,), name="urgent data", daemon=True)
        self._thread.start()

    def _watch(self, descriptor: int) -> None:
        alarm = self._alarm.fileno()
        poll = select.poll()
        poll.register(descriptor, PRI)
        poll.register(alarm, select.POLLIN)
        found: dict[int, int] = {}
        try:
            while alarm not in found and not self._reader.is_over:
                found = dict(poll.poll())
                if not found.get(descriptor, 0) & PRI or self._reader.is_gone:
                    return
                self._reader.tell()
        except BaseException as error:
            self._reader.error = error
            with contextlib.suppress(OSError):  # closed, if it is late
                self._alarm.call()

    def look_at_end(self) -> None:
        """Tell of an urgent byte that has come, unless a thread does: a greenlet may have waited for something else."""
        if self._thread is None and not self._reader.is_inline and self._request.fileno() >= 0:
            self._reader.tell()

    def _stop(self) -> None:
        """End the thread, and wait for the `handle_urgent()` that runs in it, unless this is called from there.

        The thread tells of a byte that has come before. Raises StillRunning at the deadline, once.
        """
        if self._alarm.fileno() >= 0:
            self._alarm.call()
        if self._reader.is_telling_here():
            self._reader.is_over = True
            return  # the alarm stays: a read that begins now must not wait, and keep the connection open
        self._reader.alarm = -1
        try:
            self._join()
        finally:
            self._reader.is_over = True
        self._alarm.close()

    def _join(self) -> None:
        if self._thread is None or self._is_late:
            return
        self._thread.join(self._seconds)
        self._is_late = self._thread.is_alive()
        if self._is_late:
            raise StillRunning(f"{self._name}()", self._seconds, [f"thread {self._thread.name!r}"])

    def end(self) -> BaseException | None:
        """Look no more; return an exception that no read has raised."""
        try:
            self._stop()
        except StillRunning as error:
            self._reader.error = self._reader.error or error
        self._reader.let_go()
        if not self._reader.is_inline and self._request.fileno() >= 0:
            pass_mark(self._request)
        read_as_usual(self._request)
        return self._reader.error


def check_urgent(server: Any, handler: Any) -> None:
    """Raise UsageError if a handler handles urgent data and this server's connections have none."""
    if not (isinstance(handler, type) and issubclass(handler, UrgentMixIn)):
        return
    if platform != "linux":
        raise _no_urgent_data(handler, "UrgentMixIn needs Linux")
    if (kind := getattr(server, "socket_type", socket.SOCK_STREAM)) != socket.SOCK_STREAM:
        units = "datagrams" if kind == socket.SOCK_DGRAM else "records"
        raise _no_urgent_data(handler, f"{type(server).__name__} is for {units}, which have none; leave it out")


def check_urgent_in_tls(handler: Any) -> None:
    """Raise UsageError if a handler handles urgent data: its connections begin with TLS."""
    if isinstance(handler, type) and issubclass(handler, UrgentMixIn):
        raise _no_urgent_data(handler, "TLS has none; leave UrgentMixIn out, or begin in plaintext (tls='starttls')")


def _no_urgent_data(handler: type[Any], why: str) -> UsageError:
    return UsageError(f"{handler.__name__} handles urgent data: {why}")


def _check_order(handler: type[UrgentMixIn]) -> None:
    """Raise UsageError for a class with a handler class before UrgentMixIn, whose methods it could not extend."""
    order = handler.__mro__
    for each in order[: order.index(UrgentMixIn)]:
        if not issubclass(each, UrgentMixIn) and all(hasattr(each, step) for step in STEPS):
            name, other = handler.__name__, each.__name__
            raise UsageError(f"{name}: {other} comes before UrgentMixIn; write class {name}(UrgentMixIn, {other})")


def _check_async(handler: type[UrgentMixIn]) -> None:
    """Raise UsageError for a blocking handler whose `handle_urgent()` is async: nothing could run that."""
    has_handle = getattr(handler, "handle", None) not in (None, BaseRequestHandler.handle)
    if has_handle and inspect.iscoroutinefunction(handler.handle_urgent) and not is_async(handler):
        raise UsageError(
            f"{handler.__name__}.handle_urgent() is async, and its handle() is not: write def handle_urgent(), "
            "or make handle() async too, for a trio server"
        )


def _reads_file(handler: type[UrgentMixIn]) -> UsageError:
    return UsageError(
        f"{handler.__name__}.handle_urgent() uses self.rfile, which handle() may be reading: "
        "read self.request, or tell handle() by an attribute"
    )


def _base_for(request: Any) -> type[UrgentSocket]:
    """Return the class that looks first for a kind of socket: one that waits as it does."""
    if not hasattr(request, "selecting_hub"):
        return UrgentSocket
    from windsock.servers.selecting.green_urgent import UrgentGreenSocket

    return UrgentGreenSocket
