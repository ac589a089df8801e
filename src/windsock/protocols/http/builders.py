"""Functions that make patterns, which are sent too: `http.get("/x")`, `http.response(200, text="hi")`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict, Unpack

from windsock.errors import UsageError
from windsock.protocols.http.answers import has_size
from windsock.protocols.http.forms import UNSAID, RequestPattern, ResponsePattern
from windsock.protocols.http.headers import HeadersLike, as_headers

__all__ = ["RequestParts", "delete", "get", "head", "patch", "post", "put", "request", "response"]


class RequestParts(TypedDict, total=False):
    """What a request has beside its method and its path; see `request()`."""

    query: Mapping[str, object]
    headers: HeadersLike
    body: bytes | None
    text: str | None
    json: Any


def request(
    method: str | None = None, path: str | re.Pattern[str] | None = None, **parts: Unpack[RequestParts]
) -> RequestPattern:
    """Return a pattern for requests with this method, path, fields of the query, headers, and body; None: any.

    `path` is compared with the path, or with the whole target if it has a "?"; an expression must match all of the
    path. The body is bytes, or `text`, or a value of `json`. What is sent as a request has a method and a path; Host
    and Content-Length are added, unless they are given. Raises UsageError for other values.
    """
    where = "http.request"
    _check_start(where, method, path)
    if unknown := sorted(set(parts) - set(RequestParts.__annotations__)):
        raise UsageError(f"{where}({unknown[0]}=...): expected {', '.join(RequestParts.__annotations__)}")
    query: Any = parts.get("query", {})
    if not isinstance(query, Mapping):
        raise UsageError(f"{where}(query={query!r}): expected a dict of names and values")
    return RequestPattern(
        method=method,
        path=path,
        query=tuple((name, str(each)) for name, value in query.items() for each in _several(value)),
        **_content(where, parts.get("headers", ()), parts.get("body"), parts.get("text"), parts.get("json", UNSAID)),
    )


def get(path: str | re.Pattern[str] | None = None, **parts: Unpack[RequestParts]) -> RequestPattern:
    """Return a pattern for GET requests; the rest is as with `request()`."""
    return request("GET", path, **parts)


def head(path: str | re.Pattern[str] | None = None, **parts: Unpack[RequestParts]) -> RequestPattern:
    """Return a pattern for HEAD requests; the rest is as with `request()`."""
    return request("HEAD", path, **parts)


def _several(value: object) -> Iterable[object]:
    return value if isinstance(value, list | tuple) else [value]


def post(path: str | re.Pattern[str] | None = None, **parts: Unpack[RequestParts]) -> RequestPattern:
    """Return a pattern for POST requests; the rest is as with `request()`."""
    return request("POST", path, **parts)


def put(path: str | re.Pattern[str] | None = None, **parts: Unpack[RequestParts]) -> RequestPattern:
    """Return a pattern for PUT requests; the rest is as with `request()`."""
    return request("PUT", path, **parts)


def patch(path: str | re.Pattern[str] | None = None, **parts: Unpack[RequestParts]) -> RequestPattern:
    """Return a pattern for PATCH requests; the rest is as with `request()`."""
    return request("PATCH", path, **parts)


def delete(path: str | re.Pattern[str] | None = None, **parts: Unpack[RequestParts]) -> RequestPattern:
    """Return a pattern for DELETE requests; the rest is as with `request()`."""
    return request("DELETE", path, **parts)


def response(
    status: int | None = None,
    *,
    headers: HeadersLike = (),
    body: bytes | None = None,
    text: str | None = None,
    json: Any = UNSAID,
    chunks: Iterable[bytes] | None = None,
    trailers: HeadersLike = (),
    reason: str | None = None,
) -> ResponsePattern:
    """Return a response for `reply()` and `send()`; for `expect()` and `match=` of faults, a pattern for responses.

    The body is bytes, or `text`, or a value of `json`, or `chunks`, behind which `trailers` may come. Content-Length,
    Transfer-Encoding and Content-Type are added, unless they are given. `reply()` sends no body to a HEAD request, and
    ends the connection if the request or the response has `Connection: close`, the request is of HTTP/1.0 without
    keep-alive, or the response has no size. Raises UsageError for other values.
    """
    where = "http.response"
    _check_status(where, status, reason)
    given = _checked_chunks(where, chunks)
    if given is not None and not (body is None and text is None and json is UNSAID):
        raise UsageError(f"{where}(chunks=..., ...): the chunks are the body; leave body=, text= and json= out")
    if trailers and given is None:
        raise UsageError(f"{where}(trailers={trailers!r}): only chunks have trailers; pass chunks=[...]")
    content = _content(where, headers, body, text, json)
    made = ResponsePattern(status=status, chunks=given, trailers=as_headers(where, trailers), reason=reason, **content)
    if status is not None and not has_size(status) and (made.given() or given is not None):
        raise UsageError(f"{where}({status}, ...): a response of this status has no body")
    return made


def _check_start(where: str, method: Any, path: Any) -> None:
    if method is not None and (not isinstance(method, str) or not method.isascii() or not method or " " in method):
        raise UsageError(f"{where}({method!r}): expected a method, such as 'GET'")
    is_expression = isinstance(path, re.Pattern) and isinstance(path.pattern, str)
    if not (path is None or isinstance(path, str) or is_expression):
        raise UsageError(f"{where}(path={path!r}): expected str, or a compiled regular expression over str")
    if isinstance(path, str) and (not path or not path.isascii() or any(each <= " " for each in path)):
        raise UsageError(f"{where}(path={path!r}): expected a path as it is sent, such as '/a%20b'")


def _check_status(where: str, status: Any, reason: str | None) -> None:
    if status is not None and (type(status) is not int or not 100 <= status <= 999):
        raise UsageError(f"{where}({status!r}): expected a status of three digits, such as 200")
    if reason is not None and (not reason.isascii() or "\r" in reason or "\n" in reason):
        raise UsageError(f"{where}(reason={reason!r}): expected ASCII without line ends")


def _checked_chunks(where: str, chunks: Any) -> tuple[bytes, ...] | None:
    given = None if chunks is None else tuple(chunks)
    if given is not None and not all(isinstance(each, bytes) and each for each in given):
        raise UsageError(f"{where}(chunks={list(given)!r}): expected bytes; an empty chunk would be the last one")
    return given


def _content(where: str, headers: Any, body: Any, text: Any, json: Any) -> dict[str, Any]:
    """Return headers and body as they are kept. Raises UsageError for other values."""
    if sum([body is not None, text is not None, json is not UNSAID]) > 1:
        raise UsageError(f"{where}(...): body=, text= and json= are three forms of the body; use one of them")
    if body is not None and not isinstance(body, bytes | bytearray | memoryview):
        raise UsageError(f"{where}(body={body!r}): expected bytes; text=... is for str")
    if text is not None and not isinstance(text, str):
        raise UsageError(f"{where}(text={text!r}): expected str")
    if json is not UNSAID:
        _check_json(where, json)
    body = None if body is None else bytes(body)
    return {"headers": as_headers(where, headers), "body": body, "text": text, "json": json}


def _check_json(where: str, value: Any) -> None:
    from json import dumps

    try:
        dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"{where}(json={value!r}): it is no value of JSON: {error}") from None
