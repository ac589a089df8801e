"""Making a scripted client of an address: connected, and speaking TLS if asked to."""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Unpack

from windsock.clients import client_sockets, nonblocking
from windsock.clients.client import ScriptedClient
from windsock.clients.client_endpoint import ClientDatagramEndpoint, ClientStreamEndpoint
from windsock.clients.connect_options import AddressKeywords, ConnectOptions
from windsock.clients.nonblocking import OwnEnd, Run
from windsock.endpoints.outcomes import Outcome
from windsock.errors import PeerError, UsageError, WaitTimeout, whole
from windsock.faults.options import plans_from, seed_from
from windsock.net import addresses
from windsock.net.deadlines import is_over, within
from windsock.net.permission import check_allowed
from windsock.net.system import is_tls_context, monotonic, os, socket
from windsock.net.targets import Target, target_of
from windsock.scripts import StartTLS
from windsock.scripts.checks import check_keywords, check_seconds

if TYPE_CHECKING:
    import ssl

    from windsock.clients.client_group import ClientGroup
    from windsock.net.addresses import PrivateSocketPath

__all__ = ["Connector", "connector_to", "scripted_client"]

DEFAULT_TIMEOUT = 5.0
"""Seconds."""


def scripted_client(
    address: Any,
    *,
    handshake: bool = True,
    name: str = "",
    _client_group: ClientGroup | None = None,
    **options: Unpack[AddressKeywords],
) -> ScriptedClient:
    """Connect to any address; return a client whose methods are the steps of scripts. Use it in a `with`.

    `address` is `(host, port)`, or the path or abstract name of a Unix socket. `transport` ("tcp", "udp",
    "unix_stream", "unix_datagram", "unix_seqpacket") is needed for UDP and for records only. `tls` is an
    ssl.SSLContext, or True for one that trusts the certificate authority of this run; with `handshake=False` nothing is
    sent until `client.start_tls()`.

    `source` is the address to come from: a host or `(host, port)`; for Unix sockets a path. A Unix datagram client
    without one is bound to a private path, so that replies arrive, and with `source=""` it has no name at all.
    `timeout` (seconds) bounds each step without a timeout of its own; the buffers (bytes) are the kernel's.

    `faults` act on the client's own connection, in a private proxy: faults, pairs of a fault and a dict of selector
    keywords, and profiles; `client.faults` are their handles, and `seed` is the seed of their random numbers.

    Raises ConnectFailed if there is no connection. A failed handshake raises nothing: the client's `outcome` names it;
    WaitTimeout is raised if the other end is silent.
    """
    check_keywords("scripted_client", options, AddressKeywords)
    connector = connector_to(address, ConnectOptions(**options))
    return connector.client(name=name, handshake=handshake, client_group=_client_group)


