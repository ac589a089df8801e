"""The certificates by which clients and a server with TLS trust each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from windsock.errors import UsageError

if TYPE_CHECKING:
    import ssl

    import trustme

    from windsock.options.server_options import Resolved
    from windsock.security.pem_files import ClientFiles

__all__ = ["CertificateAPI"]


class CertificateAPI:
    """The methods of a running server that give clients what they need for TLS."""

    name: str
    options: Resolved

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
