"""Bodies of HTTP that are not as long as they should be."""

from __future__ import annotations

import pytest

from tests.findings.facts import connection, sentences
from windsock.findings.facts import FailureFacts

ERROR = FailureFacts(kinds=frozenset({"error"}))
GET = "> GET / HTTP/1.1\\r\\n\\r\\n"
OK = "< HTTP/1.1 200 OK\\r\\n"
LENGTH = OK + "Content-Length: {}\\r\\n\\r\\n{}"
CHUNKS = OK + "Transfer-Encoding: chunked\\r\\n\\r\\n{}"


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (LENGTH.format(3, "hello"), "Content-Length says 3 B, 5 were sent"),
        (LENGTH.format(9, "hello"), "Content-Length says 9 B, 5 were sent"),
        (CHUNKS.format("5\\r\\nhello\\r\\n"), r"all chunks but the last one (b'0\r\n\r\n') were sent"),
        (CHUNKS.format("10\\r\\nhello\\r\\n0\\r\\n\\r\\n"), "a chunk says 16 B (b'10' is hexadecimal), 5 were sent"),
        (CHUNKS.format("hello\\r\\n"), r"b'hello\r\n' where a chunk begins were sent"),
    ],
)
def test_a_reply_with_a_wrong_length_is_named(reply: str, said: str) -> None:
    assert sentences(ERROR, [connection(GET, reply)]) == [f"server #0: in the reply, {said}"]


def test_a_request_with_a_wrong_length_is_named() -> None:
    post = "> POST / HTTP/1.1\\r\\nContent-Length: 50\\r\\n\\r\\nhello"

    assert sentences(ERROR, [connection(post)]) == ["server #0: in the request, Content-Length says 50 B, 5 came"]


@pytest.mark.parametrize(
    ("request_line", "reply"),
    [
        (GET, LENGTH.format(5, "hello")),
        (GET, LENGTH.format(0, "") + LENGTH.format(5, "hello")[2:]),
        (GET, CHUNKS.format("5\\r\\nhello\\r\\n0\\r\\n\\r\\n")),
        (GET, OK + "\\r\\nas long as it is"),
        (GET.replace("GET", "HEAD"), LENGTH.format(500, "")),
        (GET, "< HTTP/1.1 304 Not Modified\\r\\nContent-Length: 500\\r\\n\\r\\n"),
        ("> PING", "< Content-Length: 3\\r\\n\\r\\nhello"),
    ],
)
def test_bodies_that_are_whole_are_left_alone(request_line: str, reply: str) -> None:
    assert sentences(ERROR, [connection(request_line, reply)]) == []


def test_what_a_fault_or_the_client_has_cut_is_left_alone() -> None:
    short = LENGTH.format(9, "hello")

    found = [connection(GET, short, faults=("Truncate(5) downstream",)), connection(GET, short, unsent=(9, 5), index=1)]
    assert [sentences(ERROR, [each]) for each in found] == [[], []]