class Connector:
    """The way to an address: what connecting to it needs, checked. One serves all clients of a crowd.

    `context` makes the client's TLS context; None if the client cannot speak TLS.
    """

    def __init__(
        self,
        place: Target,
        options: ConnectOptions,
        *,
        context: Callable[[], ssl.SSLContext] | None,
        begins_with_tls: bool,
        server_hostname: str | None,
        timeout: float,
    ) -> None:
        self.plans = plans_from(options.faults)
        self.seed: int = seed_from(options.seed) or 0
        check_seconds(f"timeout={timeout!r}", timeout)
        check_allowed("a client", place.family)
        self.place = place
        self.options = options
        self.context = context
        self.begins_with_tls = begins_with_tls
        self.server_hostname = server_hostname
        self.timeout = timeout

    def connect(self) -> tuple[client_sockets.QuietSocket, Any]:
        """Return a connected socket, and the private path that it is bound to. Raises ConnectFailed."""
        if self.plans:
            return self._connect_through_proxy()
        return client_sockets.connect(self.place, self.options, self.timeout)

    def _connect_through_proxy(self) -> tuple[client_sockets.QuietSocket, Any]:
        from windsock.clients.client_proxy import ClientProxy, check_source

        check_source(self.options.source)
        place = self.place
        behind = ClientProxy(place, self.plans, self.seed, self.timeout)
        try:
            there = Target(behind.proxy.address, place.family, place.kinds)
            sock, behind.private = client_sockets.connect(there, self.options, self.timeout)
        except BaseException:
            behind.proxy.stop()
            raise
        return sock, behind

    def end(self, *, handshake: bool = True) -> tuple[OwnEnd, PrivateSocketPath | None]:
        """Return an end that is connected, and the private path that it is bound to. Raises ConnectFailed."""
        sock, private = self.connect()
        end = self.end_over(sock)
        if self.begins_with_tls and handshake:
            try:
                self._shake_hands(end)
            except BaseException:
                client_sockets.give_back(sock, private)
                raise
        return end, private

    def _shake_hands(self, end: OwnEnd) -> None:
        try:
            nonblocking.carry_out(self.handshake(end), end)
        except WaitTimeout as error:
            words = nonblocking.blocked_loop()
            if not words:
                raise
            failure = WaitTimeout(f"{error}; {words}")
            failure.is_cut = error.is_cut
            raise failure from None

    def end_over(self, sock: client_sockets.QuietSocket, clock: Callable[[], float] = monotonic) -> OwnEnd:
        """Return the end over a connected socket."""
        if sock.type == socket.SOCK_DGRAM:
            return ClientDatagramEndpoint(sock, clock=clock)
        end = ClientStreamEndpoint(sock, context=self.context, server_hostname=self.server_hostname, clock=clock)
        if client_sockets.is_lost(sock):
            end.lost(ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)))
        return end

    def client(
        self, *, name: str = "", handshake: bool = True, client_group: ClientGroup | None = None
    ) -> ScriptedClient:
        """Return a client that is connected."""
        end, private = self.end(handshake=handshake)
        client = ScriptedClient(end, timeout=self.timeout, name=name, private=private, client_group=client_group)
        client.faults = getattr(private, "handles", ())
        return client

    def handshake(self, end: OwnEnd, deadline: float | None = None) -> Run:
        """Do the TLS handshake, whose result is the outcome of `end`. Raises WaitTimeout if the other end is silent."""
        if deadline is None:
            deadline = monotonic() + within(self.timeout)
        try:
            with suppress(PeerError):
                yield from nonblocking.start_tls(end, StartTLS(server_hostname=self.server_hostname), deadline)
        except TimeoutError as error:
            end.ended_as(Outcome.TIMEOUT)
            where = addresses.show(self.place.address)
            is_cut = is_over()
            seconds = whole(self.timeout, is_cut=is_cut)
            failure = WaitTimeout(f"TLS with {where}: no handshake within {seconds} ({error})")
            failure.is_cut = is_cut
            raise failure from None


def connector_to(address: Any, options: ConnectOptions) -> Connector:
    """Return the connector to an address. Raises UsageError."""
    tls, transport, server_hostname = options.tls, options.transport, options.server_hostname
    place = target_of(address, transport)
    begins_with_tls, context = _context(tls, server_hostname)
    if begins_with_tls and place.unit != "stream":
        raise UsageError(f"tls={tls!r}: TLS is for streams, and transport={transport!r} carries {place.unit}s")
    if server_hostname is None and begins_with_tls and isinstance(place.address, tuple):
        server_hostname = place.address[0]
    return Connector(
        place,
        options,
        context=context,
        begins_with_tls=begins_with_tls,
        server_hostname=server_hostname,
        timeout=DEFAULT_TIMEOUT if options.timeout is None else options.timeout,
    )


def _context(tls: Any, server_hostname: str | None) -> tuple[bool, Callable[[], Any] | None]:
    if tls is False or tls is None:
        if server_hostname is not None:
            raise UsageError(f"server_hostname={server_hostname!r} is for clients with TLS; pass tls=True as well")
        return False, None
    if tls is True:
        from windsock.security import certificates

        return True, lambda: certificates.client_context(certificate=False)
    if is_tls_context(tls):
        return True, lambda: tls
    raise UsageError(f"tls={tls!r}: expected True, False or an ssl.SSLContext")
