"""What a transcript says, a line an event."""

from __future__ import annotations

from typing import Any

import windsock


def complain(request: Any, client_address: Any, server: Any) -> None:
    request.recv(100)
    raise LookupError("what is wrong\nand all about it")


def test_an_error_of_many_lines_is_one_line_of_the_transcript() -> None:
    with windsock.serving(complain) as server:
        with server.connect() as client:
            client.send(b"x").expect_eof()
        server.errors.take()

    lines = [line for line in server.transcript() if "handler error" in line]
    assert [line.split(" ", 1)[1] for line in lines] == ["#0 ! handler error: LookupError: what is wrong..."]
