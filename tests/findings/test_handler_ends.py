"""Handlers that read once, and handlers whose process dies."""

from __future__ import annotations

from typing import Any

from tests.findings.conftest import Conclude
from tests.findings.facts import compared, connection, sentences
from windsock.findings.facts import FailureFacts
from windsock.recording import Ending

END = FailureFacts(kinds=frozenset({"end", "traffic"}), at=9.0)
CLOSED: dict[str, Any] = {"ending": Ending.SERVER_CLOSE, "server_end": 2.0}


def test_a_buffer_that_was_just_full_is_named() -> None:
    full = connection("> " + "x" * 1024, "< 1024", **CLOSED)

    assert sentences(compared(b"1024", b"3000"), [full]) == [
        "server #0: the handler read 1024 B with one recv(), which was full, and no more: "
        "if the client sent more, read on until the message is complete"
    ]


def test_a_handler_that_read_to_the_end_or_less_than_a_buffer_is_left_alone() -> None:
    short = connection("> " + "x" * 1023, "< 1023", **CLOSED)
    to_the_end = connection("> " + "x" * 1024, "< 1024", client_end=1.5, **CLOSED)

    assert sentences(compared(b"1024", b"3000"), [short]) == []
    assert sentences(compared(b"1024", b"3000"), [to_the_end]) == []
    full = connection("> " + "x" * 1024, "< 1024", **CLOSED)
    assert sentences(FailureFacts(kinds=frozenset({"other"})), [full]) == []


def test_a_process_that_is_gone_without_an_end_is_named() -> None:
    assert sentences(END, [connection("> hi", pid=123, has_exited=True)]) == [
        "server #0: the process of its handler (123) was killed, or exited without closing the connection, "
        "when 2 B had come and 0 B were sent"
    ]


def test_a_process_that_closed_in_order_is_left_alone() -> None:
    closed, busy = connection("> hi", "< ok", pid=123, **CLOSED), connection("> hi", "< ok", pid=123)

    assert not any("process" in each for each in sentences(END, [closed]) + sentences(END, [busy]))


def test_a_child_that_still_waits_for_its_client_is_not_said_to_be_dead(conclude: Conclude) -> None:
    found = conclude(
        """
    @pytest.mark.windsock(handler=lambda request, address, server: request.recv(100))
    def test_it(forking_tcp_server):
        with client_of(forking_tcp_server):
            answer = b""
            assert answer == b"PONG"
    """
    )

    assert not any("process" in each for each in found["test_it"])
