"""HTTP/1.1: what bytes mean, how values are encoded, beside h11, and that other bytes are errors of decoding."""

from __future__ import annotations

import os
import re
from typing import Any

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.cutting import cut_all
from windsock import UsageError
from windsock.protocols import DecodeError, FramingError, http
from windsock.protocols.http import PROTOCOL, HTTPRequest, HTTPResponse

EXAMPLES = int(os.environ.get("WINDSOCK_EXAMPLES", "2000" if os.environ.get("CI") else "100"))
often = settings(max_examples=EXAMPLES, database=None, deadline=None)
pytestmark = pytest.mark.timeout(1800)  # for as many as are asked for
CODE = {"http": http}
any_: Any = http
"""The module without types, for wrong values."""

REQUESTS: list[tuple[bytes, HTTPRequest]] = [
    (b"GET / HTTP/1.1\r\n\r\n", HTTPRequest("GET", "/")),
    (b"GET /a?b=1 HTTP/1.0\r\nHost: x\r\n\r\n",
     HTTPRequest("GET", "/a?b=1", headers={"Host": "x"}, version="HTTP/1.0")),
    (b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
     HTTPRequest("POST", "/", headers={"Content-Length": "3"}, body=b"abc")),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n",
     HTTPRequest("POST", "/", headers={"Transfer-Encoding": "chunked"}, body=b"abc", chunks=(1, 2))),
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n0\r\nT: 1\r\nT: 2\r\n\r\n",
     HTTPRequest("POST", "/", headers={"Transfer-Encoding": "gzip, Chunked"}, chunks=(),
                 trailers=[("T", "1"), ("T", "2")])),
    (b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", HTTPRequest("CONNECT", "a:443", headers={"Host": "a:443"})),
]  # fmt: skip
RESPONSES: list[tuple[bytes, HTTPResponse]] = [
    (b"HTTP/1.1 204 No Content\r\n\r\n", HTTPResponse(204)),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", HTTPResponse(304, headers={"Content-Length": "9"})),
    (b"HTTP/1.1 100 Continue\r\n\r\n", HTTPResponse(100)),
    (b"HTTP/1.0 200 Fine, fine\r\nContent-Length: 2\r\n\r\nhi",
     HTTPResponse(200, headers={"Content-Length": "2"}, body=b"hi", version="HTTP/1.0", reason="Fine, fine")),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\nX: y\r\n\r\n",
     HTTPResponse(200, headers={"Transfer-Encoding": "chunked"}, body=b"0123456789", chunks=(10,),
                  trailers={"X": "y"})),
    (b"HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n", HTTPResponse(599, headers={"Content-Length": "0"})),
]  # fmt: skip


@pytest.mark.parametrize(("data", "message"), [*REQUESTS, *RESPONSES])
def test_a_message_is_decoded_encoded_and_written_as_code(data: bytes, message: Any) -> None:
    is_reply = isinstance(message, HTTPResponse)
    assert PROTOCOL.decoded(data, is_reply=is_reply) == message
    assert bytes(message) == data
    assert eval(repr(message), CODE) == message
    assert PROTOCOL.size_of(data, is_reply=is_reply) == len(data)
    assert PROTOCOL.size_of(data + data, is_reply=is_reply) == len(data)
    for end in range(1, len(data)):
        size = PROTOCOL.size_of(data[:end], is_reply=is_reply)
        assert size is None or end < size <= len(data)


def test_headers_are_found_in_any_case() -> None:
    headers = http.Headers([("Host", "a"), ("Set-Cookie", "x=1"), ("set-cookie", "y=2")])

    assert headers["HOST"] == headers.get("host") == "a"
    assert "hosT" in headers
    assert (headers["Set-cookie"], headers.all("SET-COOKIE")) == ("x=1, y=2", ["x=1", "y=2"])
    assert (list(headers), len(headers)) == (["Host", "Set-Cookie"], 2)
    assert headers.get("accept") is None


