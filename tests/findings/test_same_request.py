"""Clients that send the same request again and again."""

from __future__ import annotations

from tests.findings.facts import connection, sentences
from windsock.findings.facts import FailureFacts
from windsock.recording import Ending

HANG = FailureFacts(kinds=frozenset({"timeout", "hang"}), at=9.0)
BUSY = [connection("> GET", "< busy", index=n, ending=Ending.SERVER_CLOSE, client_end=1.5) for n in range(3)]
SAID = "server: the client sent b'GET' 3 times, and got b'busy' each time"


def test_a_retry_without_end_is_named() -> None:
    assert SAID in sentences(HANG, BUSY)


def test_retries_that_are_used_up_are_named() -> None:
    text = "MaxRetryError: too many error responses, retries exceeded"

    assert sentences(FailureFacts(kinds=frozenset({"error"}), text=text.replace("retries", "tries")), BUSY) == [SAID]


def test_other_failures_and_other_requests_are_left_alone() -> None:
    assert sentences(FailureFacts(kinds=frozenset({"error"}), text="no JSON"), BUSY) == []
    other = [*BUSY[:2], connection("> PUT", "< busy", index=2, client_end=1.5)]
    assert SAID not in sentences(HANG, other)
