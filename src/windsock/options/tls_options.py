"""The TLS options of a server, their checks, and the contexts made from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from windsock.errors import UsageError
from windsock.net.system import is_tls_context, os
from windsock.options.combinations import class_for
from windsock.options.combine import combine
from windsock.security.certificate_choice import CERTIFICATE, LOCAL_NAMES, OTHERS, CertificateChoice, server_choices
from windsock.security.server_names import context_by_name
from windsock.security.tls import TLSMixIn
from windsock.servers.urgent import check_urgent_in_tls

if TYPE_CHECKING:
    import ssl


__all__ = ["Encryption", "class_with_tls", "encryption_from"]

WAYS = ("mutual", "starttls")
DETAILS = ("certificate", "key_type", "alpn", "minimum_version", "maximum_version", "ciphers")
KEY_TYPES = ("ec", "rsa")
VERSIONS = {"TLSv1": "TLSv1", "TLSv1.1": "TLSv1_1", "TLSv1.2": "TLSv1_2", "TLSv1.3": "TLSv1_3"}
VALID = ((OTHERS, CertificateChoice()),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption:
    """How one server speaks TLS; checked as far as that can be done without files and keys."""

    own_context: Any = None
    is_mutual: bool = False
    begins_with_tls: bool = True
    certificates: tuple[tuple[str, CertificateChoice], ...] = VALID
    """The certificate for each server name that clients ask for, see `server_names.find_by_name()`."""
    key_type: str = "ec"
    alpn: tuple[str, ...] = ()
    minimum_version: str | None = None
    maximum_version: str | None = None
    ciphers: str | None = None

    def apply_to(self, server: Any, host: str) -> None:
        """Have the server speak TLS. Raises UsageError for files and ciphers that don't work.

        What handshakes need is imported here, not by the server's threads and children while a client in the test's
        thread imports the same: a child may inherit a module's lock that is held, and gevent's locks wake no threads.
        """
        import windsock.security.tls_socket  # see above

        if getattr(server, "handles_async", False):
            import windsock.security.trio.tls  # noqa: F401  # see above
        if self.own_context is not None:
            server.ssl_context = self.own_context
        elif self.reads_files():
            server.ssl_context = self.server_context(host)
        else:
            server.ssl_context = shared_context(self, host)
        server.begins_with_tls = self.begins_with_tls
        if self.begins_with_tls:
            check_urgent_in_tls(getattr(server, "RequestHandlerClass", None))

    def reads_files(self) -> bool:
        """Return whether a context depends on files, or on a variable, which may change from test to test."""
        return "SSLKEYLOGFILE" in os.environ or any(each.files for _, each in self.certificates)

    def client_context(self, *, certificate: bool, alpn: Sequence[str]) -> ssl.SSLContext:
        """Return a new context for a client of such a server."""
        from windsock.security import certificates

        context = certificates.client_context(certificate=certificate and self.is_mutual, key_type=self.key_type)
        for _, each in self.certificates:
            each.make_trusted(context)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context

    @property
    def server_hostname(self) -> str:
        """The server name that a client asks for by default: one that the certificate is valid for."""
        name, certificate = self.certificates[0]
        known = certificate.names if name == OTHERS else (name,)
        return known[0].replace("*", "www") if known else "localhost"

    def server_context(self, host: str) -> ssl.SSLContext:
        """Return a new context for a server on that host. Raises UsageError for files and ciphers that don't work."""
        return context_by_name(dict(self.certificates), partial(self._context, host))

    def _context(self, host: str, certificate: CertificateChoice) -> ssl.SSLContext:
        """Return a new context for one certificate."""
        from windsock.net.system import ssl
        from windsock.security import certificates

        context = certificates.server_context(is_mutual=self.is_mutual)
        certificate.load(
            CERTIFICATE, context, LOCAL_NAMES if host in LOCAL_NAMES else (*LOCAL_NAMES, host), self.key_type
        )
        if self.alpn:
            context.set_alpn_protocols(list(self.alpn))
        if self.minimum_version is not None:
            context.minimum_version = ssl.TLSVersion[VERSIONS[self.minimum_version]]
        if self.maximum_version is not None:
            context.maximum_version = ssl.TLSVersion[VERSIONS[self.maximum_version]]
        if self.ciphers is not None:
            try:
                context.set_ciphers(self.ciphers)
            except ssl.SSLError:
                raise UsageError(
                    f"ciphers={self.ciphers!r}: OpenSSL knows none of them; see `openssl ciphers -v`"
                ) from None
        return context


