"""Finding: the server has sent nothing in reply."""

from __future__ import annotations

from collections.abc import Iterator

from windsock.findings.facts import Case, ConnectionFacts, FailureFacts, Finding, ServerFacts

__all__ = ["find"]


def find(case: Case) -> Iterator[Finding]:
    """Give the latest connection of each server, if the client waited for something and nothing was sent."""
    if not case.failure.has("timeout", "end", "reset"):
        return
    for server in case.answering:
        connection = server.connections[-1] if server.connections else None
        if connection is None or _has_another_cause(connection) or connection.index in server.in_hand:
            continue
        said = (
            _said(server, connection, case.failure) if server.is_datagram or connection.was_in_use(case.failure) else ""
        )
        if said:
            yield Finding(70, f"{server.at(connection)}: {said}", server.about(connection))


def _has_another_cause(connection: ConnectionFacts) -> bool:
    is_told = connection.played is not None or connection.has_failed or connection.refused is not None
    return bool(connection.downstream or connection.faults) or connection.tls_failed or is_told


def _said(server: ServerFacts, connection: ConnectionFacts, failure: FailureFacts) -> str:
    came = len(connection.upstream)
    is_idle = server.idle_seconds is not None and failure.at - connection.latest >= server.idle_seconds
    if is_idle and failure.has("end", "reset"):
        return f"the fake closed the connection, as no message came for {server.idle_seconds:g} s: see idle(...)"
    if server.never_speaks:
        took = f"took {came} B and sent nothing" if came else "sent nothing"
        return f"the fake {took}, as it was told no reply: say on(...).reply(...), echo() or greet(...)"
    if server.is_fake:
        return ""
    if server.is_proxy:
        return f"nothing came back for the {came} B that went on to the server" if came else ""
    if server.is_datagram:
        return f"the handler sent nothing in reply to the {came} B that came"
    has_returned = connection.server_end is not None and (
        connection.client_end is None or connection.server_end < connection.client_end
    )
    return f"the handler returned without sending anything, {came} B had come" if has_returned else ""
