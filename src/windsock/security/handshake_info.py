"""The result of a TLS handshake, as plain values."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from windsock.errors import PeerError
from windsock.security.alerts import Alert

__all__ = ["HandshakeFailed", "HandshakeFailure", "TLSHandshake"]


class HandshakeFailure(enum.StrEnum):
    """Why a TLS handshake with a client failed."""

    ALERT = "alert"
    """The client refused the handshake and sent an alert (RFC 8446, section 6)."""
    EOF = "EOF"
    """The client closed the connection without an alert."""
    RESET = "reset"
    """The client reset the connection."""
    TIMEOUT = "timeout"
    """The client took longer than the server's `handshake_timeout`."""
    PLAINTEXT = "plaintext"
    """The client sent data that is not TLS."""
    CERTIFICATE = "certificate"
    """The client's certificate was missing or not trusted."""
    PROTOCOL = "protocol"
    """Client and server could not agree on a version or a cipher, or the client broke the protocol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSHandshake:
    """One handshake as the server saw it. Values that were not sent or not agreed on are None or empty."""

    version: str | None = None
    """The version, such as "TLSv1.3"."""
    cipher: str | None = None
    """The cipher, such as "TLS_AES_256_GCM_SHA384"."""
    server_name: str | None = None
    """The name that the client asked for (SNI)."""
    alpn_offered: tuple[str, ...] = ()
    """The protocols that the client offered, the preferred one first (ALPN, RFC 7301)."""
    alpn: str | None = None
    """The protocol that was chosen."""
    versions_offered: tuple[str, ...] = ()
    """The versions of TLS that the client offered, such as "TLSv1.3", its favourite first."""
    peer_subject: str | None = None
    """The subject of the client's certificate, such as "O=Example, CN=alice"."""
    session_reused: bool = False
    """Whether the client resumed a session of an earlier connection."""
    failure: HandshakeFailure | None = None
    """Why the handshake failed; None if it succeeded."""
    reason: str = ""
    """The error, in OpenSSL's or the kernel's words."""
    received: bytes = b""
    """The first bytes that came, at most 64, if the client did not speak TLS."""
    alert: Alert | None = None
    """The alert with which the client ended the connection, then or later, such as "bad_certificate"."""

    def __str__(self) -> str:
        if self.failure is not None:
            said = f"TLS handshake failed: {self.failure}" + (f" ({self.reason})" if self.reason else "")
            said += self.shown_received
        else:
            said = f"{self.version}, {self.cipher}"
        said += ", session resumed" if self.session_reused else ""
        said += f", server name {self.server_name}" if self.server_name else ""
        said += f", ALPN offered {'/'.join(self.alpn_offered)}" if self.alpn_offered else ""
        said += f", ALPN {self.alpn}" if self.alpn else ""
        return said + (f", client certificate of {self.peer_subject}" if self.peer_subject else "")

    @property
    def shown_received(self) -> str:
        """The bytes that came instead of a handshake, with secrets masked, as the end of a sentence; "" for none."""
        from windsock.redaction import text

        return text(f", received {self.received!r}") if self.received else ""


class HandshakeFailed(PeerError):
    """A TLS handshake with a client failed. `handshake` has the details; the cause is the original error."""

    def __init__(self, handshake: TLSHandshake) -> None:
        self.handshake = handshake
        super().__init__(str(handshake))
