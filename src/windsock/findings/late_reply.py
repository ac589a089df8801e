"""Finding: the reply was sent, or would have arrived, only after the client had given up."""

from __future__ import annotations

import re
from collections.abc import Iterator

from windsock.faults import Firing
from windsock.findings.facts import Case, ConnectionFacts, FailureFacts, Finding, ServerFacts
from windsock.findings.phrases import seconds
from windsock.recording import Direction, UntilEof

__all__ = ["find"]

AT_ONCE = 0.05
"""Seconds within which a handler answers the end of the client's stream."""
A_WHILE = 0.1
"""Seconds that a handler does not take by chance."""
DELAYED = re.compile(r"delayed (?!End).* by ([\d.]+) s")
"""How the log of a fault says that it has made something late."""
UNTIL_THE_END = ("read()", "readall", "recv_until_eof", "receive_all")
HALF_CLOSE = "half-close after the request, with shutdown(socket.SHUT_WR)"


def find(case: Case) -> Iterator[Finding]:
    """Give the latest connection of each server whose reply came too late for the client."""
    if not case.failure.has("timeout"):
        return
    for server in case.servers:
        connection = server.connections[-1] if server.connections else None
        if connection is None:
            continue
        delay = next((each for each in server.firings if _was_too_slow(each, connection, case.failure)), None)
        if delay is not None:
            yield Finding(85, _said_of_fault(server, connection, case.failure, delay), server.about(connection))
        elif not server.is_proxy and not isinstance(server.framing, UntilEof):
            yield from _of_reply(server, connection, case.failure)


def _end(connection: ConnectionFacts, failure: FailureFacts) -> float:
    return failure.at if connection.client_end is None else min(connection.client_end, failure.at)


def _was_too_slow(firing: Firing, connection: ConnectionFacts, failure: FailureFacts) -> bool:
    """Return whether a fault has delayed something beyond the time at which the client gave up."""
    found, end = DELAYED.match(firing.what), _end(connection, failure)
    return found is not None and firing.at < end < firing.at + float(found[1])


def _said_of_fault(server: ServerFacts, connection: ConnectionFacts, failure: FailureFacts, delay: Firing) -> str:
    effect = f"{delay.fault} took effect {delay.direction} ({delay.what})".replace("  ", " ")
    waited = seconds(_end(connection, failure) - delay.at)
    return f"{server.name}: {effect}, and the client gave up {waited} after that: its timeout is shorter than the delay"


def _of_reply(server: ServerFacts, connection: ConnectionFacts, failure: FailureFacts) -> Iterator[Finding]:
    end = _end(connection, failure)
    if connection.faults:
        return
    if connection.last_sender is not Direction.UPSTREAM:
        yield from _just_then(server, connection, failure)
        return
    reply = next((e.time for e in connection.chunks if e.time > end and e.direction is Direction.DOWNSTREAM), None)
    if reply is None:
        return
    if reply - end > AT_ONCE and not _answers_the_end(server, connection, reply):
        times = f"{seconds(reply - connection.latest)} after the request, the client gave up after"
        remedy = ": give it a longer timeout, or let the server answer sooner"
        said = f"the reply came {times} {seconds(end - connection.latest)}{remedy}"
        yield Finding(79, f"{server.at(connection)}: {said}", server.about(connection))
    elif not server.is_fake and connection.client_end is not None:
        client = "" if failure.client is None else f", for whose reply it had waited at {failure.client.where}"
        said = f"the handler replied only at the end of the client{client}: {_remedy(server, connection)}"
        yield Finding(79, f"{server.at(connection)}: {said}", server.about(connection))


def _answers_the_end(server: ServerFacts, connection: ConnectionFacts, reply: float) -> bool:
    """Return whether a handler replied as soon as the client's end came, however late that was."""
    client_end = connection.client_end
    return not server.is_fake and client_end is not None and 0 <= reply - client_end <= AT_ONCE


def _just_then(server: ServerFacts, connection: ConnectionFacts, failure: FailureFacts) -> Iterator[Finding]:
    """Give a reply that a handler sent as the test went on after its client's time was over."""
    sent = [each.time for each in connection.chunks if each.direction is Direction.UPSTREAM]
    replies = [each.time for each in connection.chunks if sent and each.time > sent[-1]]
    is_late = bool(replies) and replies[0] - sent[-1] >= A_WHILE and 0 <= failure.at - replies[0] <= AT_ONCE
    if is_late and not server.is_fake and connection.client_end is None:
        took = seconds(replies[0] - sent[-1])
        said = (
            f"the reply came {took} after the request, when the client had given up: the handler waited for something"
        )
        yield Finding(79, f"{server.at(connection)}: {said} else", server.about(connection))


def _remedy(server: ServerFacts, connection: ConnectionFacts) -> str:
    source = "" if connection.handler is None else connection.handler.place.source
    if server.has_buffered_wfile:
        return "its wfile is buffered (wbufsize), so flush() what it writes"
    if any(word in source for word in UNTIL_THE_END):
        return HALF_CLOSE
    sent = b"".join(e.data for e in connection.chunks if e.direction is Direction.UPSTREAM)
    if sent.endswith(b"\n"):
        return HALF_CLOSE
    line_end = "end the request with a line end if it reads lines"
    return line_end if "line" in source else f"{line_end}, or {HALF_CLOSE}"
