"""Finding: a TLS handshake failed because of a certificate, the server's or the client's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from windsock.findings.facts import Case, Finding, ServerFacts
from windsock.findings.phrases import listed
from windsock.security.certificate_choice import LOCAL_NAMES, CertificateChoice
from windsock.security.handshake_info import HandshakeFailure, TLSHandshake
from windsock.security.server_names import find_by_name

__all__ = ["find"]

ABOUT_CERTIFICATES = ("bad_certificate", "certificate_unknown", "certificate_expired", "unsupported_certificate")
CONTEXT = "server.client_context() trusts it, and so does a context that has loaded server.ca_file"


def find(case: Case) -> Iterator[Finding]:
    """Give the latest connection of each server with such a handshake."""
    if not case.failure.is_of_network:
        return
    for server in case.servers:
        for connection in reversed(server.connections):
            said = _said(server, connection.tls) if connection.tls is not None else ""
            if said:
                yield Finding(90, f"{server.at(connection)}: {said}", server.about(connection))
                break


def _said(server: ServerFacts, tls: TLSHandshake) -> str:
    if tls.failure is HandshakeFailure.CERTIFICATE:
        return _of_client(tls)
    alert = tls.alert
    choice = find_by_name(server.certificates, tls.server_name)
    if choice is None and server.certificates and "server name" in tls.reason:
        return _of_name(server, tls)
    if choice is not None and choice.profile not in ("valid", None) and alert is not None:
        return f"the client refused the certificate ({_words(alert)}), as certificate={choice.profile!r} asks for"
    if alert == "unknown_ca":
        return f"the client does not trust the server's certificate: {CONTEXT}"
    if alert not in ABOUT_CERTIFICATES:
        return ""
    names = _names(choice)
    if names and tls.server_name and find_by_name(dict.fromkeys(names, True), tls.server_name) is None:
        return f"the client asked for {tls.server_name}, the server's certificate is for {listed(names)}"
    return f"the client refused the server's certificate ({_words(alert)})"


def _names(choice: CertificateChoice | None) -> Sequence[str]:
    """Return the names that a certificate is for; none if they are not known."""
    if choice is None or choice.files:
        return ()
    return choice.names or LOCAL_NAMES


def _of_name(server: ServerFacts, tls: TLSHandshake) -> str:
    asked = f"the client asked for {tls.server_name}" if tls.server_name else "the client asked for no server name"
    return f"{asked}, certificate= has {listed(tuple(server.certificates))}, and no '*' for all others"


def _of_client(tls: TLSHandshake) -> str:
    if "did not return" in tls.reason:
        return "the server asks for a client certificate and the client showed none: server.client_context() has one"
    return f"the server refused the client's certificate ({tls.reason}): server.client_context() has one that it takes"


def _words(alert: str) -> str:
    return alert.replace("_", " ")
