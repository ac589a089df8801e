"""Finding: the server had closed the connection before the client used it again."""

from __future__ import annotations

from collections.abc import Iterator

from windsock.findings.facts import Case, ConnectionFacts, Finding, ServerFacts
from windsock.findings.phrases import counted_noun
from windsock.findings.turns import turns_of
from windsock.recording import Direction, Ending

__all__ = ["find"]


def find(case: Case) -> Iterator[Finding]:
    """Give the latest connection of each server, if the server has answered and closed it and the client went on."""
    if not case.failure.has("reset", "end"):
        return
    for server in case.answering:
        connection = server.connections[-1] if server.connections else None
        if connection is not None and _was_closed(server, connection) and _is_clients(server, case.failure.sockets):
            sentence = f"{server.at(connection)}: {_said(server, connection, is_short=case.failure.has('short'))}"
            yield Finding(72, sentence, server.about(connection))


def _is_clients(server: ServerFacts, sockets: tuple[str, ...]) -> bool:
    """Return whether a socket in the frame that failed is, or may be, one of this server's clients.

    Those of a library are no variables of a frame, as a rule. The address of a socket that is closed is not known.
    """
    peers = {each.peer for each in server.connections} - {""}
    return not sockets or sockets == ("",) or not peers.isdisjoint(sockets)


def _was_closed(server: ServerFacts, connection: ConnectionFacts) -> bool:
    is_plain = not (connection.faults or connection.has_failed or connection.played or server.is_datagram)
    return is_plain and connection.ending is Ending.SERVER_CLOSE and bool(connection.downstream)


def _said(server: ServerFacts, connection: ConnectionFacts, *, is_short: bool) -> str:
    who = "server" if server.is_fake or server.is_proxy else "handler"
    if is_short:
        return f"the {who} closed the connection after {len(connection.downstream)} B, and the client expected more"
    replies = sum(direction is Direction.DOWNSTREAM for direction, _ in turns_of(connection))
    sent = f"after {counted_noun(replies, 'reply').replace('replys', 'replies')}, {len(connection.downstream)} B"
    remedy = "connect again for each request" + (", or handle more than one in handle()" if who == "handler" else "")
    return f"the {who} closed the connection {sent}, before the client was done with it: {remedy}"
