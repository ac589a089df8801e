"""RunAuthority: the certificate authority of this run in the test's hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from windsock.errors import UsageError
from windsock.security import certificates, pem_files, revocation
from windsock.security.certificate_choice import CERTIFICATE, LOCAL_NAMES, CertificateChoice, is_name, server_choices
from windsock.security.server_names import context_by_name

if TYPE_CHECKING:
    import ssl

    import trustme

    from windsock.security.certificate_choice import Certificate

__all__ = ["RunAuthority"]


class RunAuthority:
    """The certificate authority that signs all certificates of this run. All objects stand for the same one.

    Raises NotInstalled without trustme.
    """

    def __init__(self) -> None:
        self.ca: trustme.CA = certificates.authority()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {certificates.read(self.pem).subject.rfc4514_string()}>"

    @property
    def pem(self) -> bytes:
        """The certificate of the authority, in PEM."""
        return self.ca.cert_pem.bytes()

    @property
    def pem_file(self) -> str:
        """The path of a file with `pem`, which is removed when the test run ends."""
        return pem_files.ca_file()

    @property
    def crl_pem(self) -> bytes:
        """The list of the certificates revoked so far (CRL, RFC 5280), in PEM."""
        return revocation.revocation_list(revocation.revoked_serials())

    @property
    def crl_file(self) -> str:
        """The path of a file with `crl_pem`. The file does not change; later lists have another path."""
        return pem_files.revocation_file()

    def issue(self, *names: str, key_type: str = "ec") -> trustme.LeafCert:
        """Return a new certificate for host names (perhaps "*.cdn.example") and IP addresses, with its key.

        `key_type` is "ec" or "rsa". Raises UsageError for anything else.
        """
        if not names or not all(map(is_name, names)):
            shown = ", ".join(map(repr, names))
            raise UsageError(f"issue({shown}): expected host names or IP addresses, such as 'api.example'")
        if key_type not in certificates.KEY_TYPES:
            expected = ", ".join(map(repr, certificates.KEY_TYPES))
            raise UsageError(f"issue(key_type={key_type!r}): expected one of {expected}")
        return certificates.issue(names, key_type)

    def server_context(self, certificate: Certificate | Mapping[str, Certificate] = None) -> ssl.SSLContext:
        """Return a new context for a proxy's `tls=`, or for a server of your own. It sends no session tickets.

        `certificate` is that of `windsock.serving()`: a word, names, files, an object or a mapping. Raises UsageError.
        """
        return context_by_name(server_choices(certificate), _context)

    def revoke(self, certificate: trustme.LeafCert) -> None:
        """Add a certificate to the list of revoked ones. Raises UsageError for one of another authority."""
        revocation.revoke(certificate)

    def configure_trust(self, context: ssl.SSLContext) -> None:
        """Make a client's context, or that of a server that asks for certificates, trust the authority."""
        certificates.trust(context, self.pem)


def _context(certificate: CertificateChoice) -> ssl.SSLContext:
    context = certificates.server_context(is_mutual=False)
    certificate.load(CERTIFICATE, context, LOCAL_NAMES, "ec")
    return context
