"""Handlers of Sun RPC in the harness: served as any handler class, on every combination and by every way."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import pytest

from tests.support.rpc import PROGRAM, VERSION, Adder, AsyncAdder, adding, call, calling, sum_of
from tests.support.servers import connect, on_every_datagram_kind, on_every_kind, on_every_stream_kind
from tests.support.waiting import DEADLINE
from windsock import RunningServer, StartError, combine, proxy, serving
from windsock.errors import UsageError
from windsock.protocols import xdr
from windsock.protocols.portmap import PortmapProtocol
from windsock.protocols.rpc_messages import Accepted, AcceptStatus, Call
from windsock.servers import rpc
from windsock.servers.rpc import Portmapper, RegistrationFailed, RPCMixIn


def client_of(transport: str, address: Any) -> socket.socket:
    family = socket.AF_UNIX if transport.startswith("unix") else socket.AF_INET
    kind = socket.SOCK_DGRAM if transport in ("udp", "unix_datagram") else socket.SOCK_STREAM
    made = socket.socket(family, kind)
    made.settimeout(DEADLINE)
    if (family, kind) == (socket.AF_UNIX, socket.SOCK_DGRAM):
        made.bind("")
    made.connect(address)
    return made


def served(stack: contextlib.ExitStack, transport: str, concurrency: str, way: str) -> Any:
    """Serve the adder; return the address for its clients."""
    server = stack.enter_context(serving(Adder, transport=transport, concurrency=concurrency, relay=way == "relayed"))
    if way == "proxied":
        return stack.enter_context(proxy(server.address, transport=transport)).address
    return server.server.server_address


@pytest.mark.parametrize("way", ["direct", "relayed", "proxied"])
@on_every_kind
def test_an_rpc_handler_is_served_like_any_other(transport: str, concurrency: str, way: str) -> None:
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(client_of(transport, served(stack, transport, concurrency, way)))

        assert call(client, adding(1, 2)) == sum_of(3)
        assert call(client, Call(8, PROGRAM, VERSION)) == Accepted(8)


@pytest.mark.parametrize("way", ["direct", "relayed", "proxied"])
@on_every_datagram_kind
def test_a_call_of_60000_bytes_is_whole(transport: str, concurrency: str, way: str) -> None:
    data = xdr.OPAQUE.encode(bytes(60_000))
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(client_of(transport, served(stack, transport, concurrency, way)))

        assert call(client, calling(4, data)) == Accepted(7, result=data)


@pytest.mark.parametrize("transport", ["tcp", "udp", "unix_stream", "unix_datagram"])
def test_an_async_rpc_handler_is_served_by_trio(transport: str) -> None:
    with serving(AsyncAdder, transport=transport) as server, connect(server) as client:
        assert call(client, adding(1, 2)) == sum_of(3)


@on_every_stream_kind
def test_an_rpc_handler_speaks_tls(transport: str, concurrency: str) -> None:
    handlers = [Adder, AsyncAdder] if concurrency == "trio" else [Adder]
    for handler in handlers:
        with (
            serving(handler, transport=transport, concurrency=concurrency, tls=True) as server,
            connect(server) as plain,
            server.client_context().wrap_socket(plain, server_hostname="localhost") as client,
        ):
            assert call(client, adding(1, 2)) == sum_of(3)


@on_every_kind
def test_an_exception_of_a_procedure_fails_the_test_and_its_client_gets_a_system_error(
    transport: str, concurrency: str
) -> None:
    with (
        pytest.raises(ExceptionGroup) as found,
        serving(Adder, transport=transport, concurrency=concurrency) as server,
        connect(server) as client,
    ):
        assert call(client, calling(2)) == Accepted(7, AcceptStatus.SYSTEM_ERR)

    (error,) = found.value.exceptions
    assert type(error).__name__ == "ZeroDivisionError"


def test_an_error_is_there_as_soon_as_the_client_has_the_reply() -> None:
    with serving(Adder, strict=False) as server, connect(server) as client:
        call(client, calling(2))

        assert [type(each) for each in server.errors] == [ZeroDivisionError]


def test_an_async_procedure_on_another_server_says_what_to_do() -> None:
    with pytest.raises(UsageError, match="AsyncAdder is async, which needs concurrency='trio'"):
        serving(AsyncAdder, concurrency="threading")


@on_every_kind
def test_a_class_with_the_mixin_is_combined_and_served(transport: str, concurrency: str) -> None:
    kind = combine(transport=transport, concurrency=concurrency, mixins=[RPCMixIn])

    with serving(kind, Adder) as server, connect(server) as client:
        assert call(client, adding(4)) == sum_of(4)


def registered(server_class: Any, portmapper: RunningServer) -> Any:
    """Return a subclass that registers itself."""
    return type("Registered", (server_class,), {"portmapper": portmapper.address})


@pytest.mark.parametrize("way", ["tcp", "udp"])
def test_a_portmapper_is_a_server_like_any_other(way: str) -> None:
    kind = rpc.ThreadingRPCTCPServer if way == "tcp" else rpc.ThreadingRPCUDPServer
    with serving(Portmapper) as portmapper:
        with serving(registered(kind, portmapper), Adder) as server:
            found = portmapper.server.mappings[PROGRAM, VERSION, PortmapProtocol[way.upper()]]
            assert found.port == server.port
        assert [key for key in portmapper.server.mappings if key[0] == PROGRAM] == []


def test_a_registered_server_is_registered_again_after_an_outage() -> None:
    with (
        serving(Portmapper) as portmapper,
        serving(registered(rpc.ThreadingRPCTCPServer, portmapper), Adder) as server,
    ):
        with server.outage():
            pass
        assert (PROGRAM, VERSION, PortmapProtocol.TCP) in portmapper.server.mappings
        with connect(server) as client:
            assert call(client, adding(1)) == sum_of(1)


def test_a_server_that_cannot_be_registered_does_not_start_and_leaves_nothing() -> None:
    with serving(Portmapper) as portmapper:
        kind = registered(rpc.ThreadingRPCTCPServer, portmapper)
        with serving(kind, Adder), pytest.raises(RegistrationFailed, match="registered already"):
            serving(kind, Adder)


def test_a_port_in_use_is_still_a_start_error() -> None:
    with serving(Portmapper) as portmapper, pytest.raises(StartError, match="in use"):
        serving(Portmapper, port=portmapper.port)
