"""Replies that by their own protocol go on."""

from __future__ import annotations

from tests.findings.facts import connection, sentences
from windsock.findings.facts import FailureFacts
from windsock.recording import Ending

TIMEOUT = FailureFacts(kinds=frozenset({"timeout"}), at=3.0)


def said(reply: str) -> list[str]:
    waited = connection("> ask", reply, client_end=3.0, ending=Ending.CLIENT_EOF)
    return [each for each in sentences(TIMEOUT, [waited]) if "for more than" not in each]


def test_a_line_that_announces_another_is_named() -> None:
    assert said("< 250-hello\\r\\n250-SIZE\\r\\n") == [
        "server #0: the last line sent, b'250-SIZE\\r\\n', has b'-' after its code: "
        "so the client waits for another line"
    ]


def test_a_bulk_string_that_is_too_short_is_named() -> None:
    assert said("< $10\\r\\nvalue\\r\\n") == ["server #0: the reply says that 10 B follow (b'$10\\r\\n'), 5 were sent"]


def test_replies_that_are_complete_are_left_alone() -> None:
    assert said("< 250-hello\\r\\n250 SIZE\\r\\n") == said("< $5\\r\\nvalue\\r\\n") == said("< 123-456") == []
