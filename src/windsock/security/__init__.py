"""TLS and access control: mix-ins for any server class, first among its bases."""

from typing import TYPE_CHECKING, Any

from windsock.security.access import AccessMixIn
from windsock.security.challenge import ChallengeMixIn
from windsock.security.handshake_info import HandshakeFailed, HandshakeFailure, TLSHandshake
from windsock.security.peer_credentials import PeerCredentials, PeerCredentialsMixIn
from windsock.security.tls import TLSMixIn

if TYPE_CHECKING:
    from windsock.security.run_authority import RunAuthority
    from windsock.security.tls_socket import TLSSocket

__all__ = [
    "AccessMixIn",
    "ChallengeMixIn",
    "HandshakeFailed",
    "HandshakeFailure",
    "PeerCredentials",
    "PeerCredentialsMixIn",
    "RunAuthority",
    "TLSHandshake",
    "TLSMixIn",
    "TLSSocket",
]


def __getattr__(name: str) -> Any:
    """Import ssl only when one of these names is used."""
    if name == "TLSSocket":
        from windsock.security.tls_socket import TLSSocket

        return TLSSocket
    if name == "RunAuthority":
        from windsock.security.run_authority import RunAuthority

        return RunAuthority
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
