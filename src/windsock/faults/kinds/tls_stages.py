"""The points of a TLS handshake at which something can happen."""

from __future__ import annotations

__all__ = ["STAGES"]

STAGES = ("client_hello", "server_hello", "finished")
"""What has passed then: the client's first message, the server's first ones, the client's last (RFC 8446, 2)."""
