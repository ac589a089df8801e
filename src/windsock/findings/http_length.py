"""Finding: a body of HTTP that is longer or shorter than its head, or its chunks, say."""

from __future__ import annotations

import re
from collections.abc import Iterator

from windsock.findings.facts import Case, ConnectionFacts, Finding
from windsock.findings.phrases import shown

__all__ = ["find"]

RESPONSE = re.compile(rb"HTTP/1\.[01] (?!1\d\d|204|304)\d\d\d")
REQUEST = re.compile(rb"[A-Z]+ \S+ HTTP/1\.[01]\r\n")
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.I)
CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked\r\n", re.I)
SIZE = re.compile(rb"([0-9a-fA-F]+)[^\r\n]*\r\n")
HEAD = b"HEAD "
"""A method whose replies have a length and no body (RFC 9110, section 9.3.2)."""


def find(case: Case) -> Iterator[Finding]:
    """Give the latest connection of each server with such a body."""
    if not case.failure.is_about_traffic:
        return
    for server in case.answering:
        connection = server.connections[-1] if server.connections else None
        said = _said(connection) if connection is not None and _is_whole(connection) else ""
        if said and connection is not None:
            yield Finding(87, f"{server.at(connection)}: {said}", server.about(connection))


def _is_whole(connection: ConnectionFacts) -> bool:
    """Return whether all that was sent is known, and nothing was taken from it on its way."""
    return bool(connection.chunks) and connection.unsent is None and not connection.faults


def _said(connection: ConnectionFacts) -> str:
    reply = "" if connection.upstream.startswith(HEAD) else _wrong(connection.downstream, RESPONSE)
    if reply:
        return f"in the reply, {reply} were sent"
    request = _wrong(connection.upstream, REQUEST)
    return f"in the request, {request} came" if request else ""


def _wrong(data: bytes, begins: re.Pattern[bytes]) -> str:
    """Return what the first message with a wrong length says, and what there is."""
    while begins.match(data):
        head, end, body = data.partition(b"\r\n\r\n")
        length = LENGTH.search(head + b"\r\n")
        if CHUNKED.search(head + b"\r\n"):
            return _wrong_chunk(body)
        if not end or length is None:
            return ""
        size, data = int(length[1]), body[int(length[1]) :]
        if len(body) < size or (data and not begins.match(data)):
            return f"Content-Length says {size} B, {len(body)}"
    return ""


def _wrong_chunk(body: bytes) -> str:
    while size := SIZE.match(body):
        length, data = int(size[1], 16), body[size.end() :]
        if length == 0:
            return ""
        if data[length : length + 2] != b"\r\n":
            actual = data.find(b"\r\n")
            is_cut = actual < 0
            return f"a chunk says {length} B ({size[1]!r} is hexadecimal), {len(data) if is_cut else actual}"
        body = data[length + 2 :]
    return "all chunks but the last one (b'0\\r\\n\\r\\n')" if not body else f"{shown(body)} where a chunk begins"
