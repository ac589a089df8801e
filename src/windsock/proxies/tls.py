"""TLS that ends at the proxy: on the client's side, on the server's side, or both."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from windsock.errors import UsageError
from windsock.net import sockets
from windsock.net.deadlines import capped
from windsock.net.system import monotonic, socket, threading
from windsock.net.targets import Target
from windsock.recording import Connection
from windsock.recording.events import Kind
from windsock.relay.loop import RelayLoop
from windsock.taps.requests import noting_handshake

if TYPE_CHECKING:
    import ssl

__all__ = ["HandshakeAttempt", "Termination"]


@dataclass(frozen=True, slots=True)
class Termination:
    """TLS that ends at the proxy itself."""

    client: ssl.SSLContext | None
    upstream: ssl.SSLContext | None
    server_name: str | None

    @classmethod
    def of(
        cls, place: Target, client: ssl.SSLContext | None, upstream: ssl.SSLContext | None, server_name: str | None
    ) -> Termination | None:
        """Return the termination for these options, or None; raise UsageError for options that cannot work."""
        if client is None and upstream is None:
            if server_name is not None:
                raise UsageError(f"server_name={server_name!r}: whom upstream_tls= is to expect; there is none")
            return None
        _check_context("tls", client)
        _check_context("upstream_tls", upstream)
        if place.unit != "stream":
            raise UsageError(f"tls= in front of {place.address!r}: TLS is for streams, and {place.unit}s go there")
        if upstream is not None and server_name is None and upstream.check_hostname:
            server_name = str(place.address[0]) if isinstance(place.address, tuple) else "localhost"
        return cls(client, upstream, server_name)


def _check_context(name: str, given: Any) -> None:
    from windsock.net.system import ssl  # of which proxies without TLS have no need

    if given is not None and not isinstance(given, ssl.SSLContext):
        raise UsageError(f"{name}={given!r}: expected an ssl.SSLContext; without one, TLS passes through as it is")


class HandshakeAttempt:
    """The handshakes of one connection, onwards first, in a thread of their own; then `on_done`, in the house's.

    `on_done` gets both ends, or the error; the sockets are then closed unless they are returned.
    """

    def __init__(
        self,
        relay_loop: RelayLoop,
        termination: Termination,
        client: socket.socket,
        upstream: socket.socket,
        seconds: float,
        *,
        connection: Connection | None,
        on_done: Callable[[Any, Any, BaseException | None], None],
    ) -> None:
        self._relay_loop = relay_loop
        self._termination = termination
        self._ends: list[Any] = [client, upstream]
        self._raw = (client, upstream)
        self._deadline = monotonic() + seconds
        self._connection = connection
        self._on_done = on_done
        self._thread = threading.Thread(target=self._run, name=f"{relay_loop.name} (TLS)", daemon=True)

    def start(self) -> None:
        """Begin; in the clockwork's thread."""
        self._relay_loop.add(self)
        try:
            self._thread.start()
        except BaseException:
            self._relay_loop.remove(self)
            raise

    def refresh(self, now: float) -> None:
        """Nothing: no data passes yet."""

    def delivers_by(self, time: float) -> bool:  # noqa: ARG002  # what all members are asked
        """Return whether the client has sent something or left, without waiting."""
        descriptor = self._raw[0].fileno()
        return descriptor >= 0 and sockets.has_unread(descriptor)

    def finish(self) -> None:
        """Give up; the house is closed."""
        for each in self._raw:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._thread.join(capped(self._deadline - monotonic()))
        for each in self._raw:
            each.close()

    def sockets(self) -> Iterable[Any]:
        """Return the sockets that a forked child must close."""
        return self._raw

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self._secure()
        except BaseException as found:
            error = found
        self._relay_loop.event_loop.call(lambda: self._done(error))

    def _secure(self) -> None:
        from windsock.relay.tls import TLSEnd

        wanted = self._termination
        client, upstream = self._raw
        if wanted.upstream is not None:
            secured = TLSEnd(upstream, wanted.upstream, server_side=False, server_hostname=wanted.server_name)
            self._shake(secured)
            self._ends[1] = secured
        if wanted.client is not None:
            secured = TLSEnd(client, wanted.client)
            with noting_handshake(self._connection) as note:
                note(self._shake(secured))
            self._ends[0] = secured

    def _shake(self, secured: Any) -> Any:
        secured.note = self._note
        secured.raw.settimeout(max(0.001, capped(self._deadline - monotonic())))
        try:
            return secured.do_handshake(max(0.001, self._deadline - monotonic()))
        finally:
            secured.raw.setblocking(False)

    def _note(self, words: str) -> None:
        if self._connection is not None:
            self._connection.note(Kind.NOTE, words.encode())

    def _done(self, error: BaseException | None) -> None:
        self._thread.join(1)
        self._relay_loop.remove(self)
        self._on_done(self._ends[0], self._ends[1], error)
