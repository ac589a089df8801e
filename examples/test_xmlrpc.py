"""XML-RPC: `xmlrpc.client` calls functions on the standard library's handler, on a server class of our own."""

from __future__ import annotations

import xmlrpc.client
from typing import Any
from xmlrpc.server import SimpleXMLRPCDispatcher, SimpleXMLRPCRequestHandler

import pytest

from pytest_windsock import Serve
from windsock.servers import ThreadingTCPServer


class Handler(SimpleXMLRPCRequestHandler):
    rpc_paths = ("/RPC2",)


class WeatherServer(ThreadingTCPServer, SimpleXMLRPCDispatcher):
    logRequests = False  # noqa: N815  # the handler's name for it

    def __init__(self, *args: Any, **options: Any) -> None:
        SimpleXMLRPCDispatcher.__init__(self)
        self.register_function(wind)
        super().__init__(*args, **options)


def wind(place: Any) -> Any:
    if place != "harbour":
        raise ValueError(f"no windsock at the {place}")
    return {"from": "NW", "knots": 5}


def test_a_function_is_called(serve: Serve) -> None:
    server = serve(WeatherServer, Handler)

    with xmlrpc.client.ServerProxy(f"http://{server.host}:{server.port}/RPC2") as fault_set:
        answer = fault_set.wind("harbour")

    assert answer == {"from": "NW", "knots": 5}
    call = server.requests.only()
    assert call.data.startswith(b"POST /RPC2 HTTP/1.1\r\n")
    assert b"<methodName>wind</methodName>" in call.data


def test_an_exception_is_a_fault_of_the_call(serve: Serve) -> None:
    server = serve(WeatherServer, Handler)

    with (
        xmlrpc.client.ServerProxy(f"http://{server.host}:{server.port}/RPC2") as fault_set,
        pytest.raises(xmlrpc.client.Fault, match="no windsock at the airport"),
    ):
        fault_set.wind("airport")

    assert b"<fault>" in server.requests.only().reply
