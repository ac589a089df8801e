"""HTTP/1.1 on the wire: sizes of messages, and their bytes as values. No I/O.

RFC 9112 is the standard. A framing is asked for the size of a message of which a part has come, with all of its bytes
at each call; h11 and others keep the state of a connection instead, so this reads messages itself.
"""

from __future__ import annotations

import re

from windsock.protocols.errors import DecodeError
from windsock.protocols.http.headers import Headers
from windsock.protocols.http.messages import HTTPRequest, HTTPResponse

__all__ = ["UNTIL_END", "expects_continue", "head_of", "request_in", "request_size", "response_in", "response_size"]

LONGEST_HEAD = 64 * 1024
"""The most bytes of a start line with the headers, and of a line of a chunk with the trailers behind the last one."""
UNTIL_END = -1
"""The size of a body that ends with the connection."""
TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
BLANK = re.compile(rb"(?:\r?\n)*")
END = re.compile(rb"\n\r?\n")
REQUEST_LINE = re.compile(rb"(" + TOKEN + rb") ([!-~\x80-\xff]+) (HTTP/1\.\d)")
STATUS_LINE = re.compile(rb"(HTTP/1\.\d) (\d{3})(?: ([\t -~\x80-\xff]*))?")
A_REQUEST = "a request line: a method, a target and HTTP/1.1"
A_RESPONSE = "a status line: HTTP/1.1, three digits and a reason"
FIELD = re.compile(rb"(" + TOKEN + rb"):([^\x00-\x08\x0a-\x1f\x7f]*)")
LENGTH = re.compile(rb"\ncontent-length:([^\r\n]*)", re.IGNORECASE)
CODING = re.compile(rb"\ntransfer-encoding:([^\r\n]*)", re.IGNORECASE)
EXPECT = re.compile(rb"\nexpect:[ \t]*100-continue[ \t]*\r?\n", re.IGNORECASE)
DIGITS = re.compile(rb"\d{1,18}")
CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?\r?")


# --- sizes


def request_size(data: bytes) -> int | None:
    """Return the size of the first request, with blank lines before it, or None. Raises DecodeError."""
    start = BLANK.match(data).end()  # type: ignore[union-attr]  # it always matches
    if start == len(data):
        return None
    end = _head_end(data, start, REQUEST_LINE, A_REQUEST)
    return None if end is None else _with_body(data, end, _body_size(data[start:end], is_reply=False))


def response_size(data: bytes, method: str = "") -> int | None:
    """Return the size of the first response, or None; `method` is that of its request. Raises DecodeError.

    UNTIL_END if it ends with the connection.
    """
    end = _head_end(data, 0, STATUS_LINE, A_RESPONSE)
    if end is None:
        return None
    status = data[9:12]
    if method == "HEAD" or status[:1] == b"1" or status in (b"204", b"304"):
        return end
    if method == "CONNECT" and status[:1] == b"2":
        return end
    return _with_body(data, end, _body_size(data[:end], is_reply=True))


def head_of(data: bytes) -> bytes | None:
    """Return the start line and the headers, without blank lines before them; None if they have not come."""
    start = BLANK.match(data).end()  # type: ignore[union-attr]  # it always matches
    found = END.search(data, start)
    return None if found is None else data[start : found.end()]


def expects_continue(head: bytes) -> bool:
    """Return whether a client waits for 100 Continue before it sends the body."""
    return EXPECT.search(head) is not None


def _head_end(data: bytes, start: int, line: re.Pattern[bytes], wanted: str) -> int | None:
    """Return where the headers end, or None. Raises DecodeError if the first line is not the wanted one."""
    first = data.find(b"\n", start)
    if first < 0:
        _check_beginning(data, start, wanted)
        return None
    _first_line(data[start:first], line, wanted)
    found = END.search(data, first)
    if (len(data) if found is None else found.end()) - start > LONGEST_HEAD:
        raise DecodeError(f"a head of more than {LONGEST_HEAD} bytes")
    return None if found is None else found.end()


def _check_beginning(data: bytes, start: int, wanted: str) -> None:
    if not 0x20 < data[start] < 0x7F or len(data) - start > LONGEST_HEAD:
        why = ": it looks like a TLS handshake" if data[start : start + 2] == b"\x16\x03" else ""
        raise DecodeError(f"{_shown(data[start:])} is not {wanted}{why}")


def _body_size(head: bytes, *, is_reply: bool) -> int | None:
    """Return the size of the body, UNTIL_END, or None if it is chunked. Raises DecodeError."""
    codings = b",".join(CODING.findall(head))
    if codings:
        if codings.rpartition(b",")[2].strip().lower() == b"chunked":
            return None
        if is_reply:
            return UNTIL_END
        raise DecodeError(f"Transfer-Encoding of a request is {_shown(codings)}; expected chunked at its end")
    given = {each.strip() for value in LENGTH.findall(head) for each in value.split(b",")}
    if not given:
        return UNTIL_END if is_reply else 0
    (length,) = given if len(given) == 1 else (b", ".join(sorted(given)),)
    if DIGITS.fullmatch(length) is None:
        raise DecodeError(f"Content-Length is {_shown(length)}; expected one number of bytes")
    return int(length)


