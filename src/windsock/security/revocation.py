"""The list of the certificates that this run's authority has revoked (CRL, RFC 5280)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from windsock.errors import UsageError
from windsock.security.certificates import authority, is_of_authority, new_year, once, read

if TYPE_CHECKING:
    import trustme

__all__ = ["revocation_list", "revoke", "revoked_serials"]

_serials: dict[int, None] = {}
"""The serial numbers of the revoked certificates, in their order."""


def revoke(leaf: trustme.LeafCert) -> None:
    """Add a certificate to the list. Idempotent. Raises UsageError for one that another authority has issued."""
    given: object = leaf
    if not hasattr(given, "cert_chain_pems"):
        raise UsageError(f"revoke({leaf!r}): expected a certificate of windsock_ca.issue()")
    if not is_of_authority(leaf):
        raise UsageError(f"revoke({leaf!r}): windsock_ca did not issue it, and can revoke only certificates of its own")
    _serials[read(leaf.cert_chain_pems[0].bytes()).serial_number] = None


def revoked_serials() -> tuple[int, ...]:
    """Return the serial numbers of the certificates revoked so far."""
    return tuple(_serials)


@once
def revocation_list(serials: tuple[int, ...]) -> bytes:
    """Return the list of these certificates in PEM, signed by the authority."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    key: Any = serialization.load_pem_private_key(authority().private_key_pem.bytes(), None)
    start, end = new_year(2020), new_year(2090)
    issuer = read(authority().cert_pem.bytes())
    made = (
        x509.CertificateRevocationListBuilder(issuer.subject, start, end)
        .add_extension(x509.CRLNumber(len(serials)), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    for serial in serials:
        made = made.add_revoked_certificate(x509.RevokedCertificateBuilder(serial, start).build())
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
