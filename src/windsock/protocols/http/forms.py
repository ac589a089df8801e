"""What tests write: `http.get("/x")` and `http.response(200, json=...)`, as patterns, and as messages to send."""

from __future__ import annotations

import json as json_of
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from windsock.errors import UsageError
from windsock.protocols.errors import DecodeError
from windsock.protocols.http.answers import ResponseAnswer, has_size
from windsock.protocols.http.headers import Headers
from windsock.protocols.http.messages import HTTPRequest, HTTPResponse
from windsock.protocols.http.protocol import PROTOCOL
from windsock.protocols.message_pattern import MessagePattern

__all__ = ["UNSAID", "HTTPPattern", "RequestPattern", "ResponsePattern"]

SHOWN = 80
"""The most characters of a body that a line shows."""
UNSAID: Any = type("Unsaid", (), {"__repr__": lambda _: "UNSAID", "__slots__": ()})()
"""The value of json= that was not passed: None is JSON too."""


@dataclass(frozen=True, slots=True, repr=False)
class HTTPPattern(MessagePattern):
    """What patterns of requests and of responses have in common: headers, and a body as bytes, as text or as JSON."""

    protocol = PROTOCOL
    headers: Headers
    body: bytes | None
    text: str | None
    json: Any

    def body_differs(self, message: Any) -> str:
        """Return the first of headers and body that differs, in words; "" if none does."""
        for name, value in self.headers.fields:
            found = message.headers.all(name)
            if value not in found and message.headers.get(name) != value:
                has = f"it has {name}: {', '.join(found)}, expected {name}: {value}"
                return has if found else f"there is no {name}"
        try:
            for name in self.given():
                content = message.json() if name == "json" else getattr(message, name)
                if content != getattr(self, name):
                    return f"{name} is {_shown(content)}, expected {_shown(getattr(self, name))}"
        except DecodeError as error:
            return error.reason
        return ""

    def given(self) -> list[str]:
        """Return the names of the forms of the body that it has."""
        unsaid = {"body": None, "text": None, "json": UNSAID}
        return [name for name, value in unsaid.items() if getattr(self, name) is not value]

    def content(self) -> tuple[bytes, str]:
        """Return the body to send, and its Content-Type."""
        if self.json is not UNSAID:
            return json_of.dumps(self.json).encode(), "application/json"
        if self.text is not None:
            return self.text.encode(), "text/plain; charset=utf-8"
        return self.body or b"", ""

    def code(self, *words: str) -> str:
        """Return the arguments that make it."""
        names = [*(["headers"] if self.headers else []), *self.given()]
        return ", ".join([*words, *(f"{name}={getattr(self, name)!r}" for name in names)])


@dataclass(frozen=True, slots=True, repr=False)
class RequestPattern(HTTPPattern):
    """Matches requests, and is sent as one; see `request()`."""

    is_reply = False
    method: str | None
    path: str | re.Pattern[str] | None
    query: tuple[tuple[str, str], ...]

    def matches(self, message: HTTPRequest) -> bool:
        """Return whether a request is such a one."""
        return self._is_there(message) and not self.why_differs(message)

    def why_differs(self, message: HTTPRequest) -> str:
        """Return what differs beside the method and the path, which the line of the request shows."""
        if not self._is_there(message):
            return ""
        for name, value in self.query:
            if value not in message.query_all(name):
                return f"{name} of the query is {message.query.get(name)!r}, expected {value!r}"
        return self.body_differs(message)

    def _is_there(self, message: HTTPRequest) -> bool:
        if self.method not in (None, message.method):
            return False
        path = self.path
        if isinstance(path, re.Pattern):
            return path.fullmatch(message.path) is not None
        return path is None or path == (message.target if "?" in path else message.path)

    @property
    def message(self) -> HTTPRequest:
        """The request to send: with Host and Content-Length, unless they are given. Raises UsageError."""
        if self.method is None or not isinstance(self.path, str):
            raise UsageError(f"{self!r} can't be sent: a request has a method and a path")
        body, kind = self.content()
        more = [("Host", "localhost")]
        if self.given() or self.method in ("POST", "PUT", "PATCH"):
            more += [("Content-Type", kind)] * bool(kind) + [("Content-Length", str(len(body)))]
        query = urlencode(self.query)
        target = f"{self.path}{('&' if '?' in self.path else '?') + query if query else ''}"
        return HTTPRequest(self.method, target, headers=_with_more(self.headers, more), body=body)

    def __bytes__(self) -> bytes:
        return bytes(self.message)

    def __repr__(self) -> str:
        shown = "" if self.path is None else repr(self.path)
        more = [f"query={_fields(self.query)!r}"] if self.query else []
        if self.method in ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"):
            return f"http.{self.method.lower()}({self.code(*([shown] if shown else []), *more)})"
        named = [f"method={self.method!r}"] if self.method is not None else []
        return f"http.request({self.code(*named, *([f'path={shown}'] if shown else []), *more)})"


