"""The methods by which a test connects clients to a server, and gets what they need for TLS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from windsock.errors import UsageError
from windsock.scripts.checks import check_keywords

if TYPE_CHECKING:
    import ssl

    import trustme

    from windsock.clients.async_client import AsyncioClient, TrioClient
    from windsock.clients.client import ScriptedClient
    from windsock.clients.client_group import ClientGroup
    from windsock.clients.connect_options import ConnectKeywords
    from windsock.clients.connector import Connector
    from windsock.clients.rpc_client import RPCClient
    from windsock.clients.summary import CrowdSummary
    from windsock.options.server_options import Resolved
    from windsock.protocols.rpc_messages import Auth
    from windsock.proxies.proxy import FaultProxy
    from windsock.scripts import Script
    from windsock.security.pem_files import ClientFiles

__all__ = ["ClientAPI"]


class ClientAPI:
    """The methods of a running server that connect clients to it, and the group that closes them."""

    name: str
    options: Resolved
    server: Any
    address: Any
    _seed: Callable[[], int] | None
    _is_stopped: bool
    _client_group: ClientGroup | None = None
    """Its clients and accepted peers, if it has had any."""
    _client_failures: tuple[BaseException, ...] = ()
    """Failures of background scripts that were not raised yet."""

    @property
    def seed(self) -> int:
        """The seed of its faults."""
        if self.options.seed is not None:
            return self.options.seed
        return self._seed() if self._seed is not None else 0

    def connect(self, *, name: str = "", handshake: bool = True, **options: Unpack[ConnectKeywords]) -> ScriptedClient:
        """Return a connected client whose methods are the steps of scripts: `client.send(b"x").expect(b"y")`.

        `tls` is True if the server speaks TLS; it may be False, or an ssl.SSLContext. `certificate` is the client's,
        for tls="mutual": "missing", one that the server refuses ("expired", "unknown_authority", ...), PEM files, or a
        trustme.LeafCert. Without `server_hostname` the client expects the first name of the server's certificate. With
        `handshake=False` the client connects and sends nothing. `anonymous=True` makes a Unix datagram client
        without a name. The other keywords are those of `windsock.scripted_client()`.

        A client that is still open is closed when the server is stopped. Raises ConnectFailed.
        """
        connector = self._connector("connect", options)
        return connector.client(name=name, handshake=handshake, client_group=self._clients())

    @property
    def client_lines(self) -> list[FaultProxy]:
        """The private lines of its clients with faults of their own (`connect(faults=[...])`)."""
        return [] if self._client_group is None else self._client_group.lines

    def connect_asyncio(
        self, *, name: str = "", handshake: bool = True, **options: Unpack[ConnectKeywords]
    ) -> AsyncioClient:
        """Return a client for asyncio; `async with` connects and closes it. `options` are those of `connect()`."""
        from windsock.clients.async_client import AsyncioClient

        return AsyncioClient(name=name, handshake=handshake, _connector=self._connector("connect_asyncio", options))

    def connect_trio(self, *, name: str = "", handshake: bool = True, **options: Unpack[ConnectKeywords]) -> TrioClient:
        """Return a client for trio; `async with` connects and closes it. `options` are those of `connect()`."""
        from windsock.clients.async_client import TrioClient

        return TrioClient(name=name, handshake=handshake, _connector=self._connector("connect_trio", options))

    def connect_rpc(
        self,
        program: Any = None,
        version: int | None = None,
        *,
        credential: Auth | None = None,
        resend_every: float | None = 1.0,
        **options: Unpack[ConnectKeywords],
    ) -> RPCClient:
        """Return a connected client of Sun RPC: `client.call("add", [1, 2])`.

        It calls the program of the server's handler; or that of another handler class, or one given by its number and
        `version`. `options` are those of `connect()`; for the rest, see `windsock.rpc_client()`. Raises ConnectFailed.
        """
        from windsock.clients.rpc_client import Program, RPCClient, check_calls
        from windsock.protocols.rpc_auth import AUTH_NONE

        credential = AUTH_NONE if credential is None else credential
        check_calls(credential, resend_every)
        handler = getattr(self.server, "RequestHandlerClass", None) if program is None else program
        found = Program.of(handler, version)
        return RPCClient(self.connect(**options), found, credential=credential, resend_every=resend_every)

    def crowd(
        self,
        count: int,
        script: Script | Callable[[int], Script],
        *,
        spread: float = 0.0,
        strict: bool = True,
        **options: Unpack[ConnectKeywords],
    ) -> CrowdSummary:
        """Play a script with `count` clients at once, in this thread; return one summary of their outcomes.

        `script` may be a function from the index of a client, from 0, to its script. The clients begin evenly over
        `spread` seconds. `options` are keywords of `connect()`. Connecting holds up the other clients.
        Raises CrowdFailed, an ExceptionGroup of the first failure of each kind with a `summary` of all, if a client
        did not get to the end of the script, unless `strict=False`.
        """
        from windsock.clients.crowd import crowd

        return crowd(self._connector("crowd", options), count, script, spread=spread, strict=strict)

    def _connector(self, method: str, options: ConnectKeywords) -> Connector:
        """Return the connector to this server for the keywords of a method."""
        from windsock.clients.connect_options import ConnectKeywords, ConnectOptions
        from windsock.harness.server_connector import connector_to_server

        check_keywords(method, options, ConnectKeywords)
        if self._is_stopped:
            raise UsageError(f"connect(): the {self.name} is stopped already")
        return connector_to_server(self, ConnectOptions(**options))

    def _clients(self) -> ClientGroup:
        if self._client_group is None:
            from windsock.clients.client_group import ClientGroup

            self._client_group = ClientGroup()
        return self._client_group

    def _close_clients(self) -> None:
        if self._client_group is not None:
            self._client_failures += tuple(self._client_group.close())

    # --- certificates

    @property
    def ca(self) -> trustme.CA:
        """The certificate authority of this test run, which signs all certificates that windsock makes."""
        from windsock.security import certificates

        return certificates.authority()

    @property
    def ca_file(self) -> str:
        """The path of the certificate of `ca` as a PEM file, which is removed when the test run ends."""
        from windsock.security import pem_files

        return pem_files.ca_file()

    def client_files(self) -> ClientFiles:
        """Return the paths of a certificate and its key for clients, as PEM files: for servers with tls="mutual".

        They are removed when the test run ends. Raises UsageError for a server without TLS.
        """
        from windsock.security import pem_files

        if self.options.encryption is None:
            raise UsageError(f'client_files(): the {self.name} does not speak TLS; pass tls="mutual"')
        return pem_files.client_files(self.options.encryption.key_type)

    def client_context(self, *, certificate: bool = True, alpn: Sequence[str] = ()) -> ssl.SSLContext:
        """Return a new context for clients of this server: it trusts `ca`, and checks names.

        For a server with tls="mutual" it has a client certificate, unless `certificate=False`. Raises UsageError
        for a server without TLS.
        """
        if self.options.encryption is None:
            raise UsageError(f"client_context(): the {self.name} does not speak TLS; pass tls=True")
        return self.options.encryption.client_context(certificate=certificate, alpn=alpn)
