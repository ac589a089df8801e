"""The certificate for the server name that a client asks for (SNI, RFC 6066)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from windsock.security.alerts import ALERTS
from windsock.security.certificate_choice import OTHERS, CertificateChoice

if TYPE_CHECKING:
    import ssl

__all__ = ["ContextByName", "context_by_name", "find_by_name"]

T = TypeVar("T")


def find_by_name(values: Mapping[str, T], name: str | None) -> T | None:
    """Return the value for a server name: its own, that of a wildcard for its first label, or that of all others."""
    asked = (name or "").lower().removesuffix(".")
    wildcard = "*." + asked.partition(".")[2]
    return next((values[each] for each in (asked, wildcard, OTHERS) if each in values), None)


def context_by_name(
    certificates: Mapping[str, CertificateChoice], make: Callable[[CertificateChoice], ssl.SSLContext]
) -> ssl.SSLContext:
    """Return the context of a server with a certificate for each server name; `make` makes that of one certificate."""
    contexts = {name: make(certificate) for name, certificate in certificates.items()}
    if list(contexts) == [OTHERS]:
        return contexts[OTHERS]
    context = make(next(iter(certificates.values())))
    _set_callback(context, ContextByName(contexts))
    return context


def _set_callback(context: ssl.SSLContext, callback: ContextByName) -> None:
    """Set the callback as the standard library does: that of gevent's class fails without a socket of gevent's."""
    found = [vars(each)["sni_callback"] for each in type(context).__mro__ if "sni_callback" in vars(each)]
    found[-1].__set__(context, callback)


class ContextByName:
    """The callback of a context that goes on with the context for the client's server name.

    A client that asks for a name without one gets the alert unrecognized_name; one that asks for no name,
    missing_extension (RFC 8446, section 9.2).
    """

    def __init__(self, contexts: Mapping[str, ssl.SSLContext]) -> None:
        self._contexts = contexts

    def any_context(self) -> ssl.SSLContext:
        """Return one of the contexts."""
        return next(iter(self._contexts.values()))

    def __call__(self, tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        """See ssl.SSLContext.sni_callback."""
        found = find_by_name(self._contexts, name)
        if found is None:
            return ALERTS["missing_extension" if name is None else "unrecognized_name"]
        tls.context = found
        return None
