"""The values of `certificate=`: words and names for certificates made on the spot, files, and objects."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from windsock.errors import UsageError
from windsock.net.system import os

if TYPE_CHECKING:
    import ssl

    import trustme

__all__ = [
    "CERTIFICATE",
    "CLIENT_WORDS",
    "LOCAL_NAMES",
    "OTHERS",
    "Certificate",
    "CertificateChoice",
    "certificate_choice",
    "is_name",
    "sent_name",
    "server_choices",
]

Certificate: TypeAlias = "str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | trustme.LeafCert | None"
"""One certificate of a server: a word, files, names, or an object."""
Words = Mapping[str | bool | None, str | None]
"""The profile of `certificates.certificate()` for each word; None: no certificate."""

PROFILES = (
    *("valid", "expired", "not_yet_valid", "wrong_name", "self_signed", "unknown_authority"),
    "missing_intermediate",
)
SERVER_WORDS: Words = {None: "valid", **{each: each for each in (*PROFILES, "revoked")}}
CLIENT_WORDS: Words = {"missing": None, None: "valid", **{each: each for each in PROFILES}, True: "valid", False: None}
NAME = re.compile(r"(\*\.)?[\w-]{1,63}(\.[\w-]{1,63})*|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*")
"""A host name, perhaps with a wildcard for its first label, or an IP address."""
ENDINGS = (".pem", ".crt", ".cer", ".cert", ".key")
"""How a path without a directory ends, beside names of hosts."""
CERTIFICATE = "certificate={!r}"
"""The option of servers, in messages."""
EXAMPLE = "{'a.example': 'valid', 'b.example': 'expired'}"
LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
"""The names in certificates without names of their own, besides the server's host."""
OTHERS = "*"
"""The key of a mapping for clients that ask for another name, or for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateChoice:
    """One certificate: made on the spot as `profile` says, or in files, or `leaf`, a trustme.LeafCert.

    `names` are the names that it is valid for; none: those of the server, or not known. A client without a
    certificate has the profile None.
    """

    profile: str | None = "valid"
    names: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    leaf: Any = None

    @property
    def is_own(self) -> bool:
        """Return whether the test brings the certificate."""
        return bool(self.files) or self.leaf is not None

    def load(self, where: str, context: ssl.SSLContext, names: tuple[str, ...], key_type: str) -> None:
        """Make a context use the certificate; `names` are for one without names. Raises UsageError for bad files."""
        from windsock.security import certificates, revocation

        if self.files:
            _load_files(where, context, self.files)
            return
        leaf = self.leaf
        if leaf is None:
            leaf = certificates.certificate(self.profile or "valid", self.names or names, key_type)
        if self.profile == "revoked":
            revocation.revoke(leaf)
        certificates.configure(context, leaf)

    def make_trusted(self, context: ssl.SSLContext) -> None:
        """Make a client's context trust a certificate that the test brings: the certificate itself is enough."""
        from windsock.net.system import ssl
        from windsock.security import certificates

        if self.files:
            context.load_verify_locations(self.files[0])
        elif self.leaf is not None and not certificates.is_of_authority(self.leaf):
            certificates.trust(context, self.leaf.cert_chain_pems[0].bytes())
        else:
            return
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN


def server_choices(value: Any) -> dict[str, CertificateChoice]:
    """Return the certificate for each server name that a client may ask for; for other names, that of OTHERS.

    Raises UsageError.
    """
    if not isinstance(value, Mapping):
        return {OTHERS: _server_choice(CERTIFICATE, value, ())}
    if not value:
        raise UsageError(f"certificate={value!r}: expected a certificate for each server name, such as {EXAMPLE}")
    return dict(_named_choice(name, each) for name, each in value.items())


