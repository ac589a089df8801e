"""Tests that count connections and requests, or ask whether connections have ended."""

from __future__ import annotations

from typing import Any

from tests.findings.facts import connection, sentences
from windsock.findings.facts import FailureFacts, SourceLine
from windsock.recording import Ending

CLIENT_EOF: dict[str, Any] = {"ending": Ending.CLIENT_EOF, "client_end": 2.0}


def counted(found: int, expected: int) -> FailureFacts:
    text = f"assert {found} == {expected}\n +  where {found} = len([<Connection #0 from 127.0.0.1:1: client EOF>])"
    return FailureFacts(kinds=frozenset({"traffic"}), text=text)


def test_connections_that_are_not_used_again_are_named_with_who_ended_them() -> None:
    said = "server: 2 connections with one request each: "
    closing = "> GET / HTTP/1.1\\r\\nConnection: close\\r\\n\\r\\n"
    by_client = [connection("> a", "< b", index=n, **CLIENT_EOF) for n in range(2)]
    by_server = [connection("> a", "< b", index=n, ending=Ending.SERVER_CLOSE) for n in range(2)]
    by_header = [connection(closing, "< b", index=n, ending=Ending.SERVER_CLOSE) for n in range(2)]

    assert sentences(counted(2, 1), by_client) == [
        f"{said}the client closed each of them itself, and so used none again"
    ]
    assert sentences(counted(2, 1), by_server) == [f"{said}the server closed each of them after its reply"]
    assert sentences(counted(2, 1), by_header) == [
        f"{said}the client asked the server to close each, with 'Connection: close'"
    ]


def test_another_count_is_left_alone() -> None:
    two = [connection("> a", "< b", index=n, **CLIENT_EOF) for n in range(2)]

    assert sentences(counted(2, 3), two) == sentences(counted(5, 1), two) == []
    assert sentences(counted(2, 1), [connection("> a", "< b", "> a", "< b", **CLIENT_EOF)] * 2) == []


def test_a_request_sent_again_is_named() -> None:
    failure = FailureFacts(kinds=frozenset({"ours"}), names=frozenset({"RequestMismatch"}))
    lost = connection("> PAY", ending=Ending.SERVER_CLOSE)

    assert sentences(failure, [lost, connection("> PAY", "< paid", index=1)])[0] == (
        "server #1: the client sent b'PAY' again, although the server had taken it on #0, which ended without a reply"
    )
    assert sentences(failure, [connection("> PAY", "< no"), connection("> PAY", "< paid", index=1)]) == []


def test_a_connection_that_the_client_has_not_closed_is_named() -> None:
    failure = FailureFacts(kinds=frozenset({"ours"}), text="waited 1 s for 2 connections to end, got 1", at=4.0)

    assert sentences(failure, [connection(**CLIENT_EOF), connection("> a", index=1)]) == [
        "server: #1 is still open, idle for 4 s: the client has not closed it"
    ]
    assert sentences(failure, [connection(**CLIENT_EOF)]) == []


def test_an_open_connection_is_no_matter_if_the_test_did_not_ask() -> None:
    line = SourceLine("test_it.py:1", "assert answer == b'x'")
    failure = FailureFacts(kinds=frozenset({"traffic"}), names=frozenset({"AssertionError"}), client=line)

    assert sentences(failure, [connection("> a", "< b")]) == []
