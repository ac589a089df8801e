"""Servers for clients of HTTP, TLS, logging and redis: passwords, echoes, records, and a delay, each as a few rules."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import logging.handlers
import pickle
import re
import ssl
import threading
import urllib.error
import urllib.request
from typing import Any

import pytest

from pytest_windsock import Serve
from windsock import LengthPrefix, RunningServer, Script, faults
from windsock.protocols import redis

library = pytest.importorskip("redis")
mqtt = pytest.importorskip("paho.mqtt.client")

HEAD = b"\r\n\r\n"

# --- HTTP: a proxy that asks for a digest with a nonce of its own for each challenge, and a server with a password

FIELD = re.compile(rb'(\w+)="?([^",\r]*)')


@pytest.fixture
def digest_proxy(serve: Serve) -> RunningServer:
    server = serve(framing=HEAD)
    nonces: list[bytes] = []

    def answer(message: bytes) -> bytes:
        fields = dict(FIELD.findall(message.partition(b"Proxy-Authorization: Digest")[2].partition(b"\r")[0]))
        if nonces and fields.get(b"nonce") == nonces[-1] and fields[b"response"] == digest(fields):
            return b"HTTP/1.0 200 OK\r\n\r\nhere it is"
        nonces.append(b"%d" % len(nonces))
        challenge = b'Digest realm="TestRealm", qop="auth", nonce="%b"' % nonces[-1]
        return b"HTTP/1.0 407 Proxy Authentication Required\r\nProxy-Authenticate: %b\r\n\r\n" % challenge

    server.on(lambda message: True).reply_with(answer, end="close")
    return server


def digest(fields: dict[bytes, bytes]) -> bytes:
    """Return the response that RFC 2617 wants of tester, whose password is test123."""
    user, request = md5(b"tester:TestRealm:test123"), md5(b"GET:" + fields[b"uri"])
    return md5(b":".join([user, *(fields[name] for name in (b"nonce", b"nc", b"cnonce", b"qop")), request]))


def md5(data: bytes) -> bytes:
    return hashlib.md5(data).hexdigest().encode()


def fetch_through(proxy: RunningServer, password: str) -> Any:
    passwords = urllib.request.HTTPPasswordMgr()
    passwords.add_password("TestRealm", "http://wind.example/", "tester", password)
    handler = urllib.request.ProxyDigestAuthHandler(passwords)
    proxies = urllib.request.ProxyHandler({"http": f"http://127.0.0.1:{proxy.port}"})
    return urllib.request.build_opener(proxies, handler).open("http://wind.example/", timeout=5).read()


def test_a_proxy_asks_for_a_digest(digest_proxy: RunningServer) -> None:
    assert fetch_through(digest_proxy, "test123") == b"here it is"


def test_a_proxy_refuses_a_wrong_digest(digest_proxy: RunningServer) -> None:
    with pytest.raises(urllib.error.HTTPError, match="digest auth failed"):
        fetch_through(digest_proxy, "wrong")


@pytest.fixture
def basic_server(serve: Serve) -> RunningServer:
    server = serve(framing=HEAD)
    server.on(re.compile(b"Authorization: Basic dGVzdFVzZXI6dGVzdFBhc3M=")).reply(
        b"HTTP/1.0 200 OK\r\n\r\nhi", end="close"
    )
    refused = b'HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm="Test"\r\n\r\n'
    server.on(lambda message: True).reply(refused, end="close")
    return server


def test_a_server_asks_for_a_password(basic_server: RunningServer) -> None:
    handler, url = urllib.request.HTTPBasicAuthHandler(), f"http://127.0.0.1:{basic_server.port}/"
    handler.add_password("Test", url, "testUser", "testPass")
    assert urllib.request.build_opener(handler).open(url, timeout=5).read() == b"hi"


# --- HTTP: a fixed text for each of some requests, which are kept


def test_a_text_is_the_response_to_two_requests(serve: Serve) -> None:
    server = serve(framing=HEAD)
    server.reply(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", times=2, end="close")

    for path in ("one", "two"):
        assert urllib.request.urlopen(f"http://127.0.0.1:{server.port}/{path}", timeout=5).read() == b""
    assert [each.data.split()[1] for each in server.requests] == [b"/one", b"/two"]


# --- an echo that begins when the client has said QUIT, and the test allows it, in pieces of one size


@pytest.mark.parametrize("size", [1, 5])
def test_an_echo_comes_in_pieces(serve: Serve, size: int) -> None:
    go_on = threading.Event()
    server = serve(framing=b"QUIT\n")
    server.on(lambda message: True).reply_with(
        lambda message: Script().wait_for(go_on).send(pieces(message[:-5], size)).close()
    )

    with server.connect() as client:
        client.send(b"hello\nworld\nQUIT\n").expect_silence(0.01)
        go_on.set()
        client.expect(b"hello\nworld\n").expect_eof()


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


# --- TLS: an echo in small letters


@pytest.mark.windsock(tls=True, framing="lines")
def test_an_echo_in_small_letters(tcp_server: RunningServer) -> None:
    tcp_server.on(lambda message: True).reply_with(bytes.lower)

    with tcp_server.connect() as client:
        client.send(b"HELLO\nWORLD\n").expect(b"hello\nworld\n")


# --- logging: records over TCP, each behind its length, and over UDP


@pytest.mark.windsock(framing=LengthPrefix(4))
def test_records_arrive_over_a_stream(tcp_server: RunningServer, unix_stream_server: RunningServer) -> None:
    for server, host, port in [(tcp_server, *tcp_server.address), (unix_stream_server, unix_stream_server.path, None)]:
        log_with(logging.handlers.SocketHandler(host, port))
        assert records_of(server) == ["spam", "eggs"]


def test_records_arrive_in_datagrams(udp_server: RunningServer) -> None:
    log_with(logging.handlers.DatagramHandler(*udp_server.address))
    assert records_of(udp_server) == ["spam", "eggs"]


def log_with(handler: logging.Handler) -> None:
    logger = logging.Logger("wind")
    logger.addHandler(handler)
    logger.error("spam")
    logger.debug("eggs")
    handler.close()


def records_of(server: RunningServer) -> list[str]:
    return [pickle.loads(each.data[4:])["msg"] for each in server.requests.wait(2)]


# --- redis: a line that delays, while a command is cancelled


@pytest.mark.windsock(framing="redis", relay=True)
def test_a_late_reply_is_not_that_of_the_command_after_a_cancelled_one(tcp_server: RunningServer) -> None:
    redis.store(tcp_server, {"foo": "foo", "bar": "bar"})

    async def cancel_one() -> Any:
        async with library.asyncio.Redis(
            host=tcp_server.host, port=tcp_server.port, single_connection_client=True
        ) as client:
            await client.get("bar")
            count = len(tcp_server.requests)
            with tcp_server.fault(faults.Delay(5), direction="downstream", allow_unfired=True):
                command = asyncio.create_task(client.get("foo"))
                await tcp_server.requests.wait_async(count + 1)
                command.cancel()
                await asyncio.wait([command])
            return await client.get("bar")

    assert asyncio.run(cancel_one()) == b"bar"


# --- redis: a connection that names itself, in the clear and over TLS


def name_yourself(kind: str, **options: Any) -> None:
    connection = getattr(library, kind)(**options, client_name="wind", driver_info=None, protocol=3)
    connection.connect()
    connection.disconnect()


def answer_names(server: RunningServer) -> None:
    server.on(redis.command("HELLO")).reply(redis.map({"proto": 3}))
    server.on(redis.command("CLIENT", "SETNAME", "wind")).reply(redis.ok())


@pytest.mark.windsock(framing="redis")
def test_a_connection_names_itself(tcp_server: RunningServer, unix_stream_server: RunningServer) -> None:
    answer_names(tcp_server)
    answer_names(unix_stream_server)

    name_yourself("Connection", host=tcp_server.host, port=tcp_server.port)
    name_yourself("UnixDomainSocketConnection", path=unix_stream_server.path)


@pytest.mark.windsock(framing="redis", tls=True)
def test_a_connection_names_itself_over_tls(tcp_server: RunningServer) -> None:
    answer_names(tcp_server)
    trust = tcp_server.ca.cert_pem.bytes().decode()

    name_yourself("SSLConnection", host=tcp_server.host, port=tcp_server.port, ssl_ca_data=trust)


@pytest.mark.windsock(framing="redis", tls=True, maximum_version="TLSv1.2", strict=False)
def test_a_connection_that_wants_a_later_tls_fails(tcp_server: RunningServer) -> None:
    options = {"ssl_ca_data": tcp_server.ca.cert_pem.bytes().decode(), "ssl_min_version": ssl.TLSVersion.TLSv1_3}

    with pytest.raises(library.ConnectionError, match=r"(?i)version"):
        name_yourself("SSLConnection", host=tcp_server.host, port=tcp_server.port, **options)


# --- MQTT: a broker in the hand of the test


@pytest.mark.windsock(accept=True)
def test_a_client_connects_and_leaves(tcp_server: RunningServer) -> None:
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "wind")
    client.on_connect = lambda *args: client.disconnect()
    client.connect_async(tcp_server.host, tcp_server.port)
    client.loop_start()

    try:
        with tcp_server.accept() as broker:
            broker.expect(b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04wind").send(b"\x20\x02\x00\x00")
            broker.expect(b"\xe0\x00").expect_eof()
    finally:
        client.loop_stop()
