"""Answers to requests: a response without its body for HEAD, and the end of the connection where HTTP has it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from windsock.protocols.http.headers import Headers
from windsock.protocols.http.messages import HTTPResponse
from windsock.protocols.http.wire import head_of
from windsock.protocols.values import MessageAnswer

__all__ = ["ResponseAnswer", "has_size"]

CONNECTION = re.compile(rb"\nconnection:([^\r\n]*)", re.IGNORECASE)
OLD = re.compile(rb" HTTP/1\.0\r?\n")


@dataclass(frozen=True, slots=True, repr=False)
class ResponseAnswer(MessageAnswer):
    """A response to any request; see `response()`. `code` makes it."""

    message: HTTPResponse
    code: str = field(compare=False)
    _whole: bytes = field(init=False, compare=False)
    _head: bytes = field(init=False, compare=False)
    _ends: bool = field(init=False, compare=False)

    def __post_init__(self) -> None:
        whole = bytes(self.message)
        object.__setattr__(self, "_whole", whole)
        object.__setattr__(self, "_head", head_of(whole))
        object.__setattr__(self, "_ends", _always_ends(self.message))

    def __call__(self, message: bytes) -> bytes:
        """Return the response to a request."""
        start = message[:10].lstrip(b"\r\n")
        if start.startswith(b"HEAD "):
            return self._head
        is_tunnel = start.startswith(b"CONNECT ") and 200 <= self.message.status < 300
        return bytes(_without_size(self.message)) if is_tunnel else self._whole

    def ends(self, message: bytes) -> bool:
        """Return whether the connection ends after the response: one of the two says so, or there is no size."""
        head = head_of(message) or b""
        words = {word.strip().lower() for each in CONNECTION.findall(head) for word in each.split(b",")}
        is_old = OLD.search(head) is not None
        return self._ends or b"close" in words or (is_old and b"keep-alive" not in words)

    def __repr__(self) -> str:
        return self.code


def has_size(status: int) -> bool:
    """Return whether responses of this status have a body."""
    return status >= 200 and status not in (204, 304)


def _always_ends(message: HTTPResponse) -> bool:
    says_size = message.chunks is not None or "content-length" in message.headers
    return "close" in message.headers.words("connection") or (has_size(message.status) and not says_size)


def _without_size(message: HTTPResponse) -> HTTPResponse:
    """Return a response to CONNECT: the tunnel begins behind its head."""
    return HTTPResponse(
        message.status,
        headers=Headers(each for each in message.headers.fields if each[0].lower() != "content-length"),
        reason=message.reason,
    )
