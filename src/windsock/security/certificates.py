"""A certificate authority for this run, and certificates: valid ones, and ones that a client must refuse."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from windsock.errors import NotInstalled, UsageError
from windsock.net.files import temporary_file
from windsock.net.system import os, threading

if TYPE_CHECKING:
    import ssl

    import trustme
    from cryptography import x509

__all__ = [
    "KEY_TYPES",
    "authority",
    "certificate",
    "client_certificate",
    "client_context",
    "configure",
    "is_of_authority",
    "issue",
    "names_of",
    "new_year",
    "once",
    "read",
    "server_context",
    "trust",
]

CLIENT = "client@windsock.invalid"
KEY_TYPES = ("ec", "rsa")

P = ParamSpec("P")
R = TypeVar("R")
_making = threading.RLock()


@contextmanager
def _real_dates() -> Iterator[None]:
    """Make `datetime.datetime` the real class: cryptography keeps the class of its first use, even freezegun's."""
    names = vars(datetime)
    replaced = names["datetime"]
    real = next(each for each in replaced.__mro__ if each.__module__ == "datetime")
    if replaced is real:
        yield
        return
    names["datetime"] = real
    try:
        yield
    finally:
        names["datetime"] = replaced


def once(function: Callable[P, R]) -> Callable[P, R]:
    """Cache a function's results, computing each only once even if two threads ask at the same time."""
    known = cache(function)

    def answer(*args: P.args, **keywords: P.kwargs) -> R:
        with _making, _real_dates():
            return known(*args, **keywords)  # type: ignore[arg-type]  # the arguments here are hashable

    return wraps(function)(answer)


def authority() -> trustme.CA:
    """Return the certificate authority of this process, created on first use, with elliptic-curve keys.

    Raises NotInstalled if trustme is not installed.
    """
    return _authority("windsock")


@once
def _authority(name: str) -> trustme.CA:
    try:
        import trustme
    except ImportError:
        raise NotInstalled(
            "TLS with certificates made on the spot needs trustme; install it: pip install 'pytest-windsock[tls]', "
            "or pass an ssl.SSLContext of your own"
        ) from None
    return trustme.CA(organization_name=name)


def server_context(*, is_mutual: bool) -> ssl.SSLContext:
    """Return a new context for a server, without a certificate; if `is_mutual`, it asks for a client certificate."""
    from windsock.net.system import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.num_tickets = 0  # an unread ticket would turn the end of the client's stream into a reset
    _honour_keylog(context)
    if is_mutual:
        context.verify_mode = ssl.CERT_REQUIRED
        trust(context, authority().cert_pem.bytes())
    return context


def client_context(*, certificate: bool, key_type: str = "ec") -> ssl.SSLContext:
    """Return a new context for a client that trusts our authority, optionally with a client certificate."""
    from windsock.net.system import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _honour_keylog(context)
    trust(context, authority().cert_pem.bytes())
    if certificate:
        configure(context, client_certificate(key_type))
    return context


def _honour_keylog(context: ssl.SSLContext) -> None:
    """Write the session keys to the file named by SSLKEYLOGFILE, for packet analysers."""
    path = os.environ.get("SSLKEYLOGFILE")
    if path and not sys.flags.ignore_environment:
        context.keylog_filename = path


@once
def client_certificate(key_type: str) -> Any:
    """Return a client certificate with its key."""
    return authority().issue_cert(CLIENT, common_name=CLIENT, key_type=_trustme_key_type(key_type))


def _trustme_key_type(key_type: str) -> Any:
    import trustme

    return trustme.KeyType.RSA if key_type == "rsa" else trustme.KeyType.ECDSA


@once
def certificate(profile: str, hosts: tuple[str, ...], key_type: str = "ec") -> Any:
    """Return a certificate with its key, for `configure()`.

    `profile` is "valid" or names the defect; `key_type` is "ec" or "rsa". The same arguments return the same
    certificate.
    """
    if profile == "self_signed":
        return _self_signed(hosts, key_type)
    hosts = ("somebody-else.invalid",) if profile == "wrong_name" else hosts
    made = _issue(_issuer(profile), hosts, key_type, **_validity(profile))
    return _without_chain(made) if profile == "missing_intermediate" else made


def _issuer(profile: str) -> trustme.CA:
    if profile == "unknown_authority":
        return _authority("unknown to clients")
    return _intermediate() if profile == "missing_intermediate" else authority()


@once
def _intermediate() -> trustme.CA:
    return authority().create_child_ca()


def _without_chain(leaf: trustme.LeafCert) -> trustme.LeafCert:
    import trustme

    return trustme.LeafCert(leaf.private_key_pem.bytes(), leaf.cert_chain_pems[0].bytes(), [])


def issue(names: tuple[str, ...], key_type: str = "ec") -> trustme.LeafCert:
    """Return a new certificate of our authority, with a key of its own. Raises UsageError for names that can't be."""
    issuer = authority()
    with _making, _real_dates():
        return _issue(issuer, names, key_type)


def _issue(issuer: trustme.CA, names: tuple[str, ...], key_type: str, **validity: Any) -> trustme.LeafCert:
    try:
        return issuer.issue_cert(*names, key_type=_trustme_key_type(key_type), **validity)
    except ValueError as error:  # of the module idna
        shown = ", ".join(map(repr, names))
        raise UsageError(f"no certificate can be for {shown}: {error}") from None


def read(pem: bytes) -> x509.Certificate:
    """Return the first certificate in PEM."""
    from cryptography import x509

    return x509.load_pem_x509_certificate(pem)


def is_of_authority(leaf: trustme.LeafCert) -> bool:
    """Return whether our authority itself has issued a certificate."""
    return read(leaf.cert_chain_pems[0].bytes()).issuer == read(authority().cert_pem.bytes()).subject


def names_of(leaf: trustme.LeafCert) -> tuple[str, ...]:
    """Return the names that a certificate is valid for (subject alternative names)."""
    from cryptography import x509

    try:
        found = read(leaf.cert_chain_pems[0].bytes()).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(each.value) for each in found.value)


def _validity(profile: str) -> dict[str, Any]:
    if profile == "expired":
        return {"not_before": new_year(2020), "not_after": new_year(2021)}
    if profile == "not_yet_valid":
        return {"not_before": new_year(2090), "not_after": new_year(2091)}
    return {}


def new_year(year: int) -> datetime.datetime:
    """Return a date for a certificate, as the real class: OpenSSL compares it with the real clock."""
    return datetime.datetime(year, 1, 1, tzinfo=datetime.UTC)


def trust(context: ssl.SSLContext, pem: bytes) -> None:
    """Make a context trust a certificate. trustme's method checks a context's class, which gevent replaces."""
    context.load_verify_locations(cadata=pem.decode())


def configure(context: ssl.SSLContext, leaf: trustme.LeafCert) -> None:
    """Make a context use a certificate. OpenSSL reads it from the real file system, even under pyfakefs."""
    with temporary_file(leaf.private_key_and_cert_chain_pem.bytes()) as path:
        context.load_cert_chain(path)


def _self_signed(hosts: tuple[str, ...], key_type: str) -> Any:
    """Create a self-signed certificate."""
    import ipaddress

    import trustme
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    key: Any = rsa.generate_private_key(65537, 2048) if key_type == "rsa" else ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "self-signed")])
    names = [_general_name(x509, ipaddress, each) for each in hosts]
    start, end = new_year(2020), new_year(2090)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), start, end)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption())
    return trustme.LeafCert(private, made.public_bytes(pem), [])


def _general_name(x509: Any, ipaddress: Any, host: str) -> Any:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host.encode("idna").decode())
