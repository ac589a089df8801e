"""Finding: a stream that ended without the end of TLS was taken for the whole."""

from __future__ import annotations

from collections.abc import Iterator

from windsock.findings.facts import Case, Finding
from windsock.recording import UntilEof

__all__ = ["find"]

CLOSE_NOTIFY = "without the end of TLS (close_notify)"


def find(case: Case) -> Iterator[Finding]:
    """Give the latest connection of each server that was cut in TLS, if nothing was made of that."""
    if not case.failure.is_of_network or case.failure.has("reset"):
        return
    for server in case.servers:
        fault = next((each for each in reversed(server.firings) if each.fault.startswith("TLSTruncate(")), None)
        for connection in reversed(server.connections):
            if fault is not None and fault.connection == connection.index:
                sentence = (
                    f"{server.at(connection)}: {fault.fault} ended the stream {CLOSE_NOTIFY}, and the client took"
                )
                remedy = "SSLContext.wrap_socket(..., suppress_ragged_eofs=False) makes that an error"
                yield Finding(91, f"{sentence} what had come for the whole: {remedy}", server.about(connection))
                break
            if connection.is_tls_truncated and isinstance(server.framing, UntilEof):
                sentence = f"{server.at(connection)}: the client's stream ended {CLOSE_NOTIFY}, and the server took"
                sentence += f" the {len(connection.upstream)} B that had come for the whole message"
                yield Finding(74, sentence, server.about(connection))
                break
