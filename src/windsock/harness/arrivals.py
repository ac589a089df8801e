"""What a test accepts: a connection of a stream server, or the conversation that a datagram begins."""

from __future__ import annotations

import errno
import math
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from windsock.endpoints.endpoint import DONTWAIT
from windsock.net import addresses
from windsock.net.deadlines import capped
from windsock.net.system import os, socket, threading
from windsock.net.wakeup import Wakeup
from windsock.recording.events import Kind
from windsock.servers import fork_hooks
from windsock.servers.requests import give_up, open_requests, release, release_or_report
from windsock.taps.requests import connection_of

if TYPE_CHECKING:
    from windsock.fakes.fake import Fake
    from windsock.harness.claim import Claim
    from windsock.recording import Connection

__all__ = ["Arrival", "DatagramArrival", "DatagramExchange", "StreamArrival"]


class _Host(Protocol):
    """What arrivals need of Acceptances."""

    server: Any
    fake: Fake

    def is_ready(self, arrival: Arrival, sock: Any) -> None: ...
    def forget(self, arrival: Arrival) -> None: ...


class Arrival:
    """A client that has come, and that the test's own hand serves."""

    claim: Claim | None = None
    """The `accept()` that it is for; None while it waits for one."""
    socket: Any = None
    """The socket for the test's end; None while the server prepares it: TLS, access."""

    def __init__(self, host: _Host, connection: Connection) -> None:
        self._host = host
        self.connection = connection

    def begin(self) -> None:
        """Prepare the socket. Must be overridden."""
        raise NotImplementedError

    def remove(self) -> None:
        """Give the connection back to the server: the test's end has closed it. Idempotent. Must be overridden."""
        raise NotImplementedError

    def _forget(self) -> None:
        self.connection.rest(0.0)
        self._host.forget(self)

    def wait(self, seconds: float) -> list[str]:
        """Wait until the server has released it; return what is left after `seconds`, in words. Must be overridden."""
        raise NotImplementedError


class StreamArrival(Arrival):
    """An accepted connection.

    A thread of the server's process takes it through the server's hooks, as if it handled it: TLS and access control
    come first, the release comes last. In between, the thread waits for the test. So no child is forked for it, and no
    greenlet or task has it.
    """

    def __init__(self, host: _Host, request: Any, client_address: Any, connection: Connection) -> None:
        super().__init__(host, connection)
        self._request = request
        self._client_address = client_address
        self._is_over = threading.Event()
        name = f"windsock accepted {addresses.show(client_address)}"
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)

    def begin(self) -> None:
        """Have the server prepare it, in the thread."""
        open_requests(self._host.server).add(self._request, self._client_address)
        self._host.fake.hand_overs[self.connection] = self._hand_over
        self._thread.start()

    def _serve(self) -> None:
        server, request, client_address = self._host.server, self._request, self._client_address
        mark = fork_hooks.now()
        try:
            server.finish_request(request, client_address)
        except Exception:
            give_up(server, request, client_address, mark)
        except BaseException:
            release(server, request, mark)
            raise
        else:
            release_or_report(server, request, client_address, mark)
        finally:
            self._forget()

    def _hand_over(self, request: Any) -> None:
        """Give the request to the test, and return once the test is done with it."""
        request.settimeout(0.0)
        self._host.is_ready(self, request)
        self._is_over.wait()

    def remove(self) -> None:
        """See Arrival."""
        self._is_over.set()

    def wait(self, seconds: float) -> list[str]:
        """See Arrival."""
        self._thread.join(capped(seconds))
        return [f"thread {self._thread.name!r}"] if self._thread.is_alive() else []


class DatagramArrival(Arrival):
    """The conversation with one client of a datagram server."""

    def __init__(self, host: _Host, request: tuple[bytes, Any], client_address: Any, connection: Connection) -> None:
        super().__init__(host, connection)
        self.client_address = addresses.plain(client_address)
        self._first = request

    def begin(self) -> None:
        """Make its socket, which is ready at once."""
        conversation = DatagramExchange(self.client_address, self._host.server.server_address)
        conversation.hear(self._first)
        self._host.is_ready(self, conversation)

    def remove(self) -> None:
        """See Arrival."""
        self._forget()
        if self.socket is not None:
            self.socket.close()

    def wait(self, seconds: float) -> list[str]:  # noqa: ARG002  # there is nothing to wait for
        """See Arrival."""
        return []


class DatagramExchange:
    """The datagrams of one client, as a socket that is connected to it and does not block.

    The server's loop reads them. What is sent is a reply to the datagram that was received last.
    """

    family = socket.AF_INET
    type = socket.SOCK_DGRAM

    def __init__(self, client_address: Any, own_address: Any) -> None:
        self._client_address = client_address
        self._own_address = own_address
        self._lock = threading.Lock()
        self._waiting: deque[tuple[bytes, Any]] = deque()
        self._latest: tuple[bytes, Any] | None = None
        self._wakeup = Wakeup()

    def fileno(self) -> int:
        """Return a descriptor that is readable while a datagram waits."""
        return self._wakeup.fileno()

    def hear(self, request: tuple[bytes, Any]) -> None:
        """Add a datagram. From the server's loop."""
        connection = connection_of(request)
        if connection is not None:
            connection.rest(math.inf)
        with self._lock:
            self._latest = self._latest or request
            self._waiting.append(request)
            if self.fileno() >= 0:
                self._wakeup.call()

    def recv(self, size: int) -> bytes:
        """See socket.socket."""
        with self._lock:
            if not self._waiting:
                self._wakeup.clear()
                raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
            request = self._waiting.popleft()
            if request is not self._latest:
                _note_end(self._latest)
            self._latest = request
        return request[0][:size]

    def send(self, data: bytes | memoryview) -> int:
        """See socket.socket. Raises OSError (EDESTADDRREQ) if the client has no address."""
        assert self._latest is not None
        if self._client_address is None:
            raise OSError(errno.EDESTADDRREQ, os.strerror(errno.EDESTADDRREQ))
        size: int = self._latest[1].sendto(data, DONTWAIT, self._client_address)
        return size

    def close(self) -> None:
        """End it: the datagrams of the client are handled. Idempotent."""
        with self._lock:
            left = [self._latest, *(each for each in self._waiting if each is not self._latest)]
            self._latest = None
            self._waiting.clear()
            self._wakeup.close()
        for each in left:
            _note_end(each)

    def getsockname(self) -> Any:
        """Return the server's address."""
        return self._own_address

    def getpeername(self) -> Any:
        """Return the client's address."""
        return self._client_address

    def setblocking(self, flag: bool) -> None:
        """Do nothing: it never blocks."""

    def getsockopt(self, *_: Any) -> int:
        """Raise OSError: the options are those of the server's socket, which all clients share."""
        raise OSError(errno.ENOPROTOOPT, os.strerror(errno.ENOPROTOOPT))


def _note_end(request: tuple[bytes, Any] | None) -> None:
    """Record that a datagram was handled."""
    connection = None if request is None else connection_of(request)
    if connection is not None:
        connection.rest(0.0)
        connection.note(Kind.CLOSE)
