"""HTTP/1.1: `http.get("/x")` matches requests, `http.response(200, json={...})` answers them. No I/O."""

from windsock.protocols.http.builders import delete, get, head, patch, post, put, request, response
from windsock.protocols.http.forms import RequestPattern, ResponsePattern
from windsock.protocols.http.headers import Headers
from windsock.protocols.http.messages import HTTPRequest, HTTPResponse
from windsock.protocols.http.protocol import PROTOCOL, HTTPProtocol

__all__ = [
    "PROTOCOL",
    "HTTPProtocol",
    "HTTPRequest",
    "HTTPResponse",
    "Headers",
    "RequestPattern",
    "ResponsePattern",
    "delete",
    "get",
    "head",
    "patch",
    "post",
    "put",
    "request",
    "response",
]