def test_a_request_has_a_path_a_query_a_text_and_json() -> None:
    body = b'{"a": [1, null]}'
    request = HTTPRequest("POST", "/a/b?x=1&y=%20&x=2", headers={"Content-Type": "text/x; charset=latin-1"}, body=body)

    assert (request.path, request.query) == ("/a/b", {"x": "2", "y": " "})
    assert (request.json(), request.text) == ({"a": [1, None]}, '{"a": [1, null]}')
    assert str(request) == "POST /a/b?x=1&y=%20&x=2 (16 B)"
    assert HTTPRequest("GET", "http://proxied.example/a?b").path == "/a"
    with pytest.raises(DecodeError, match="the body is no JSON"):
        HTTPRequest("GET", "/").json()
    with pytest.raises(DecodeError, match="the body is no text"):
        _ = HTTPResponse(200, body=b"\xff").text


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x16\x03\x01\x02", "it looks like a TLS handshake"),
        (b"hello\r\n", "is not a request line: a method, a target and HTTP/1.1"),
        (b"GET / HTTP/2.0\r\n", "is not a request line"),
        (b"GET  / HTTP/1.1\r\n", "is not a request line"),
        (b"GET / HTTP/1.1\r\nContent-Length: 1, 2\r\n\r\n", "Content-Length is b'1, 2'; expected one number of bytes"),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "Content-Length is b'-1'"),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\ncontent-length: 2\r\n\r\n", "Content-Length is b'1, 2'"),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", "expected chunked at its end"),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "b'x.r' is no size of a chunk"),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc", "a chunk of 1 bytes ends with b'bc'"),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000, "a head of more than 65536 bytes"),
        (b"GET /" + b"a" * 70_000, "is not a request line"),
    ],
)  # fmt: skip
def test_bytes_that_begin_no_request_are_named(data: bytes, reason: str) -> None:
    with pytest.raises(FramingError, match=reason):
        PROTOCOL.size_of(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET / HTTP/1.1\r\nno header\r\n\r\n", "b'no header' is no header: expected a name, a colon and a value"),
        (b"GET / HTTP/1.1\r\nA : b\r\n\r\n", "is no header"),
        (b"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n", "b' folded' is no header"),
        (b"GET / HTTP/1.1\r\nA: b\0\r\n\r\n", "is no header"),
        (b"GET / HTTP/1.1\r\nA: b\r\n", "no blank line ends the headers"),
        (b"GET / HTTP/1.1\r\nContent-Length: 3\r\n\r\nab", "the body has 2 bytes, Content-Length is 3"),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n", "the last chunk does not end the body"),
    ],
)
def test_a_malformed_request_is_named(data: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        PROTOCOL.decoded(data)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: any_.request("GET IT"), "expected a method, such as 'GET'"),
        (lambda: any_.get("/a b"), "expected a path as it is sent, such as '/a%20b'"),
        (lambda: any_.get(b"/a"), "expected str, or a compiled regular expression over str"),
        (lambda: any_.get("/", header={}), "expected query, headers, body, text, json"),
        (lambda: any_.get("/", query="a=1"), "expected a dict of names and values"),
        (lambda: any_.post("/", body="text"), "expected bytes; text=... is for str"),
        (lambda: any_.post("/", text=b"bytes"), "expected str"),
        (lambda: any_.post("/", text="a", json=1), "three forms of the body; use one of them"),
        (lambda: any_.post("/", json=object()), "it is no value of JSON"),
        (lambda: any_.response("200"), "expected a status of three digits, such as 200"),
        (lambda: any_.response(200, headers={"a": 1}), "1 in headers; expected str of latin-1 without line ends"),
        (lambda: any_.response(200, headers={"a": "b\r\nc"}), "in headers; expected str"),
        (lambda: any_.response(200, headers="a"), "expected a dict, or pairs of names and values"),
        (lambda: any_.response(200, chunks=[b""]), "expected bytes; an empty chunk would be the last one"),
        (lambda: any_.response(200, chunks=[b"a"], text="b"), "the chunks are the body"),
        (lambda: any_.response(200, text="b", trailers={"a": "b"}), "only chunks have trailers"),
        (lambda: any_.response(204, text="b"), "a response of this status has no body"),
        (lambda: any_.response(200, reason="a\nb"), "expected ASCII without line ends"),
        (lambda: bytes(any_.response()), "can't be sent: a response has a status"),
        (lambda: bytes(any_.get(re.compile("/.*"))), "can't be sent: a request has a method and a path"),
        (lambda: any_.HTTPProtocol(limit=0), "expected the most bytes of a message, 1 or more"),
        (lambda: any_.HTTPResponse(200, body="text"), "expected bytes"),
        (lambda: any_.HTTPResponse(200, body=b"abc", chunks=[1]), "of a body of 3 bytes"),
    ],
)  # fmt: skip
def test_what_can_not_be_sent_or_matched_is_refused(make: Any, reason: str) -> None:
    with pytest.raises(UsageError, match=re.escape(reason)):
        make()


