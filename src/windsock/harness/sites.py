"""Where a connection is served, and how a test acts on it there: in this process, under TLS, in a forked child."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from windsock.endpoints.endpoint import SLICE
from windsock.endpoints.outcomes import is_only_later, is_own_timeout
from windsock.errors import UsageError
from windsock.harness import acts
from windsock.harness.mailbox import SIGNAL, Mailbox, OrderResult
from windsock.harness.thread_pool import start_thread
from windsock.net.abort import kernel_socket
from windsock.net.system import monotonic, os, sleep, threading
from windsock.recording import Connection, Recorder
from windsock.servers.requests import open_requests
from windsock.taps.requests import connection_of

__all__ = ["Here", "InChild", "InTLS", "InTrioTLS", "Site", "request_of"]

GRACE = 0.2
"""Seconds after the deadline in which a child can report how far it has come."""


class Site(Protocol):
    """Where a connection is served. Both methods raise OSError if the connection is lost, or over."""

    def send(self, data: bytes, until: float) -> int:
        """Send until all is sent or the monotonic time is `until`; return how many bytes were."""
        ...

    def end(self, how: str, until: float) -> None:
        """End the connection: "half_close", "close" or "reset"."""
        ...


@contextlib.contextmanager
def request_of(server: Any, connection: Connection) -> Iterator[Any]:
    """Give the request of a connection that this process serves, which is not released meanwhile; None without one."""
    with open_requests(server).kept(lambda request: connection_of(request) is connection) as request:
        yield request


class Here:
    """In this process, in the clear."""

    def __init__(self, server: Any, connection: Connection) -> None:
        self._server = server
        self._connection = connection

    @contextlib.contextmanager
    def _request(self) -> Iterator[Any]:
        with request_of(self._server, self._connection) as request:
            if request is None or request.fileno() < 0:
                raise BrokenPipeError
            yield request

    def send(self, data: bytes, until: float) -> int:
        """See Site."""
        sent = 0
        while sent < len(data):
            with self._request() as request:
                sent += acts.send_now(request, self._connection, data[sent : sent + acts.BLOCK])
                descriptor = request.fileno()
            if sent < len(data):
                if monotonic() >= until:
                    break
                acts.wait_writable(descriptor, until)
        return sent

    def end(self, how: str, until: float) -> None:  # noqa: ARG002  # it does not wait
        """See Site."""
        with self._request() as request:
            acts.end(request, self._connection, how)


class InTLS(Here):
    """In this process, under TLS. A thread sends, since a handler may keep the stream busy for any time."""

    def __init__(self, server: Any, connection: Connection, secured: Any) -> None:
        super().__init__(server, connection)
        self._secured = secured
        self._sent = 0

    def send(self, data: bytes, until: float) -> int:
        """See Site."""
        _in_thread(lambda: self._send(data, until), until)
        return self._sent

    def _send(self, data: bytes, until: float) -> None:
        while self._sent < len(data) and monotonic() < until:
            try:
                self._sent += self._secured.send(data[self._sent : self._sent + acts.BLOCK])
            except OSError as error:
                if not (is_only_later(error) or is_own_timeout(error)):
                    raise
                acts.wait_writable(kernel_socket(self._secured).fileno(), min(until, monotonic() + SLICE))

    def end(self, how: str, until: float) -> None:
        """See Site. With close_notify, except for a reset."""
        if how != "reset":
            _in_thread(lambda: self._secured.shutdown(acts.HOW[how]), until)
        else:
            super().end(how, until)


class InTrioTLS(Here):
    """In this process, in the TLS stream of an async handler, which sends in its own loop."""

    def __init__(self, server: Any, connection: Connection, request: Any, stream: Any) -> None:
        super().__init__(server, connection)
        self._its_request = request
        self._stream = stream

    def send(self, data: bytes, until: float) -> int:
        """See Site. Nothing counts as sent if not all of it was."""
        run = self._server.run_beside_handler
        is_over = _in_thread(lambda: run(self._its_request, self._stream.send_all, data), until)
        return len(data) if is_over else 0

    def end(self, how: str, until: float) -> None:
        """See Site. Closed without close_notify, since the stream is the handler's."""
        if how == "half_close":
            raise UsageError(
                "half_close(): a TLS stream of trio cannot end in one direction only; close() the connection, or use a "
                "blocking handler"
            )
        super().end(how, until)


def _in_thread(work: Callable[[], object], until: float) -> bool:
    """Do something that may block, in a thread; return whether it was over in time. Raises what it raises."""
    failures: list[BaseException] = []
    over = threading.Event()

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)
        finally:
            over.set()

    start_thread(run, "windsock send() of a test")
    is_over = over.wait(max(0.0, until - monotonic()))
    if failures:
        raise failures[0]
    return is_over


class InChild:
    """In a forked child, which a signal tells to look for an order."""

    def __init__(self, server: Any, recorder: Recorder, connection: Connection, mailbox: Mailbox) -> None:
        self._server = server
        self._recorder = recorder
        self._connection = connection
        self._mailbox = mailbox

    def send(self, data: bytes, until: float) -> int:
        """See Site."""
        if self._connection.tls is not None:
            raise UsageError(
                f"send(...): process {self._connection.pid} speaks TLS on connection #{self._connection.index}, and "
                "only it has the keys; use another concurrency than forking, or send() in the handler"
            )
        sent = 0
        while sent < len(data):
            answer = self._order("send", until, data[sent : sent + acts.BLOCK])
            if answer is None or not answer.sent:
                break
            sent += answer.sent
        return sent

    def end(self, how: str, until: float) -> None:
        """See Site. Under TLS without close_notify."""
        if self._order(how, until) is None:
            raise TimeoutError

    def _order(self, kind: str, until: float, data: bytes = b"") -> OrderResult | None:
        """Return the child's answer; None if there is none in time. Raises OSError."""
        with self._mailbox.lock:
            self._mailbox.write(self._connection.index, kind, until, data)
            while (answer := self._mailbox.answer()) is None and monotonic() < until + GRACE:
                self._signal()
                sleep(SLICE)
                self._check_open()
        if answer is not None and answer.error:
            raise OSError(answer.error, os.strerror(answer.error))
        return answer

    def _signal(self) -> None:
        """Have the child look; it may have begun before its parent knows it."""
        pid = self._connection.pid
        assert pid is not None
        signal_child = getattr(self._server, "signal_child", None)
        if signal_child is not None:
            signal_child(pid, SIGNAL)
        elif pid in (getattr(self._server, "active_children", None) or ()):  # a class of another family
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, SIGNAL)

    def _check_open(self) -> None:
        """Raise BrokenPipeError if the connection is over, as its child has recorded or left it."""
        self._recorder.catch_up()
        if self._connection.is_released and self._mailbox.answer() is None:
            raise BrokenPipeError
