"""What a client sends only when it gives up."""

from __future__ import annotations

from dataclasses import replace

from tests.findings.facts import connection, sentences
from windsock.faults import Firing
from windsock.findings.facts import FailureFacts, HandlerPlace, SourceLine
from windsock.recording import Ending

TIMEOUT = FailureFacts(kinds=frozenset({"timeout"}), at=2.0)


def test_what_was_flushed_by_the_close_is_named() -> None:
    late = connection("", "", "> hi", client_end=2.01, ending=Ending.CLIENT_EOF)

    assert sentences(TIMEOUT, [late]) == [
        "server #0: the client sent b'hi' only when it gave up, after 2 s of silence: "
        "flush() what is written to a file or stream"
    ]


def test_a_client_whose_bytes_a_fault_has_held_is_not_blamed() -> None:
    late = connection("", "", "> hi", client_end=2.01, ending=Ending.CLIENT_EOF)
    held = Firing(1, 0.1, "Blackhole()", late.index, "upstream", 0, "held 2 B")

    assert not any("only when it gave up" in each for each in sentences(TIMEOUT, [late], firings=(held,)))
    assert any("only when it gave up" in each for each in sentences(TIMEOUT, [late]))


def test_the_handler_that_is_just_at_work_on_it_is_not_blamed() -> None:
    at_work = HandlerPlace(SourceLine("test_it.py:7", "self.wfile.write(line)"), is_waiting=False)
    late = connection("", "", "> hi", client_end=2.01, handler=at_work)

    (sentence,) = sentences(replace(TIMEOUT, at=2.02), [late])

    assert "only when it gave up" in sentence


def test_a_request_sent_again_or_in_time_is_left_alone() -> None:
    again = connection("> hi", "", "> hi", client_end=2.01, ending=Ending.CLIENT_EOF)
    in_time = connection("> hi", client_end=1.9, ending=Ending.CLIENT_EOF)

    assert not any(
        "only when it gave up" in each for each in sentences(TIMEOUT, [again]) + sentences(TIMEOUT, [in_time])
    )
