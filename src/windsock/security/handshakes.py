"""The result of a TLS handshake as plain values, from OpenSSL's objects and errors."""

from __future__ import annotations

from windsock.net.pushback import SHOWN
from windsock.net.system import ssl
from windsock.security.alerts import alert_of
from windsock.security.client_hello import HANDSHAKE, ClientHello, read_client_hello
from windsock.security.handshake_info import HandshakeFailed, HandshakeFailure, TLSHandshake

__all__ = ["failed", "succeeded"]

SHORT = {
    "countryName": "C",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "commonName": "CN",
    "emailAddress": "E",
}


def succeeded(tls: ssl.SSLObject, hello: ClientHello) -> TLSHandshake:
    """Return the result of a successful handshake."""
    cipher = tls.cipher()
    return TLSHandshake(
        version=tls.version(),
        cipher=cipher[0] if cipher else None,
        server_name=hello.server_name,
        alpn_offered=hello.alpn,
        alpn=tls.selected_alpn_protocol(),
        versions_offered=hello.versions,
        peer_subject=_subject(tls.getpeercert()),
        session_reused=bool(tls.session_reused),
    )


def failed(error: OSError, first: bytes) -> HandshakeFailed:
    """Return the error to raise; `first` is the first data that the client sent."""
    hello = read_client_hello(first)
    failure = _failure(error, first)
    return HandshakeFailed(
        TLSHandshake(
            server_name=hello.server_name,
            alpn_offered=hello.alpn,
            versions_offered=hello.versions,
            failure=failure,
            reason=_reason(error, failure),
            received=first[:SHOWN] if failure is HandshakeFailure.PLAINTEXT else b"",
            alert=alert_of(error) if failure is HandshakeFailure.ALERT else None,
        )
    )


def _failure(error: OSError, first: bytes) -> HandshakeFailure:
    if first and first[0] != HANDSHAKE:
        return HandshakeFailure.PLAINTEXT
    reason = str(getattr(error, "reason", None) or "")
    found = HandshakeFailure.PROTOCOL
    if isinstance(error, ssl.SSLEOFError) or "UNEXPECTED_EOF" in reason:
        found = HandshakeFailure.EOF
    elif isinstance(error, ssl.SSLCertVerificationError) or "PEER_DID_NOT_RETURN_A_CERTIFICATE" in reason:
        found = HandshakeFailure.CERTIFICATE
    elif alert_of(error) is not None:
        found = HandshakeFailure.ALERT
    elif isinstance(error, TimeoutError):
        found = HandshakeFailure.TIMEOUT
    elif not isinstance(error, ssl.SSLError):
        found = HandshakeFailure.RESET
    return found


def _reason(error: OSError, failure: HandshakeFailure) -> str:
    """Return the details of a failure, without file names and line numbers of OpenSSL."""
    if failure in (HandshakeFailure.EOF, HandshakeFailure.TIMEOUT):
        return ""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError):
        if getattr(error, "reason", None) == "CALLBACK_FAILED":
            return "the server has no certificate for the server name"
        said = alert_of(error) if failure is HandshakeFailure.ALERT else None
        return str(said or getattr(error, "reason", None) or error).replace("_", " ").lower()
    return error.strerror or str(error)


def _subject(certificate: object) -> str | None:
    """Return a certificate's subject on one line."""
    if not isinstance(certificate, dict) or not certificate.get("subject"):
        return None
    names = [pair for part in certificate["subject"] for pair in part]
    return ", ".join(f"{SHORT.get(name, name)}={value}" for name, value in names)
