"""Finding: client and server had no TLS version, or no protocol (ALPN), in common."""

from __future__ import annotations

from collections.abc import Iterator

from windsock.findings.facts import Case, Finding, ServerFacts
from windsock.findings.phrases import either, listed
from windsock.security.handshake_info import TLSHandshake

__all__ = ["find"]


def find(case: Case) -> Iterator[Finding]:
    """Give the latest connection of each server on which nothing was agreed on."""
    if not case.failure.is_of_network:
        return
    for server in case.servers:
        for connection in reversed(server.connections):
            said = _said(case, server, connection.tls) if connection.tls is not None else ""
            if said:
                yield Finding(90, f"{server.at(connection)}: {said}", server.about(connection))
                break


def _said(case: Case, server: ServerFacts, tls: TLSHandshake) -> str:
    if tls.failure is not None:
        return _of_failure(server, tls)
    asked = [*tls.alpn_offered, *server.alpn]
    text = case.failure.text.lower()
    if asked and tls.alpn is None and ("alpn" in text or any(each.lower() in text for each in asked)):
        offered = f"offered {either(tls.alpn_offered)}" if tls.alpn_offered else "offered no protocol"
        taken = f"the server takes {either(server.alpn)}" if server.alpn else "the server takes none"
        remedy = "" if server.alpn else f": pass alpn={list(tls.alpn_offered)!r}"
        return f"no protocol was agreed on (ALPN): the client {offered}, {taken}{remedy}"
    return ""


def _of_failure(server: ServerFacts, tls: TLSHandshake) -> str:
    if "version" in tls.reason or "unsupported protocol" in tls.reason:
        return f"no version of TLS was agreed on: the client offered {listed(tls.versions_offered)}, {_range(server)}"
    if "no shared cipher" in tls.reason or "cipher" in tls.reason:
        return f"no cipher was agreed on ({tls.reason}): ciphers= and the client's context have none in common"
    if "application protocol" in tls.reason.replace("_", " "):
        return f"no protocol was agreed on (ALPN): the client offered {either(tls.alpn_offered)}"
    return ""


def _range(server: ServerFacts) -> str:
    lowest, highest = server.versions
    if lowest and highest:
        return f"the server takes {lowest} to {highest}" if lowest != highest else f"the server takes {lowest}"
    return f"the server takes {lowest} or later" if lowest else f"the server takes {highest} or earlier"
