"""Replies that belong to another request, and replies in another order."""

from __future__ import annotations

from tests.findings.facts import compared, connection, sentences
from windsock.faults import Firing
from windsock.findings.facts import FailureFacts


def test_a_late_reply_taken_for_that_to_the_next_request_is_named() -> None:
    pair = [connection("> one", "< 1st", index=0), connection("> two", "< 2nd", index=1)]
    firing = Firing(1, 0.5, "Duplicate()", 0, "downstream", 0, "1 more of 3 B")

    said = "server: b'1st' is the reply to the earlier request b'one', the one to the latest request b'two' is b'2nd'"
    assert sentences(compared(b"1st", b"2nd"), pair) == [said]
    assert sentences(compared(b"1st", b"2nd"), pair, firings=(firing,))[0] == (
        f"{said}; Duplicate() had taken effect downstream"
    )


def test_a_handler_that_replies_to_an_earlier_request_is_named() -> None:
    one = connection("> one\\n", "< re: one\\n", "> two\\n", "< re: one\\n")

    assert sentences(compared(b"re: one\n", b"re: two\n"), [one]) == [
        "server: the handler sent b're: one\\n' in reply to b'two\\n': that is about the earlier request b'one'"
    ]


def test_replies_in_another_order_are_named() -> None:
    failure = FailureFacts(kinds=frozenset({"traffic"}), text="assert [b'2', b'1'] == [b'1', b'2']")

    assert sentences(failure, [connection("> 12", "< 21")]) == [
        "server #0: the handler itself sent the replies in this order, b'2' before b'1'"
    ]
    assert sentences(failure, [connection("> 12", "< 12")]) == []


def test_an_answer_that_the_test_expected_in_vain_is_left_alone() -> None:
    echo = connection("> one", "< one", "> two", "< two")

    assert sentences(compared(b"two", b"three"), [echo]) == []
    assert sentences(compared(b"two", b"one"), [echo]) == []
    again = connection("> one", "< 1st", "> one", "< 2nd")
    assert sentences(compared(b"1st", b"2nd"), [again]) == []