@dataclass(frozen=True, slots=True, repr=False)
class ResponsePattern(HTTPPattern):
    """Matches responses, is sent as one, and answers requests; see `response()`."""

    is_reply = True
    status: int | None
    chunks: tuple[bytes, ...] | None
    trailers: Headers
    reason: str | None

    def matches(self, message: HTTPResponse) -> bool:
        """Return whether a response is such a one."""
        return self.status in (None, message.status) and not self.why_differs(message)

    def why_differs(self, message: HTTPResponse) -> str:
        """Return what differs beside the status, which the line of the response shows."""
        if self.status not in (None, message.status):
            return ""
        if self.chunks is not None and message.body != b"".join(self.chunks):
            return f"body is {message.body!r}, expected {b''.join(self.chunks)!r}"
        if self.trailers and self.trailers != message.trailers:
            return f"trailers are {message.trailers!r}, expected {self.trailers!r}"
        return self.body_differs(message)

    @property
    def message(self) -> HTTPResponse:
        """The response to send: with the size of its body, unless that is given. Raises UsageError."""
        if self.status is None:
            raise UsageError(f"{self!r} can't be sent: a response has a status")
        body, kind = self.content()
        more = [("Content-Type", kind)] if kind else []
        sizes = None
        if self.chunks is not None:
            body = b"".join(self.chunks)
            sizes = tuple(map(len, self.chunks))
            more.append(("Transfer-Encoding", "chunked"))
        elif has_size(self.status) and "transfer-encoding" not in self.headers:
            more.append(("Content-Length", str(len(body))))
        return HTTPResponse(
            self.status, headers=_with_more(self.headers, more), body=body, chunks=sizes, trailers=self.trailers,
            reason=self.reason,
        )  # fmt: skip

    def as_answer(self) -> ResponseAnswer:
        """Return what answers requests with it."""
        return ResponseAnswer(self.message, repr(self))

    def __bytes__(self) -> bytes:
        return bytes(self.message)

    def __repr__(self) -> str:
        words = [] if self.status is None else [repr(self.status)]
        words += [] if self.chunks is None else [f"chunks={list(self.chunks)!r}"]
        words += [f"trailers={self.trailers!r}"] if self.trailers else []
        words += [] if self.reason is None else [f"reason={self.reason!r}"]
        return f"http.response({self.code(*words)})"


def _fields(query: tuple[tuple[str, str], ...]) -> dict[str, str | list[str]]:
    """Return the fields of a query by their names; of one that repeats the list."""
    names = dict.fromkeys(name for name, _ in query)
    found = {name: [value for each, value in query if each == name] for name in names}
    return {name: values[0] if len(values) == 1 else values for name, values in found.items()}


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= SHOWN else f"{shown[:SHOWN]}..."


def _with_more(given: Headers, more: list[tuple[str, str]]) -> Headers:
    """Return the headers that are given, and those of `more` whose names are not."""
    return Headers((*given.fields, *((name, value) for name, value in more if name not in given)))