@lru_cache(maxsize=32)
def shared_context(encryption: Encryption, host: str) -> ssl.SSLContext:
    """Return the context that all servers of one kind share: to load keys costs more than to start a server."""
    return encryption.server_context(host)


def encryption_from(options: Any, transport: str) -> Encryption | None:
    """Return the TLS options of `Options`, checked; None without TLS. Raises UsageError."""
    tls = options.tls
    given = [name for name in DETAILS if getattr(options, name) is not None]
    if tls is None or tls is False:
        if given:
            raise UsageError(
                f"{given[0]}={getattr(options, given[0])!r} is for servers with TLS; pass tls=True as well"
            )
        return None
    is_own = is_tls_context(tls)
    if not (is_own or tls is True or (isinstance(tls, str) and tls in WAYS)):
        raise UsageError(f"tls={tls!r}: expected True, 'mutual', 'starttls' or an ssl.SSLContext")
    if transport not in ("tcp", "unix_stream"):
        units = "records" if transport == "unix_seqpacket" else "datagrams"
        raise UsageError(f"tls={tls!r}: TLS is for streams, and transport={transport!r} carries {units}")
    if is_own:
        return Encryption(own_context=_checked_context(tls, given))
    certificates = server_choices(options.certificate)
    return Encryption(
        is_mutual=tls == "mutual",
        begins_with_tls=tls != "starttls",
        certificates=tuple(certificates.items()),
        key_type=_key_type(options.key_type, certificates.values()),
        alpn=_protocols(options.alpn),
        ciphers=_text("ciphers", options.ciphers),
        **_versions(options.minimum_version, options.maximum_version),
    )


def class_with_tls(server_class: type[Any], transport: str, concurrency: str) -> type[Any]:
    """Return the class with TLSMixIn in front, unless it is there already."""
    if issubclass(server_class, TLSMixIn):
        return server_class
    if server_class is class_for(transport, concurrency):
        return combine(transport=transport, concurrency=concurrency, mixins=[TLSMixIn])
    return _over(server_class)  # type: ignore[arg-type]  # classes are hashable


@lru_cache(maxsize=256)
def _over(server_class: type[Any]) -> type[Any]:
    name = f"TLS{server_class.__name__}"
    return type(
        name, (TLSMixIn, server_class), {"__module__": server_class.__module__, "__doc__": server_class.__doc__}
    )


def _checked_context(context: Any, given: list[str]) -> Any:
    from windsock.net.system import ssl

    if given:
        raise UsageError(f"{given[0]}= and an ssl.SSLContext of your own don't go together; set it on the context")
    if context.protocol == ssl.PROTOCOL_TLS_CLIENT:
        raise UsageError("tls=SSLContext(PROTOCOL_TLS_CLIENT): that is for clients; expected PROTOCOL_TLS_SERVER")
    return context


def _key_type(value: Any, certificates: Iterable[CertificateChoice]) -> str:
    if value is None:
        return "ec"
    if value not in KEY_TYPES:
        raise UsageError(f"key_type={value!r}: expected one of {', '.join(map(repr, KEY_TYPES))}")
    if all(each.is_own for each in certificates):
        raise UsageError(
            f"key_type={value!r} is for certificates that windsock makes; certificate= has a key of its own"
        )
    return str(value)


def _protocols(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        raise UsageError(f"alpn={value!r}: expected a list of names, such as ['h2', 'http/1.1']")
    for each in value:
        if not each.isascii() or not 0 < len(each) < 256:
            raise UsageError(f"alpn={value!r}: {each!r} can't be a protocol's name, 1 to 255 ASCII characters")
    return tuple(value)


def _versions(minimum: Any, maximum: Any) -> dict[str, str | None]:
    found = {
        "minimum_version": _version("minimum_version", minimum),
        "maximum_version": _version("maximum_version", maximum),
    }
    order = list(VERSIONS)
    lowest, highest = found.values()
    if lowest is not None and highest is not None and order.index(lowest) > order.index(highest):
        raise UsageError(f"minimum_version={lowest!r} is above maximum_version={highest!r}")
    return found


def _version(name: str, value: Any) -> str | None:
    """Return the name of a version; an ssl.TLSVersion is taken as well."""
    said = getattr(value, "name", value)
    for text, member in VERSIONS.items():
        if said in (text, member):
            return text
    if value is not None:
        raise UsageError(f"{name}={value!r}: expected one of {', '.join(map(repr, VERSIONS))}")
    return None


def _text(name: str, value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise UsageError(f"{name}={value!r}: expected text, such as 'ECDHE+AESGCM'")
    return value