GET = HTTPRequest("GET", "/x?a=1&b=2", headers=[("Accept", "a"), ("Accept", "b"), ("X", "y")])
REPEATED = HTTPRequest("GET", "/x?a=1&a=2")
POST = HTTPRequest("POST", "/x", headers={"Content-Length": "8"}, body=b'{"a": 1}')


@pytest.mark.parametrize(
    ("pattern", "message", "differs"),
    [
        (http.request(), GET, None),
        (http.get(), GET, None),
        (http.get("/x"), GET, None),
        (http.get("/x?a=1&b=2"), GET, None),
        (http.get(re.compile("/[a-z]")), GET, None),
        (http.get("/x", query={"b": "2"}, headers={"accept": "b", "X": "y"}), GET, None),
        (http.get("/x", query={"a": [1, 2]}), REPEATED, None),
        (http.get("/x", query={"a": 1}), REPEATED, None),
        (http.get("/x", query={"a": [1, 3]}), REPEATED, "it is GET /x?a=1&a=2; a of the query is '2', expected '3'"),
        (http.get("/x", headers={"Accept": "a, b"}), GET, None),
        (http.request(path="/x", body=b'{"a": 1}'), POST, None),
        (http.post(text='{"a": 1}'), POST, None),
        (http.post("/x", json={"a": 1}), POST, None),
        (http.response(), HTTPResponse(500), None),
        (http.response(200, chunks=[b"a", b"b"]), HTTPResponse(200, body=b"ab"), None),
        (http.post("/x"), GET, "it is GET /x?a=1&b=2"),
        (http.get("/y"), GET, "it is GET /x?a=1&b=2"),
        (http.get("/x?a=1"), GET, "it is GET /x?a=1&b=2"),
        (http.get(re.compile("/")), GET, "it is GET /x?a=1&b=2"),
        (http.get("/x", query={"a": 2}), GET, "it is GET /x?a=1&b=2; a of the query is '1', expected '2'"),
        (http.get("/x", headers={"X": "z"}), GET, "it is GET /x?a=1&b=2; it has X: y, expected X: z"),
        (http.get("/x", headers={"Y": "z"}), GET, "it is GET /x?a=1&b=2; there is no Y"),
        (http.get("/x", json=None), GET, "it is GET /x?a=1&b=2; the body is no JSON: "),
        (http.post("/x", json=[]), POST, "it is POST /x (8 B); json is {'a': 1}, expected []"),
        (http.post("/x", body=b""), POST, "it is POST /x (8 B); body is b'{\"a\": 1}', expected b''"),
        (http.response(404), HTTPResponse(200, body=b"ab"), "it is 200 OK (2 B)"),
        (http.response(200, text="a"), HTTPResponse(200, body=b"ab"), "it is 200 OK (2 B); text is 'ab', expected 'a'"),
    ],
)  # fmt: skip
def test_a_pattern_matches_or_says_what_differs(pattern: Any, message: Any, differs: str | None) -> None:
    data = bytes(message)
    if isinstance(message, HTTPResponse):  # with its size
        data = bytes(
            HTTPResponse(message.status, headers={"Content-Length": str(len(message.body))}, body=message.body)
        )
    assert pattern(data) is (differs is None)
    if differs is not None:
        assert pattern.why_not(data).startswith(differs)
    assert eval(repr(pattern), CODE | {"re": re}) == pattern


