"""A mail with a dot, a fake without a rule, a fault that changes bytes, a message that is broken off."""

from __future__ import annotations

from typing import Any

from tests.findings.facts import compared, connection, sentences
from windsock.fakes.patterns import Pattern
from windsock.faults import Firing
from windsock.findings.facts import FailureFacts, RuleFacts
from windsock.recording import Ending, Lines

MAIL = "> DATA\\r\\n"
ERROR = FailureFacts(kinds=frozenset({"traffic", "end"}), at=9.0)
CORRUPT = Firing(1, 0.5, "Corrupt()", 0, "downstream", 0, "bitflip in 4 B")


def rule(pattern: Pattern) -> RuleFacts:
    return RuleFacts(f"on({pattern!r})", pattern, frozenset({0}))


def test_a_dot_that_ends_a_mail_early_is_named() -> None:
    found = sentences(ERROR, [connection(MAIL, "< 354", "> Hi\\r\\n.\\r\\nBob\\r\\n.\\r\\n", "< 250")])

    assert found[0].startswith("server #0: a line with a dot alone ended the mail, and b'Bob\\r\\n.\\r\\n' was taken")


def test_mails_that_end_once_are_left_alone() -> None:
    two = connection(MAIL, "< 354", "> Hi\\r\\n.\\r\\n", "< 250", MAIL, "< 354", "> ..\\r\\n.\\r\\nQUIT\\r\\n", "< 250")

    assert sentences(FailureFacts(kinds=frozenset({"traffic"})), [two]) == []


def test_a_message_that_no_rule_answers_is_shown_in_full() -> None:
    fake: dict[str, Any] = {"is_fake": True, "rules": (rule(b"*1 PING"),)}
    failed = connection("> *2 HELLO 3", has_failed=True)

    assert sentences(ERROR, [failed], **fake) == ["server #0: the client sent b'*2 HELLO 3', which no rule answers"]
    named = FailureFacts(kinds=frozenset({"end"}), names=frozenset({"UnexpectedMessage"}))
    assert sentences(named, [failed], **fake) == []
    assert sentences(ERROR, [connection("> *1 PING", "< pong")], **fake) == []


def test_bytes_that_a_fault_has_changed_are_named() -> None:
    passed = connection("> GET", "< 0123", faults=("Corrupt() downstream at byte 0",))

    assert sentences(compared(b"0923", b"0123"), [passed], firings=(CORRUPT,)) == [
        "server: Corrupt() took effect downstream (bitflip in 4 B): what arrived is not what was sent"
    ]
    assert sentences(compared(b"0123", b"9999"), [passed], firings=(CORRUPT,)) == []
    assert sentences(FailureFacts(kinds=frozenset({"other"})), [passed], firings=(CORRUPT,)) == []


def test_a_long_message_that_is_broken_off_is_named() -> None:
    text = "waited 0.5 s for 1 complete request, got 0; recorded:"
    failure = FailureFacts(kinds=frozenset({"ours"}), text=text, at=2.0)
    open_one = connection("> " + "x" * 100_000)
    ended = connection("> " + "x" * 100_000, client_end=1.0, ending=Ending.CLIENT_EOF)
    remedy = "it has to wait until all is sent, as with asyncio by drain() and wait_closed()"

    assert [sentences(failure, [each], framing=Lines()) for each in (open_one, ended)] == [
        [f"server #0: the client sent 100000 B of a message that goes on, and nothing more for 2 s: {remedy}"],
        [f"server #0: the client ended its stream after 100000 B of a message that goes on: {remedy}"],
    ]
    answered = connection("> " + "x" * 100_000, messages=(b"x" * 100_000,))
    assert sentences(failure, [answered], framing=Lines()) == []
    assert sentences(failure, [connection("> hello")], framing=Lines()) == []
