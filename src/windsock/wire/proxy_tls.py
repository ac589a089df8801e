"""TLS that ends at the proxy: on the client's side, on the server's side, or both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from windsock.errors import UsageError
from windsock.wire.proxy_places import Place

if TYPE_CHECKING:
    import ssl

__all__ = ["Termination"]


@dataclass(frozen=True, slots=True)
class Termination:
    """Where the proxy itself speaks TLS."""

    client: ssl.SSLContext | None
    upstream: ssl.SSLContext | None
    server_name: str | None

    @classmethod
    def of(
        cls, place: Place, client: ssl.SSLContext | None, upstream: ssl.SSLContext | None, server_name: str | None
    ) -> Termination | None:
        """Return what was asked for, or None; raise UsageError for datagrams."""
        if client is None and upstream is None:
            return None
        if place.is_datagram:
            raise UsageError(f"tls= with transport {place.transport!r}: TLS needs a stream")
        return cls(client, upstream, server_name)
