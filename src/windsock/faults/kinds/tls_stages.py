"""The stages of a TLS handshake at which faults can act."""

from __future__ import annotations

__all__ = ["STAGES"]

STAGES = ("client_hello", "server_hello", "finished")
"""Named by the message that has passed: the client's first, the server's first, the client's last (RFC 8446, 2)."""