def _named_choice(name: Any, value: Any) -> tuple[str, CertificateChoice]:
    """Return a server name as clients send it, and its certificate. Raises UsageError."""
    if name == OTHERS:
        return OTHERS, _server_choice("certificate['*']={!r}", value, ())
    if not is_name(name) or ":" in name or name.replace(".", "").isdigit():
        expected = "expected a server name, such as 'api.example', or '*' for all others"
        raise UsageError(f"certificate[{name!r}]={value!r}: {expected}")
    return sent_name(name), _server_choice(f"certificate[{name!r}]={{!r}}", value, (name,))


def sent_name(name: str) -> str:
    """Return a server name as clients send it."""
    return name.encode("idna").decode().lower()


def _server_choice(where: str, value: Any, names: tuple[str, ...]) -> CertificateChoice:
    """Return the choice of a server's certificate, for these names unless it has names of its own."""
    if isinstance(value, tuple | list) and value and all(map(is_name, value)):
        return CertificateChoice(names=tuple(value))
    if isinstance(value, str) and ("ocsp" in value.lower() or "stapl" in value.lower()):
        raise UsageError(
            f"{where.format(value)}: refused, since Python's ssl module can't staple OCSP responses; use 'revoked', "
            "and have the client load the list windsock_ca.crl_file"
        )
    expected = f"names: ['api.example', '*.cdn.example'], a mapping of server names: {EXAMPLE}, "
    found = certificate_choice(where, value, SERVER_WORDS, expected)
    return found if found.is_own else CertificateChoice(profile=found.profile, names=names)


def certificate_choice(where: str, value: Any, words: Words, expected: str = "") -> CertificateChoice:
    """Return what a word, files or a trustme.LeafCert stands for; `where` is a format of the value, for messages.

    Raises UsageError for anything else; `expected` is what it may be as well.
    """
    if (value is None or isinstance(value, str | bool)) and value in words:
        return CertificateChoice(profile=words[value])
    if "trustme" in sys.modules and isinstance(value, sys.modules["trustme"].LeafCert):
        from windsock.security import certificates

        return CertificateChoice(leaf=value, names=certificates.names_of(value))
    files = value if isinstance(value, tuple | list) else (value,)
    if len(files) not in (1, 2) or not all(map(_may_be_a_path, files)):
        listed = ", ".join(repr(each) for each in words if isinstance(each, str))
        raise UsageError(
            f"{where.format(value)}: expected one of {listed}, files: ('cert.pem', 'key.pem'), {expected}"
            "or a trustme.LeafCert"
        )
    return CertificateChoice(files=tuple(os.fspath(each) for each in files))


def _may_be_a_path(value: object) -> bool:
    return isinstance(value, os.PathLike) or (isinstance(value, str) and (os.sep in value or "." in value))


def is_name(value: object) -> bool:
    """Return whether a value is a host name, perhaps with a wildcard, or an IP address; not a word or a path."""
    if not isinstance(value, str) or value in SERVER_WORDS or value.lower().endswith(ENDINGS):
        return False
    try:
        return NAME.fullmatch(value) is not None and bool(sent_name(value))
    except UnicodeError:
        return False


def _load_files(where: str, context: ssl.SSLContext, files: tuple[str, ...]) -> None:
    """Load a certificate and its key. Raises UsageError for files that do not work."""
    try:
        context.load_cert_chain(*files)
    except OSError as error:
        shown = files[0] if len(files) == 1 else files
        as_name = (
            f"; a certificate for this name is certificate=[{files[0]!r}]" if len(files) == 1 and is_name(shown) else ""
        )
        raise UsageError(f"{where.format(shown)}: {_explained(error)}{as_name}") from error


def _explained(error: OSError) -> str:
    """Return the reason in words."""
    reason = str(getattr(error, "reason", None) or "")
    if "KEY_VALUES_MISMATCH" in reason or "KEY_TYPE_MISMATCH" in reason:
        return "the key is not the one of the certificate"
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if reason or type(error).__name__ == "SSLError":
        return f"expected a certificate and its key in PEM ({reason.replace('_', ' ').lower() or error.args[-1]})"
    return error.strerror or str(error)
