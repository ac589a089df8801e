"""Findings: both ends wait for each other; the client waits for more, or without a timeout."""

from __future__ import annotations

from collections.abc import Iterator

from windsock.findings.facts import Case, ConnectionFacts, FailureFacts, Finding, ServerFacts
from windsock.recording import Direction, UntilEof

__all__ = ["find"]

UNTIL_THE_END = ("read()", "readall", "recv_until_eof", "makefile", "in self.rfile", "receive_all")
"""Words of a line that reads up to the end of a stream."""
A_WHILE = 0.02
"""Seconds of silence that a client with a timeout cannot mean by chance."""
HALF_CLOSE = "half-close after the request, with shutdown(socket.SHUT_WR)"


def find(case: Case) -> Iterator[Finding]:
    """Give who waited for whom on the latest connection of each server, once the client's time was over."""
    failure = case.failure
    if not failure.has("timeout"):
        return
    if failure.has_no_timeout and failure.client is not None:
        where = f"the client waited at {failure.client.where} on a socket without a timeout"
        yield Finding(30, f"{where}: create_connection(address, timeout=5) gives it one", ("client",))
    for server in case.answering:
        connection = server.connections[-1] if server.connections and not server.is_datagram else None
        if connection is None or connection.index in server.in_hand:
            continue
        if _client_waited(connection, failure) and _both_were_there(connection):
            weight, said = _said(server, connection, failure)
            if said:
                yield Finding(weight, f"{server.at(connection)}: {said}", server.about(connection))


def _client_waited(connection: ConnectionFacts, failure: FailureFacts) -> bool:
    """Return whether the client was there for a while after the last byte, up to the failure or just before it."""
    end = failure.at if connection.client_end is None else connection.client_end
    return connection.was_in_use(failure) and end - connection.latest >= A_WHILE


def _both_were_there(connection: ConnectionFacts) -> bool:
    """Return whether the server kept the connection open until the client gave up."""
    has_another_cause = connection.faults or connection.has_failed or connection.tls_failed or connection.refused
    if has_another_cause or (connection.handler is not None and not connection.handler.is_waiting):
        return False
    return connection.server_end is None or (
        connection.client_end is not None and connection.client_end <= connection.server_end
    )


def _said(server: ServerFacts, connection: ConnectionFacts, failure: FailureFacts) -> tuple[int, str]:
    client = "" if failure.client is None else f" at {failure.client.where}"
    if isinstance(server.framing, UntilEof) and connection.upstream:
        return 78, (
            f"both ends waited for each other: the client{client} for the reply, "
            f"the server for the end of the client's stream: {HALF_CLOSE}"
        )
    if connection.last_sender is Direction.DOWNSTREAM:
        return 60, (
            f"the client waited{client} for more than the {len(connection.downstream)} B that were sent, or for the "
            "end of the stream, and the server kept the connection open for another request"
        )
    if not connection.chunks:
        is_known = server.is_fake or connection.handler is not None or connection.client_end is not None
        return 64, _nobody_began(server, connection, client) if is_known else ""
    return 66, "" if server.is_fake else _handler_waits(connection, client)


def _nobody_began(server: ServerFacts, connection: ConnectionFacts, client: str) -> str:
    place = f" at {connection.handler.place.where}" if connection.handler is not None else ""
    waits = f"the {'server' if server.is_fake else 'handler'}{place} for the client's first bytes"
    remedy = ": greet(...) has the fake speak first" if server.is_fake else ""
    return f"neither end sent anything: the client waited{client}, {waits}{remedy}"


def _handler_waits(connection: ConnectionFacts, client: str) -> str:
    handler = connection.handler
    reads_on = handler is not None or connection.client_end is not None  # a handler that sees the end has read on
    if not reads_on:
        return ""
    where = "" if handler is None else f" at {handler.place.where} ({handler.place.source})"
    is_until_end = handler is not None and any(word in handler.place.source for word in UNTIL_THE_END)
    remedy = f": {HALF_CLOSE}" if is_until_end and handler is not None and "for" not in handler.place.source else ""
    return (
        f"both ends waited for each other: the client{client} for a reply, "
        f"the handler{where} for more than the {len(connection.upstream)} B that had come{remedy}"
    )
