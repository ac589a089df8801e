"""Requests and responses of HTTP/1.1 as values, which are encoded to just what they have."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from windsock.errors import UsageError
from windsock.protocols.errors import DecodeError
from windsock.protocols.http.headers import Headers, HeadersLike, as_headers

__all__ = ["HTTPMessage", "HTTPRequest", "HTTPResponse", "reason_of"]

VERSION = "HTTP/1.1"
DEFAULTS: dict[str, Any] = {
    "headers": Headers(), "body": b"", "chunks": None, "trailers": Headers(), "version": VERSION,
}  # fmt: skip


@dataclass(frozen=True, slots=True, init=False, repr=False)
class HTTPMessage:
    """What requests and responses have in common.

    `body` is without the frames of chunks, whose sizes in bytes are `chunks`; None of a body that has none.
    """

    headers: Headers
    body: bytes
    chunks: tuple[int, ...] | None
    trailers: Headers
    version: str

    @property
    def text(self) -> str:
        """The body as text, in the charset of its Content-Type, or UTF-8. Raises DecodeError if it is none."""
        charset = self.headers.get("content-type", "").lower().partition("charset=")[2].split(";")[0].strip(' "')
        try:
            return self.body.decode(charset or "utf-8")
        except (LookupError, UnicodeError) as error:
            raise DecodeError(f"the body is no text: {error}", type="body", value=self.body) from None

    def json(self) -> Any:
        """Return the body as a value of JSON. Raises DecodeError if it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise DecodeError(f"the body is no JSON: {error}", type="body", value=self.body) from None

    def _set(self, **values: Any) -> None:
        where = f"http.{type(self).__name__}"
        for name in ("headers", "trailers"):
            values[name] = as_headers(where, values[name])
        if not isinstance(values["body"], bytes):
            raise UsageError(f"{where}: body={values['body']!r}; expected bytes; http.response() takes text= and json=")
        if values["chunks"] is not None:
            values["chunks"] = tuple(values["chunks"])
            if sum(values["chunks"]) != len(values["body"]):
                raise UsageError(f"{where}: chunks={values['chunks']} of a body of {len(values['body'])} bytes")
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _encoded(self, start: str) -> bytes:
        head = f"{start}\r\n".encode("latin-1") + bytes(self.headers) + b"\r\n"
        if self.chunks is None:
            return head + self.body
        parts, at = [head], 0
        for size in self.chunks:
            parts.append(b"%x\r\n%b\r\n" % (size, self.body[at : at + size]))
            at += size
        return b"".join([*parts, b"0\r\n", bytes(self.trailers), b"\r\n"])

    def _with_size(self, words: str) -> str:
        return f"{words} ({len(self.body)} B)" if self.body else words

    def _code(self, *first: object) -> str:
        values = [repr(each) for each in first]
        more = ((each.name, getattr(self, each.name)) for each in fields(self) if each.name in (*DEFAULTS, "reason"))
        values += [f"{name}={value!r}" for name, value in more if value != self._default(name)]
        return f"http.{type(self).__name__}({', '.join(values)})"

    def _default(self, name: str) -> Any:
        return DEFAULTS[name]


@dataclass(frozen=True, slots=True, init=False, repr=False)
class HTTPRequest(HTTPMessage):
    """A request: `http.HTTPRequest("GET", "/x?a=1", headers={"Host": "example"})`; `http.get()` makes it too.

    It is sent as it is: nothing is added, such as a Content-Length.
    """

    method: str
    target: str

    def __init__(
        self,
        method: str,
        target: str,
        *,
        headers: HeadersLike = (),
        body: bytes = b"",
        chunks: Iterable[int] | None = None,
        trailers: HeadersLike = (),
        version: str = VERSION,
    ) -> None:
        self._set(
            headers=headers, body=body, chunks=chunks, trailers=trailers, version=version, method=method, target=target
        )

    @property
    def path(self) -> str:
        """The path of the target, without the query; also of the targets that proxies get."""
        if self.target.startswith("/"):
            return self.target.partition("?")[0]
        return _split(self.target)[0] or self.target

    @property
    def query(self) -> dict[str, str]:
        """The fields of the query; of one that repeats the last."""
        return dict(self._query())

    def query_all(self, name: str) -> list[str]:
        """Return each value of a field of the query, in their order."""
        return [value for each, value in self._query() if each == name]

    def _query(self) -> list[tuple[str, str]]:
        return parse_qsl(self.target.partition("?")[2], keep_blank_values=True)

    def __bytes__(self) -> bytes:
        return self._encoded(f"{self.method} {self.target} {self.version}")

    def __str__(self) -> str:
        return self._with_size(f"{self.method} {self.target}")

    def __repr__(self) -> str:
        return self._code(self.method, self.target)


@dataclass(frozen=True, slots=True, init=False, repr=False)
class HTTPResponse(HTTPMessage):
    """A response: `http.HTTPResponse(204)`. It is sent as it is; see `http.response()` for answers to requests."""

    status: int
    reason: str

    def __init__(
        self,
        status: int,
        *,
        headers: HeadersLike = (),
        body: bytes = b"",
        chunks: Iterable[int] | None = None,
        trailers: HeadersLike = (),
        version: str = VERSION,
        reason: str | None = None,
    ) -> None:
        reason = reason_of(status) if reason is None else reason
        self._set(
            headers=headers, body=body, chunks=chunks, trailers=trailers, version=version, status=status, reason=reason
        )

    def __bytes__(self) -> bytes:
        return self._encoded(f"{self.version} {self.status:03} {self.reason}")

    def __str__(self) -> str:
        return self._with_size(f"{self.status} {self.reason}".rstrip())

    def __repr__(self) -> str:
        return self._code(self.status)

    def _default(self, name: str) -> Any:
        return reason_of(self.status) if name == "reason" else DEFAULTS[name]


def reason_of(status: int) -> str:
    """Return the usual reason phrase of a status, "" of an unknown one."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _split(target: str) -> tuple[str, str]:
    try:
        parts = urlsplit(target)
    except ValueError:
        return "", ""
    return (parts.path, parts.query) if parts.scheme and parts.netloc else ("", "")
