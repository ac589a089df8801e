"""Replies that come only after the client has given up."""

from __future__ import annotations

from typing import Any

from tests.findings.facts import connection, sentences
from windsock.faults import Firing
from windsock.findings.facts import FailureFacts
from windsock.recording import Ending

TIMEOUT = FailureFacts(kinds=frozenset({"timeout"}), at=2.0)
EOF: dict[str, Any] = {"ending": Ending.CLIENT_EOF, "latest": 0.0}


def delay(by: float) -> Firing:
    return Firing(1, 0.5, f"Delay({by})", 0, "downstream", 0, f"delayed 2 B by {by:f} s")


def test_a_slow_reply_is_named_with_both_times() -> None:
    slow = connection("> hi\\n", "", "", "< ok", client_end=1.0, **EOF)

    assert sentences(TIMEOUT, [slow]) == [
        "server #0: the reply came 3 s after the request, the client gave up after 1 s: "
        "give it a longer timeout, or let the server answer sooner"
    ]


def test_a_reply_at_the_end_of_the_client_waits_for_it_or_for_a_flush() -> None:
    late = connection("> hi\\n", "< ok", client_end=0.99, **EOF)

    half_close, flush = sentences(TIMEOUT, [late]), sentences(TIMEOUT, [late], has_buffered_wfile=True)

    begins = "server #0: the handler replied only at the end of the client: "
    assert half_close == [f"{begins}half-close after the request, with shutdown(socket.SHUT_WR)"]
    assert flush == [f"{begins}its wfile is buffered (wbufsize), so flush() what it writes"]


def test_the_end_of_the_client_may_come_long_after_the_test_has_failed() -> None:
    late = connection("> hi\\n", "", "", "< ok", client_end=2.99, **EOF)

    found = sentences(TIMEOUT, [late])

    assert found == [
        "server #0: the handler replied only at the end of the client: "
        "half-close after the request, with shutdown(socket.SHUT_WR)"
    ]


def test_a_delay_beyond_the_clients_patience_is_named() -> None:
    found = sentences(TIMEOUT, [connection("> hi", "< ok", client_end=1.5)], firings=(delay(5.0),))

    assert found == [
        "server: Delay(5.0) took effect downstream (delayed 2 B by 5.000000 s), and the client gave up 1 s after that: "
        "its timeout is shorter than the delay"
    ]


def test_a_delay_that_was_over_is_not_mentioned() -> None:
    found = sentences(TIMEOUT, [connection("> hi", "< ok", client_end=1.9)], firings=(delay(0.01),))

    assert not any("Delay" in each for each in found)


def test_a_reply_that_comes_when_the_test_goes_on_is_named() -> None:
    let_go = connection("> hi\\n", "", "< ok", ending=Ending.SERVER_CLOSE, server_end=2.0)

    assert sentences(TIMEOUT, [let_go]) == [
        "server #0: the reply came 2 s after the request, when the client had given up: "
        "the handler waited for something else"
    ]


def test_a_reply_in_time_or_a_failure_that_is_no_timeout_is_left_alone() -> None:
    in_time = connection("> hi", "< ok", client_end=1.5, ending=Ending.CLIENT_EOF)
    slow = connection("> hi\\n", "", "", "< ok", client_end=1.0, **EOF)

    assert not any("the reply came" in each for each in sentences(TIMEOUT, [in_time]))
    assert sentences(FailureFacts(kinds=frozenset({"traffic"}), at=2.0), [slow]) == []
