"""The result of a TLS handshake, as plain values."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from windsock.errors import PeerError
from windsock.security.alerts import Alert

__all__ = ["HandshakeFailed", "HandshakeFailure", "TLSHandshake"]


class HandshakeFailure(enum.StrEnum):
    """Why there was no TLS with a client."""

    ALERT = "alert"
    """The client refused what it saw, and said so (RFC 8446, section 6)."""
    EOF = "EOF"
    """The client left without a word."""
    RESET = "reset"
    """The client reset the connection."""
    TIMEOUT = "timeout"
    """The client took longer than the server's `handshake_timeout`."""
    PLAINTEXT = "plaintext"
    """The client spoke, but not TLS."""
    CERTIFICATE = "certificate"
    """The client's certificate was missing, or not one to trust."""
    PROTOCOL = "protocol"
    """Client and server could not agree on a version or a cipher, or the client broke the protocol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TLSHandshake:
    """One handshake as the server saw it. What was not said, or not agreed on, is None or empty."""

    version: str | None = None
    """Such as "TLSv1.3"."""
    cipher: str | None = None
    """Such as "TLS_AES_256_GCM_SHA384"."""
    server_name: str | None = None
    """The name that the client asked for (SNI)."""
    alpn_offered: tuple[str, ...] = ()
    """The protocols that the client offered, its favourite first (ALPN, RFC 7301)."""
    alpn: str | None = None
    """The protocol that was chosen."""
    versions_offered: tuple[str, ...] = ()
    """The versions of TLS that the client offered, such as "TLSv1.3", its favourite first."""
    peer_subject: str | None = None
    """Whom the client's certificate names, such as "O=Example, CN=alice"."""
    failure: HandshakeFailure | None = None
    """None: it succeeded."""
    reason: str = ""
    """What went wrong, in OpenSSL's or the kernel's words."""
    alert: Alert | None = None
    """The alert with which the client has ended it, in the handshake or later, such as "bad_certificate"."""

    def __str__(self) -> str:
        if self.failure is not None:
            said = f"TLS handshake failed: {self.failure}" + (f" ({self.reason})" if self.reason else "")
        else:
            said = f"{self.version}, {self.cipher}"
        said += f", server name {self.server_name}" if self.server_name else ""
        said += f", ALPN offered {'/'.join(self.alpn_offered)}" if self.alpn_offered else ""
        said += f", ALPN {self.alpn}" if self.alpn else ""
        return said + (f", client certificate of {self.peer_subject}" if self.peer_subject else "")


class HandshakeFailed(PeerError):
    """There is no TLS with this client. `handshake` says why; the cause is the error itself."""

    def __init__(self, handshake: TLSHandshake) -> None:
        self.handshake = handshake
        super().__init__(str(handshake))
