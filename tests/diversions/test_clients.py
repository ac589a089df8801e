"""Clients that know a name only, and reach a fake by it."""

from __future__ import annotations

import asyncio
import http.client
import http.server
import smtplib
import socket
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
import trio
import urllib3

import windsock
from tests.support.handlers import EchoLines
from windsock.protocols.redis import store

WAIT = 5.0
LINE = b"hello\n"


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(params=["127.0.0.1", "::1"])
def echo(request: pytest.FixtureRequest) -> Iterator[windsock.RunningServer]:
    with windsock.serving(EchoLines, host=request.param) as server:
        yield server


def converse(sock: socket.socket) -> bytes:
    with sock:
        sock.settimeout(WAIT)
        sock.sendall(LINE)
        return sock.recv(100)


def by_create_connection() -> bytes:
    return converse(socket.create_connection(("api.example", 443), WAIT))


def by_getaddrinfo() -> bytes:
    family, kind, proto, _, address = socket.getaddrinfo("api.example", "https", type=socket.SOCK_STREAM)[0]
    sock = socket.socket(family, kind, proto)
    sock.connect(address)
    return converse(sock)


def by_name_over_ipv6() -> bytes:
    sock = socket.socket(socket.AF_INET6)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.connect(("api.example", 443))
    return converse(sock)


def by_getaddrinfo_for_ipv6() -> bytes:
    found = socket.getaddrinfo("API.example.", 443, socket.AF_INET6, socket.SOCK_STREAM)
    sock = socket.socket(socket.AF_INET6)
    assert sock.connect_ex(found[0][4]) == 0
    return converse(sock)


def by_asyncio(**options: Any) -> bytes:
    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection("api.example", 443, **options)
        writer.write(LINE)
        answer = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return answer

    return asyncio.run(ask())


def by_happy_eyeballs() -> bytes:
    return by_asyncio(happy_eyeballs_delay=0.25)


def by_a_socket_of_asyncio() -> bytes:
    async def ask() -> bytes:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET6) as sock:
            sock.setblocking(False)
            await loop.sock_connect(sock, ("api.example", 443))
            await loop.sock_sendall(sock, LINE)
            return await loop.sock_recv(sock, 100)

    return asyncio.run(ask())


class InThisThread(trio.abc.HostnameResolver):
    """Looks names up as trio does, but not in a thread, which trio would keep for ten seconds."""

    async def getaddrinfo(self, *what: Any) -> Any:
        await trio.lowlevel.checkpoint()
        return socket.getaddrinfo(*what)

    async def getnameinfo(self, *what: Any) -> Any:
        raise NotImplementedError


def by_trio() -> bytes:
    async def ask() -> bytes:
        trio.socket.set_custom_hostname_resolver(InThisThread())
        async with await trio.open_tcp_stream("api.example", 443) as stream:
            await stream.send_all(LINE)
            return bytes(await stream.receive_some())

    return trio.run(ask)


def by_a_socket_of_trio() -> bytes:
    async def ask() -> bytes:
        trio.socket.set_custom_hostname_resolver(InThisThread())
        with trio.socket.socket(trio.socket.AF_INET6) as sock:
            await sock.connect(("api.example", 443))
            await sock.send(LINE)
            return await sock.recv(100)

    return trio.run(ask)


WAYS: list[Callable[[], bytes]] = [
    by_create_connection,
    by_getaddrinfo,
    by_name_over_ipv6,
    by_getaddrinfo_for_ipv6,
    by_asyncio,
    by_happy_eyeballs,
    by_a_socket_of_asyncio,
    by_trio,
    by_a_socket_of_trio,
]


@pytest.mark.parametrize("others", ["allow", "refuse"])
@pytest.mark.parametrize("way", WAYS)
def test_a_client_reaches_the_fake_by_name(way: Callable[[], bytes], others: Any, echo: Any) -> None:
    with windsock.divert({"api.example:443": echo}, others=others):
        assert way() == LINE

    assert echo.requests.only().data == LINE


@pytest.mark.parametrize("concurrency", ["sync", "threading", "forking", "selecting", "trio"])
@pytest.mark.parametrize("way", [by_create_connection, by_asyncio, by_trio])
def test_every_kind_of_server_is_reached(way: Callable[[], bytes], concurrency: str, serve: Any) -> None:
    server = serve(EchoLines, concurrency=concurrency)

    with windsock.divert({"*.example": server}, others="refuse"):
        assert way() == LINE


def test_a_proxy_is_reached(tcp_server: windsock.RunningServer, fault_proxy: Any) -> None:
    tcp_server.echo()

    with windsock.divert({"api.example:443": fault_proxy(tcp_server.address)}):
        assert by_create_connection() == LINE


def test_an_address_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()

        with windsock.divert({"10.1.2.3:5432": address, "[2001:db8::5]": address}, others="refuse"):
            for there in (("10.1.2.3", 5432), ("::ffff:10.1.2.3", 5432), ("2001:db8::5", 1), address):
                with socket.create_connection(there, WAIT) as client:
                    assert client.getpeername()[1] == address[1]