def test_patterns_are_sent_with_what_http_needs() -> None:
    assert bytes(http.get("/x")) == b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"
    assert bytes(http.get("/x", query={"a": "ä b"}, headers={"host": "a"})) == (
        b"GET /x?a=%C3%A4+b HTTP/1.1\r\nhost: a\r\n\r\n"
    )
    assert bytes(http.get("/x", query={"a": [1, 2]})).startswith(b"GET /x?a=1&a=2 HTTP/1.1\r\n")
    assert bytes(http.post("/x", json=[1])) == (
        b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n[1]"
    )
    assert bytes(http.response(200)) == b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    assert bytes(http.response(204)) == b"HTTP/1.1 204 No Content\r\n\r\n"
    assert bytes(http.response(200, chunks=[b"ab"], trailers={"T": "1"})) == (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nT: 1\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("request_", "reply", "ends"),
    [
        (http.get("/"), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", False),
        (http.head("/"), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", False),
        (http.request("CONNECT", "a:1"), b"HTTP/1.1 200 OK\r\n\r\n", False),
        (http.get("/", headers={"Connection": "x, Close"}), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", True),
        (HTTPRequest("GET", "/", version="HTTP/1.0"), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", True),
        (HTTPRequest("GET", "/", version="HTTP/1.0", headers={"Connection": "keep-alive"}),
         b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", False),
    ],
)  # fmt: skip
def test_an_answer_depends_on_the_request(request_: Any, reply: bytes, ends: bool) -> None:
    answer = http.response(200, body=b"hi").as_answer()

    assert answer(bytes(request_)) == reply
    assert answer.ends(bytes(request_)) is ends


# --- beside h11, and with any bytes

TOKEN = st.text("!#$%&'*+-.^_`|~09AZaz", min_size=1, max_size=9)
VALUE = st.text(st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x7f"), max_size=9)
NAMES = TOKEN.filter(lambda name: name.lower() not in {"content-length", "transfer-encoding", "host", "expect"})
HEADERS = st.lists(st.tuples(NAMES, VALUE), max_size=4)
TARGET = st.text("/abc?=&%20", min_size=1, max_size=12)
CHUNKS = st.lists(st.binary(min_size=1, max_size=20), max_size=3)


@st.composite
def bodies(draw: Any) -> dict[str, Any]:
    headers = draw(HEADERS)
    if draw(st.booleans()):
        chunks = draw(CHUNKS)
        headers.append(("Transfer-Encoding", "chunked"))
        sizes = tuple(map(len, chunks))
        return {"headers": headers, "body": b"".join(chunks), "chunks": sizes, "trailers": draw(HEADERS)}
    body = draw(st.binary(max_size=40))
    return {"headers": [*headers, ("Content-Length", str(len(body)))], "body": body}


requests = st.builds(lambda method, target, parts: HTTPRequest(method, target, **parts), TOKEN, TARGET, bodies())
responses = st.builds(lambda status, parts: HTTPResponse(status, **parts), st.integers(200, 203), bodies())


@often
@given(st.one_of(requests, responses))
def test_every_message_is_decoded_to_what_was_encoded(message: Any) -> None:
    data, is_reply = bytes(message), isinstance(message, HTTPResponse)
    assert PROTOCOL.size_of(data + data, is_reply=is_reply) == len(data)
    assert PROTOCOL.decoded(data, is_reply=is_reply) == message
    assert eval(repr(message), CODE) == message
    assert str(message)


@often
@given(st.one_of(requests, responses))
def test_h11_reads_the_same_messages(message: Any) -> None:
    is_reply = isinstance(message, HTTPResponse)
    if not is_reply:  # which h11 demands
        message = HTTPRequest(
            message.method.replace("CONNECT", "X"), message.target, headers=[*message.headers.fields, ("Host", "x")],
            body=message.body, chunks=message.chunks, trailers=message.trailers,
        )  # fmt: skip
    peer = h11.Connection(h11.CLIENT if is_reply else h11.SERVER)
    if is_reply:
        peer.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    peer.receive_data(bytes(message))

    start: Any = peer.next_event()
    body, event = b"", peer.next_event()
    while isinstance(event, h11.Data):
        body, event = body + event.data, peer.next_event()

    assert isinstance(event, h11.EndOfMessage)
    assert body == message.body
    assert pairs(start.headers.raw_items()) == list(message.headers.fields)
    assert pairs(event.headers.raw_items()) == list(message.trailers.fields)


def pairs(items: Any) -> list[tuple[str, str]]:
    return [(name.decode("ascii"), value.decode("latin-1")) for name, value in items]


@often
@given(st.one_of(requests, responses), st.data())
def test_mutated_bytes_are_messages_or_errors_of_decoding(message: Any, data: Any) -> None:
    whole = bytearray(bytes(message) * 2)
    for _ in range(3):
        at = data.draw(st.integers(0, len(whole)))
        whole[at : at + data.draw(st.integers(0, 2))] = data.draw(
            st.sampled_from([b"", b"9", b"\r\n", b"\n", b":", b" ", b"\0", b"\xff", b"chunked", b"HTTP/1.1 100 "])
        )
    for found in cut_all(PROTOCOL, bytes(whole), is_reply=isinstance(message, HTTPResponse)):
        assert eval(repr(found), CODE) == found


@often
@given(st.binary(min_size=1, max_size=200), st.booleans())
def test_any_bytes_are_messages_or_errors_of_decoding(data: bytes, is_reply: bool) -> None:
    for found in cut_all(PROTOCOL, data, is_reply=is_reply):
        assert eval(repr(found), CODE) == found
