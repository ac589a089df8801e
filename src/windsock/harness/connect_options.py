"""Clients of a server in a test: what `server.connect()` takes, and the line that comes of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol

from windsock.clients.connector import Connector
from windsock.errors import UsageError
from windsock.net.system import os
from windsock.net.targets import target_of
from windsock.options.tls_options import PROFILES

if TYPE_CHECKING:
    from windsock.options.server_options import Resolved

__all__ = ["connector_to_server"]

MISSING = "missing"


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


def connector_to_server(
    server: Server,
    *,
    tls: Any = None,
    certificate: Any = None,
    source: Any = None,
    anonymous: bool = False,
    timeout: float | None = None,
    server_hostname: str | None = None,
    receive_buffer: int | None = None,
    send_buffer: int | None = None,
    faults: Any = (),
) -> Connector:
    """Return what is known of the way to a server. Raises UsageError for what does not fit it."""
    options = server.options
    if anonymous:
        if options.transport != "unix_datagram":
            raise UsageError(f"connect(anonymous=True) is for Unix datagrams; the {server.name} is {options.transport}")
        if source:
            raise UsageError(f"connect(anonymous=True, source={source!r}): say one of the two")
        source = ""
    begins_with_tls, context = _tls(server, tls, certificate)
    return Connector(
        target_of(server.address, options.transport),
        context=context,
        begins_with_tls=begins_with_tls,
        server_hostname=server_hostname or "localhost",
        source=source,
        timeout=options.timeout if timeout is None else timeout,
        receive_buffer=receive_buffer,
        send_buffer=send_buffer,
        faults=faults,
        seed=server.seed if faults else None,
    )


def _tls(server: Server, tls: Any, certificate: Any) -> tuple[bool, Any]:
    """Return whether the client begins with TLS, and a function that makes its context."""
    encryption = server.options.encryption
    is_context = "ssl" in sys.modules and isinstance(tls, sys.modules["ssl"].SSLContext)
    if tls not in (None, True, False) and not is_context:
        raise UsageError(f"connect(tls={tls!r}): expected True, False or an ssl.SSLContext")
    if tls and server.options.is_datagram:
        raise UsageError(f"connect(tls={tls!r}): TLS is for streams, and the {server.name} takes datagrams")
    if certificate is not None and (is_context or encryption is None):
        raise UsageError(
            f"connect(certificate={certificate!r}): the {server.name} asks for none; say tls='mutual' for the server"
            if not is_context
            else f"connect(certificate={certificate!r}): load it into the context that tls= has"
        )
    if is_context:
        return True, lambda: tls
    begins = (encryption is not None and encryption.begins_with_tls) if tls is None else bool(tls)
    if encryption is None:
        return begins, None
    profile, files = _certificate(certificate)
    return begins, lambda: _context(server, profile, files)


def _certificate(value: Any) -> tuple[str | None, tuple[str, ...]]:
    """Return what is wrong with a client's certificate, and its files."""
    if value is None or value is True:
        return "valid", ()
    if value is False or value == MISSING:
        return None, ()
    if isinstance(value, str) and value in PROFILES:
        return value, ()
    files = value if isinstance(value, tuple | list) else (value,)
    if len(files) not in (1, 2) or not all(
        isinstance(each, os.PathLike | str) and os.path.exists(each) for each in files
    ):
        expected = ", ".join(map(repr, (MISSING, *PROFILES)))
        raise UsageError(
            f"connect(certificate={value!r}): expected one of {expected}, or files: ('cert.pem', 'key.pem')"
        )
    return "files", tuple(os.fspath(each) for each in files)


def _context(server: Server, profile: str | None, files: tuple[str, ...]) -> Any:
    from windsock.security import certificates

    context = server.client_context(certificate=profile == "valid")
    if files:
        context.load_cert_chain(*files)
    elif profile not in (None, "valid"):
        certificates.configure(context, certificates.certificate(profile, (certificates.CLIENT,)))
    return context
