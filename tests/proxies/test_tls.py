"""TLS through a proxy, and TLS that ends there."""

from __future__ import annotations

import socket
import ssl
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support.carriers import Sender, connected, listening
from tests.support.servers import rest_of
from tests.support.waiting import DEADLINE, wait_until
from windsock.errors import UsageError
from windsock.faults.kinds.delay import Delay
from windsock.faults.kinds.reset import Reset
from windsock.proxies.proxy import FaultProxy
from windsock.security import certificates

pytest.importorskip("trustme")


def client_tls(sock: socket.socket) -> ssl.SSLSocket:
    return certificates.client_context(certificate=False).wrap_socket(sock, server_hostname="localhost")


def server_tls() -> ssl.SSLContext:
    """A server's context, with a certificate for localhost."""
    context = certificates.server_context(is_mutual=False)
    certificates.certificate("valid", ("localhost", "127.0.0.1")).configure_cert(context)
    return context


def contexts(where: str) -> dict[str, Any]:
    """What the proxy is told."""
    told: dict[str, Any] = {}
    if where in ("client", "both"):
        told["tls"] = server_tls()
    if where in ("upstream", "both"):
        told["upstream_tls"] = certificates.client_context(certificate=False)
        told["server_name"] = "localhost"
    return told


class Ends:
    """A client and a server that speak TLS where the proxy expects it."""

    def __init__(self, proxy: FaultProxy, listener: socket.socket, where: str) -> None:
        context = server_tls()  # here, so that one thread makes the authority
        self.client: Any = connected(socket.AF_INET, proxy.address)
        self.server: Any = None

        def serve() -> None:
            accepted, _ = listener.accept()
            accepted.settimeout(DEADLINE)
            if where in ("upstream", "both", "neither"):
                self.server = context.wrap_socket(accepted, server_side=True)
            else:
                self.server = accepted

        accepting = Doing(serve)
        if where in ("client", "both", "neither"):
            self.client = client_tls(self.client)
        accepting.wait()

    def __enter__(self) -> Ends:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.client.close()
        self.server.close()


class Doing(Sender):
    """Does something in the background."""

    def __init__(self, what: Any) -> None:
        self._what = what
        super().__init__(socket.socket(), b"")

    def run(self) -> None:
        self._socket.close()
        self._what()


@pytest.fixture(params=["neither", "client", "upstream", "both"])
def where(request: pytest.FixtureRequest) -> str:
    """Where the proxy itself speaks TLS."""
    return str(request.param)


def test_what_one_says_the_other_hears(where: str) -> None:
    with listening("tcp") as listener, FaultProxy(listener.getsockname(), **contexts(where)) as proxy:
        with Ends(proxy, listener, where) as ends:
            for number in range(20):
                ends.client.sendall(b"question %02d" % number)
                assert ends.server.recv(100) == b"question %02d" % number
                ends.server.sendall(b"answer %02d" % number)
                assert ends.client.recv(100) == b"answer %02d" % number
        if where != "neither":
            assert proxy.connections[0].upstream.startswith(b"question 00question 01")
            assert proxy.connections[0].downstream.endswith(b"answer 19")


def test_much_arrives_and_the_end_of_it(where: str) -> None:
    with listening("tcp") as listener, FaultProxy(listener.getsockname(), **contexts(where)) as proxy:
        proxy.fault(Delay(0.001))
        with Ends(proxy, listener, where) as ends:
            data = bytes(range(256)) * 4096 * 4

            def answer() -> None:
                ends.server.sendall(data)
                ends.server.shutdown(socket.SHUT_WR) if where == "client" else ends.server.unwrap()

            answering = Doing(answer)
            assert rest_of(ends.client) == data
            if where in ("client", "both", "neither"):
                ends.client.unwrap().close()
            else:
                ends.client.close()
            answering.wait()


def test_a_reset_is_a_reset_of_the_connection_below() -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(listening("tcp"))
        proxy = stack.enter_context(FaultProxy(listener.getsockname(), **contexts("both")))
        ends = stack.enter_context(Ends(proxy, listener, "both"))
        raw = stack.enter_context(socket.socket(fileno=ends.client.detach()))
        raw.settimeout(DEADLINE)
        proxy.fault(Reset())
        with pytest.raises(ConnectionResetError):
            rest_of(raw)


def test_what_became_of_the_clients_handshake_is_recorded() -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(listening("tcp"))
        proxy = stack.enter_context(FaultProxy(listener.getsockname(), **contexts("client")))
        stack.enter_context(Ends(proxy, listener, "client"))
        wait_until(lambda: proxy.connections[0].tls is not None)

        assert proxy.connections[0].tls is not None
        assert proxy.connections[0].tls.failure is None


def test_a_client_that_speaks_no_tls_is_recorded_as_such() -> None:
    with listening("tcp") as listener, FaultProxy(listener.getsockname(), **contexts("client")) as proxy:
        with connected(socket.AF_INET, proxy.address) as client:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            rest_of(client)
        assert proxy.connections[0].tls is not None
        assert proxy.connections[0].tls.failure is not None


def test_an_upstream_that_speaks_no_tls_turns_the_client_away() -> None:
    with listening("tcp") as listener, FaultProxy(listener.getsockname(), **contexts("upstream")) as proxy:
        with connected(socket.AF_INET, proxy.address) as client:
            server, _ = listener.accept()
            with server:
                server.sendall(b"220 hello\r\n")
                assert client.recv(1) == b""
        assert "no TLS with" in str(proxy.connections[0].refused)


def test_stopping_in_the_middle_of_a_handshake_does_not_take_long() -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(listening("tcp"))
        proxy = stack.enter_context(FaultProxy(listener.getsockname(), **contexts("client")))
        client = stack.enter_context(connected(socket.AF_INET, proxy.address))
        stack.enter_context(listener.accept()[0])
        proxy.stop()
        assert client.recv(1) == b""


def test_datagrams_know_no_tls() -> None:
    context = server_tls()
    with pytest.raises(UsageError, match="TLS is for streams"):
        FaultProxy(("127.0.0.1", 1), transport="udp", tls=context)
    with pytest.raises(UsageError, match="server_name='x'"):
        FaultProxy(("127.0.0.1", 1), server_name="x")


def test_the_end_of_tls_at_the_proxy_is_the_end_of_the_stream() -> None:
    with listening("tcp") as listener, FaultProxy(listener.getsockname(), **contexts("client")) as proxy:
        with Ends(proxy, listener, "client") as ends:
            ends.client.sendall(b"hello")
            unwrapping = Doing(ends.client.unwrap)
            assert rest_of(ends.server) == b"hello"
            ends.server.close()
            unwrapping.wait()
            wait_until(lambda: proxy.connections[0].is_closed)

        assert proxy.connections[0].upstream == b"hello"
        assert not proxy.connections[0].is_tls_truncated
