"""Who may talk, by user and group, as the kernel knows them."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest

from tests.harness.helpers import connect, on_every_concurrency, rest_of
from tests.security.helpers import Echo, wait_for_end
from windsock import Ending, UsageError, combine, serving
from windsock.security import PeerCredentials, PeerCredentialsMixIn, TLSMixIn
from windsock.servers import BaseRequestHandler, ThreadingMixIn, ThreadingTCPServer, UnixStreamServer

pytestmark = pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="needs SO_PEERCRED")


def guarded(concurrency: str = "threading", **who: Any) -> type[Any]:
    made = combine(transport="unix_stream", concurrency=concurrency, mixins=[PeerCredentialsMixIn])
    return type("Guarded", (made,), who)


@on_every_concurrency
def test_a_user_who_is_not_allowed_is_refused(concurrency: str) -> None:
    with serving(guarded(concurrency, allowed_uids=[os.getuid() + 1]), Echo) as server:
        with connect(server) as client:
            assert rest_of(client) == b""
        wait_for_end(server)

    assert server.connections[0].ending == Ending.REFUSED
    assert server.connections[0].refused == f"process {os.getpid()} has uid {os.getuid()}, not allowed"


@pytest.mark.parametrize(
    ("who", "is_allowed"),
    [
        ({}, True),
        ({"allowed_uids": [os.getuid()]}, True),
        ({"allowed_gids": {os.getgid()}}, True),
        ({"allowed_gids": {os.getgid() + 1}}, False),
        ({"allowed_uids": [os.getuid()], "allowed_gids": []}, False),
        ({"allowed_uids": []}, False),
    ],
)
def test_both_user_and_group_must_fit(who: dict[str, Any], is_allowed: bool) -> None:
    with serving(guarded(**who), Echo) as server, connect(server) as client:
        if is_allowed:
            client.sendall(b"hello")
            assert client.recv(5) == b"hello"
        else:
            assert rest_of(client) == b""


class TellsWho(BaseRequestHandler):
    def handle(self) -> None:
        self.request.sendall(repr(self.server.peer_credentials(self.request)).encode())


@on_every_concurrency
def test_a_handler_can_ask_who_it_is(concurrency: str) -> None:
    with serving(guarded(concurrency), TellsWho) as server, connect(server) as client:
        assert rest_of(client).decode() == repr(PeerCredentials(os.getpid(), os.getuid(), os.getgid()))


def test_it_goes_together_with_tls() -> None:
    class Guarded(TLSMixIn, PeerCredentialsMixIn, ThreadingMixIn, UnixStreamServer):
        pass

    with serving(Guarded, TellsWho, tls=True) as server, connect(server) as raw:
        context = server.client_context()
        with context.wrap_socket(raw, server_hostname="localhost") as client:
            assert f"pid={os.getpid()}".encode() in client.recv(1000)


def test_a_tcp_client_is_nobody_the_kernel_knows() -> None:
    class Guarded(PeerCredentialsMixIn, ThreadingTCPServer):
        pass

    with serving(Guarded, Echo) as server:
        with connect(server) as client:
            assert rest_of(client) == b""
        (error,) = server.errors.take()

    assert isinstance(error, UsageError)
    assert str(error).startswith("peer_credentials(): <")
    assert str(error).endswith("> is no Unix stream socket, whose client the kernel knows")