def test_urllib_and_http_client(serve: Any) -> None:
    web = serve(Hello)

    with windsock.divert({"api.example:80": web, "api.example:8080": web}):
        with urllib.request.urlopen("http://api.example/", timeout=WAIT) as response:
            assert response.read() == b"hello"
        connection = http.client.HTTPConnection("api.example", 8080, timeout=WAIT)
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"hello"
        connection.close()

    assert b"Host: api.example\r\n" in web.requests[0].data
    assert b"Host: api.example:8080\r\n" in web.requests[1].data


def test_tls_checks_the_name_that_the_client_knows(serve: Any) -> None:
    web = serve(Hello, tls=True, certificate=["api.example"])
    context = ssl.create_default_context(cadata=web.ca.cert_pem.bytes().decode())

    with windsock.divert({"api.example:443": web}):
        with urllib.request.urlopen("https://api.example/", timeout=WAIT, context=context) as response:
            assert response.read() == b"hello"
        with context.wrap_socket(socket.socket(), server_hostname="api.example") as secure:
            secure.connect(("api.example", 443))
            assert secure.version() is not None


def test_urllib3(serve: Any) -> None:
    web = serve(Hello)

    with windsock.divert({"api.example": web}), urllib3.PoolManager(retries=False, timeout=WAIT) as pool:
        assert pool.request("GET", "http://api.example:8000/").data == b"hello"


def test_redis(serve: Any) -> None:
    server = serve(framing="redis")
    store(server)

    with windsock.divert({"cache.example:6379": server}), redis.Redis("cache.example") as client:
        client.set("key", "value")
        assert client.get("key") == b"value"


def test_smtplib_finds_the_name_of_its_own_machine(tcp_server: windsock.RunningServer) -> None:
    tcp_server.play(windsock.Script().send(b"220 hi\r\n").expect(b"quit\r\n").send(b"221 bye\r\n"))

    with windsock.divert({"mail.example:25": tcp_server}, others="refuse"):
        client = smtplib.SMTP("mail.example", 25, timeout=WAIT)
        assert client.quit() == (221, b"bye")


def test_getpeername_is_the_address_of_the_fake(tcp_server: windsock.RunningServer) -> None:
    diversion = windsock.divert({"api.example:443": tcp_server})

    with diversion, socket.create_connection(("api.example", 443), WAIT) as client:
        assert client.getpeername() == tcp_server.address


def test_a_fake_that_is_stopped_meanwhile_refuses(tcp_server: windsock.RunningServer) -> None:
    with windsock.divert({"api.example:443": tcp_server}, others="refuse"):
        tcp_server.stop()

        with pytest.raises(ConnectionRefusedError) as caught:
            by_create_connection()

    assert not isinstance(caught.value, windsock.NotDiverted)


def test_lookups_of_a_diverted_name_and_back(tcp_server: windsock.RunningServer) -> None:
    with windsock.divert({"api.example:443": tcp_server}):
        address = socket.gethostbyname("api.example")

        assert socket.gethostbyname_ex("api.example") == ("api.example", [], [address])
        assert socket.gethostbyaddr(address) == ("api.example", [], [address])
        assert socket.getnameinfo((address, 443), socket.NI_NUMERICSERV) == ("api.example", "443")
        assert socket.getnameinfo((address, 443), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV) == (address, "443")
        canonical = socket.getaddrinfo("api.example", 443, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME)
        assert canonical[0][3:] == ("api.example", (address, 443))


def test_a_name_that_leads_to_ipv6_alone_has_no_ipv4_address() -> None:
    with windsock.serving(host="::1") as server, windsock.divert({"api.example:443": server}):
        with pytest.raises(socket.gaierror, match="is diverted to a server without"):
            socket.gethostbyname("api.example")
        with socket.socket() as client, pytest.raises(socket.gaierror, match="a socket for IPv4 cannot reach"):
            client.connect(("api.example", 443))


def test_each_name_and_port_leads_to_its_own_server(serve: Any) -> None:
    servers = {
        key: serve(name=key, strict=False)
        for key in ("a.example:1", "a.example", "*.a.example:1", "*.example:1", "*.example", "xn--bcher-kva.example:1")
    }
    asked = {
        ("a.example", 1): "a.example:1",
        ("A.EXAMPLE", 2): "a.example",
        ("b.a.example", 1): "*.a.example:1",
        ("c.b.a.example", 1): "*.a.example:1",
        ("b.a.example", 2): "*.example",
        ("b.example", 1): "*.example:1",
        ("b\u00fccher.example", 1): "xn--bcher-kva.example:1",
    }

    with windsock.divert(servers, others="refuse"):
        found = {}
        for address in asked:
            with socket.create_connection(address, WAIT) as client:
                found[address] = next(key for key, each in servers.items() if each.address == client.getpeername())

    assert found == asked
