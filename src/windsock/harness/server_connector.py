"""The way from a client to a server in a test, from the keywords of `server.connect()`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from windsock.clients.connect_options import ConnectOptions
from windsock.clients.connector import Connector
from windsock.errors import UsageError
from windsock.net.system import is_tls_context
from windsock.net.targets import target_of
from windsock.security.certificate_choice import CLIENT_WORDS, CertificateChoice, certificate_choice

if TYPE_CHECKING:
    from windsock.options.server_options import Resolved
    from windsock.options.tls_options import Encryption

__all__ = ["connector_to_server"]

CERTIFICATE = "connect(certificate={!r})"
"""The keyword in messages."""


class Server(Protocol):
    """The attributes of a server that connecting to it needs."""

    name: str
    address: Any
    options: Resolved

    @property
    def seed(self) -> int:
        """The seed for the faults of its clients."""
        ...

    def client_context(self, *, certificate: bool = ...) -> Any:
        """Return a context for a client with TLS."""
        ...


def connector_to_server(server: Server, wanted: ConnectOptions) -> Connector:
    """Return the connector to a server. Raises UsageError for what does not fit it."""
    options = server.options
    if wanted.anonymous:
        if options.transport != "unix_datagram":
            raise UsageError(f"connect(anonymous=True) is for Unix datagrams; the {server.name} is {options.transport}")
        if wanted.source:
            raise UsageError(f"connect(anonymous=True, source={wanted.source!r}): pass one of the two")
        wanted = replace(wanted, source="")
    begins_with_tls, context = _tls(server, wanted.tls, wanted.certificate)
    return Connector(
        target_of(server.address, options.transport),
        replace(wanted, seed=server.seed) if wanted.faults else wanted,
        context=context,
        begins_with_tls=begins_with_tls,
        server_hostname=wanted.server_hostname or _default_name(options.encryption),
        timeout=options.timeout if wanted.timeout is None else wanted.timeout,
    )


def _default_name(encryption: Encryption | None) -> str:
    return "localhost" if encryption is None else encryption.server_hostname


def _tls(server: Server, tls: Any, certificate: Any) -> tuple[bool, Any]:
    """Return whether the client begins with TLS, and a function that makes its context."""
    encryption = server.options.encryption
    is_context = is_tls_context(tls)
    if tls not in (None, True, False) and not is_context:
        raise UsageError(f"connect(tls={tls!r}): expected True, False or an ssl.SSLContext")
    if tls and (unit := server.options.unit) != "stream":
        raise UsageError(f"connect(tls={tls!r}): TLS is for streams, and the {server.name} takes {unit}s")
    if certificate is not None and (is_context or encryption is None):
        raise UsageError(
            f"connect(certificate={certificate!r}): the {server.name} asks for none; pass tls='mutual' for the server"
            if not is_context
            else f"connect(certificate={certificate!r}): load it into the context that tls= has"
        )
    if is_context:
        return True, lambda: tls
    begins = (encryption is not None and encryption.begins_with_tls) if tls is None else bool(tls)
    if encryption is None:
        return begins, None
    choice = certificate_choice(CERTIFICATE, certificate, CLIENT_WORDS)
    if choice.files:
        own = _context(server, choice)  # wrong files are said now
        return begins, lambda: own
    return begins, lambda: _context(server, choice)


def _context(server: Server, choice: CertificateChoice) -> Any:
    from windsock.security import certificates

    is_valid = choice == CertificateChoice()
    context = server.client_context(certificate=is_valid)
    if choice.profile is not None and not is_valid:
        choice.load(CERTIFICATE, context, (certificates.CLIENT,), "ec")
    return context
