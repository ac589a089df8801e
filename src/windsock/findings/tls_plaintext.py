"""Finding: one end spoke TLS, and the other one did not."""

from __future__ import annotations

from collections.abc import Iterator

from windsock.findings.facts import Case, ConnectionFacts, Finding, ServerFacts
from windsock.security.handshake_info import HandshakeFailure

__all__ = ["find"]

TLS_BEGINS = b"\x16\x03"
"""The first bytes of a TLS handshake (RFC 8446, section 5.1)."""


def find(case: Case) -> Iterator[Finding]:
    """Give the first such connection of each server."""
    if not case.failure.is_of_network:
        return
    for server in case.answering:
        for connection in server.connections:
            said = _said(server, connection)
            if said:
                yield Finding(93, f"{server.at(connection)}: {said}", server.about(connection))
                break


def _said(server: ServerFacts, connection: ConnectionFacts) -> str:
    tls = connection.tls
    if tls is not None and tls.failure is HandshakeFailure.PLAINTEXT and server.is_starttls:
        return "the client went on without TLS after STARTTLS: wrap its socket with server.client_context() first"
    if tls is not None and tls.failure is HandshakeFailure.PLAINTEXT:
        return "the client spoke without TLS, the server speaks TLS: connect with server.client_context()"
    if tls is None and not server.is_proxy and connection.upstream.startswith(TLS_BEGINS):
        began = "the client began a TLS handshake"
        return (
            f"{began} before STARTTLS"
            if server.is_starttls
            else f"{began}, the server does not speak TLS: pass tls=True"
        )
    return ""