def _with_body(data: bytes, start: int, size: int | None) -> int | None:
    if size == UNTIL_END:
        return UNTIL_END
    if size is not None:
        return start + size
    found = _chunks(data, start)
    return None if found is None else found[1]


def _chunks(data: bytes, start: int) -> tuple[list[tuple[int, int]], int, int] | None:
    """Return the chunks (where each begins and ends), where the body ends, and where the trailers begin; or None."""
    chunks: list[tuple[int, int]] = []
    while True:
        end = data.find(b"\n", start)
        if end < 0 or end - start > LONGEST_HEAD:
            if len(data) - start > LONGEST_HEAD:
                raise DecodeError(f"a line of a chunk of more than {LONGEST_HEAD} bytes", offset=start, type="chunk")
            return None
        found = CHUNK.fullmatch(data, start, end)
        if found is None:
            raise DecodeError(f"{_shown(data[start:end])} is no size of a chunk", offset=start, type="chunk")
        size = int(found[1], 16)
        if size == 0:
            ends = END.search(data, end)
            if (len(data) if ends is None else ends.end()) - end > LONGEST_HEAD:
                raise DecodeError(f"trailers of more than {LONGEST_HEAD} bytes", offset=end, type="trailers")
            return None if ends is None else (chunks, ends.end(), end + 1)
        chunks.append((end + 1, end + 1 + size))
        start = end + 1 + size
        line_end = data[start : start + 2]
        if line_end[:1] == b"\n":
            start += 1
        elif line_end == b"\r\n":
            start += 2
        elif line_end in (b"", b"\r"):
            return None
        else:
            raise DecodeError(f"a chunk of {size} bytes ends with {_shown(line_end)}", offset=start, type="chunk")


# --- values


def request_in(data: bytes) -> HTTPRequest:
    """Return a whole request as a value. Raises DecodeError."""
    head, body, first = _parts(data, REQUEST_LINE, A_REQUEST)
    content, chunks, trailers = _content(body, _body_size(head, is_reply=False))
    method, target, version = (each.decode("latin-1") for each in first.groups())
    return HTTPRequest(
        method, target, headers=_fields(head, 1), body=content, chunks=chunks, trailers=trailers, version=version
    )


def response_in(data: bytes) -> HTTPResponse:
    """Return a whole response as a value; that to a HEAD request has no body. Raises DecodeError."""
    head, body, first = _parts(data, STATUS_LINE, A_RESPONSE)
    content, chunks, trailers = (b"", None, Headers()) if not body else _content(body, _body_size(head, is_reply=True))
    version, status, reason = ((each or b"").decode("latin-1") for each in first.groups())
    return HTTPResponse(
        int(status), headers=_fields(head, 1), body=content, chunks=chunks, trailers=trailers, version=version,
        reason=reason,
    )  # fmt: skip


def _parts(data: bytes, line: re.Pattern[bytes], wanted: str) -> tuple[bytes, bytes, re.Match[bytes]]:
    """Return the head, what is behind it, and the match of the first line."""
    start = BLANK.match(data).end()  # type: ignore[union-attr]  # it always matches
    first = _first_line(data[start:].partition(b"\n")[0], line, wanted)
    found = END.search(data, start)
    if found is None:
        raise DecodeError("no blank line ends the headers")
    return data[start : found.end()], data[found.end() :], first


def _first_line(text: bytes, line: re.Pattern[bytes], wanted: str) -> re.Match[bytes]:
    found = line.fullmatch(text.removesuffix(b"\r"))
    if found is None:
        raise DecodeError(f"{_shown(text)} is not {wanted}")
    return found


def _fields(text: bytes, skipped: int = 0) -> Headers:
    """Return the headers in lines up to a blank one, without the first lines."""
    fields = []
    for line in text.split(b"\n")[skipped:]:
        line = line.removesuffix(b"\r")
        if not line:
            break
        found = FIELD.fullmatch(line)
        if found is None:
            raise DecodeError(f"{_shown(line)} is no header: expected a name, a colon and a value", type="header")
        fields.append((found[1].decode("ascii"), found[2].strip(b" \t").decode("latin-1")))
    return Headers(fields)


def _content(body: bytes, size: int | None) -> tuple[bytes, tuple[int, ...] | None, Headers]:
    """Return the content of a body, the sizes of its chunks, and the trailers."""
    if size is not None:
        if size not in (UNTIL_END, len(body)):
            raise DecodeError(f"the body has {len(body)} bytes, Content-Length is {size}", type="body")
        return body, None, Headers()
    found = _chunks(body, 0)
    if found is None or found[1] != len(body):
        raise DecodeError("the last chunk does not end the body", type="body")
    chunks, end, trailers = found
    content = b"".join(body[start:stop] for start, stop in chunks)
    return content, tuple(stop - start for start, stop in chunks), _fields(body[trailers:end])


def _shown(data: bytes) -> str:
    return repr(data[:40]) if len(data) <= 40 else f"{data[:40]!r}..."
