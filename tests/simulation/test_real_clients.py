"""Clients that know nothing of windsock, on the kernel's network and in a world, by one switch."""

from __future__ import annotations

import asyncio
import http.client
import http.server
import logging.handlers
import pickle
import queue
import smtplib
import socket
import socketserver
import struct
import threading
import time
import xmlrpc.client
import xmlrpc.server
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import paho.mqtt.client as paho
import pytest
import redis as redis_client
import redis.asyncio as redis_asyncio
import trio
import urllib3
from paho.mqtt.enums import CallbackAPIVersion

from pytest_windsock import Serve
from windsock import faults
from windsock.protocols import mqtt, redis, smtp

pytestmark = pytest.mark.parametrize(
    "pause",
    [
        pytest.param(0.001, id="kernel"),
        pytest.param(30.0, id="world", marks=pytest.mark.windsock(simulated=True)),
    ],
)
"""Seconds that pass now and then: in a world they cost nothing."""


class Unavailable(http.server.BaseHTTPRequestHandler):
    """Answers 503 three times, then 200."""

    calls: int

    def do_GET(self) -> None:
        type(self).calls += 1
        self.send_response(503 if self.calls < 4 else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *arguments: object) -> None:
        pass


def handler() -> type[Unavailable]:
    return type("Handler", (Unavailable,), {"calls": 0, "protocol_version": "HTTP/1.1"})


def test_urllib3_backs_off(serve: Serve, pause: float) -> None:
    server = serve(handler())
    retries = urllib3.Retry(9, backoff_factor=pause, status_forcelist=[503])

    with urllib3.PoolManager(retries=retries) as pool:
        before = time.monotonic()
        response = pool.request("GET", f"http://{server.host}:{server.port}/", timeout=99)

    assert (response.status, response.data) == (200, b"ok")
    assert time.monotonic() - before >= 6 * pause


def test_http_client_keeps_its_connection(serve: Serve, pause: float) -> None:
    server = serve(handler())
    client = http.client.HTTPConnection(server.host, server.port, timeout=99)
    seen = []
    for _ in range(4):
        client.request("GET", "/")
        with client.getresponse() as response:
            seen.append((response.status, response.read()))
        time.sleep(pause)
    client.close()

    assert seen == [(503, b"ok")] * 3 + [(200, b"ok")]
    assert len(server.connections) == 1


def test_redis_py(serve: Serve, pause: float) -> None:
    server = serve(framing="redis", faults=[faults.Delay(pause)])
    redis.store(server)

    with redis_client.Redis(server.host, server.port, socket_timeout=999, decode_responses=True) as client:
        client.set("wind", "NW")
        assert client.get("wind") == "NW"


def test_asyncio_redis(serve: Serve, pause: float) -> None:
    server = serve(framing="redis", faults=[faults.Delay(pause)])
    redis.store(server)

    async def main() -> object:
        async with redis_asyncio.Redis(host=server.host, port=server.port, socket_timeout=999) as client:
            await client.set("wind", "NW")
            return await client.get("wind")

    assert asyncio.run(main()) == b"NW"


def test_smtplib(serve: Serve, pause: float) -> None:
    server = serve(framing="smtp", faults=[faults.Delay(pause)])
    session = smtp.session(server)

    with smtplib.SMTP(server.host, server.port, timeout=999) as client:
        client.sendmail("ann@example.com", ["bob@example.com"], "Subject: The wind\n\nNorthwest\n")

    assert session.mails[0].message["Subject"] == "The wind"


def test_smtplib_over_tls(serve: Serve, pause: float) -> None:
    server = serve(framing="smtp", tls="starttls")
    session = smtp.session(server, users={"me": "secret"}, starttls="required")

    with smtplib.SMTP("localhost", server.port, timeout=99) as client:
        client.starttls(context=server.client_context())
        time.sleep(pause)
        client.login("me", "secret")
        client.sendmail("ann@example.com", ["bob@example.com"], "Subject: The wind\n\nNorthwest\n")

    assert session.mails[0].is_encrypted


def test_paho(serve: Serve, pause: float) -> None:
    server = serve(framing="mqtt")
    broker = mqtt.broker(server)
    came: queue.Queue[bytes] = queue.Queue()
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="vane")
    client.on_message = lambda _client, _data, message: came.put(bytes(message.payload))
    client.on_subscribe = lambda *_: came.put(b"subscribed")
    client.connect(server.host, server.port)
    client.loop_start()
    client.subscribe("wind")

    assert came.get(timeout=50) == b"subscribed"
    time.sleep(pause)
    broker.publish("wind", b"NW")
    assert came.get(timeout=50) == b"NW"
    client.disconnect()
    client.loop_stop()


def test_xmlrpc(pause: float) -> None:
    def wind() -> str:
        time.sleep(pause)
        return "NW"

    class Server(socketserver.ThreadingMixIn, xmlrpc.server.SimpleXMLRPCServer):
        pass

    with Server(("127.0.0.1", 0), logRequests=False) as server:
        server.register_function(wind, "wind")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        with xmlrpc.client.ServerProxy(f"http://127.0.0.1:{server.server_address[1]}") as proxy:
            assert proxy.wind() == "NW"
        server.shutdown()
        thread.join()


def test_a_socket_handler_of_logging(serve: Serve, pause: float) -> None:
    class Records(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            (length,) = struct.unpack(">L", self.rfile.read(4))
            records.put(pickle.loads(self.rfile.read(length))["msg"])

    records: queue.Queue[str] = queue.Queue()
    server = serve(Records)
    logger = logging.Logger("test")
    logger.addHandler(sender := logging.handlers.SocketHandler(server.host, server.port))
    time.sleep(pause)
    logger.warning("storm")

    assert records.get(timeout=50) == "storm"
    sender.close()


def test_asyncio_streams_and_threads(pause: float) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(pause)
        writer.write(await reader.readline())
        writer.close()
        await writer.wait_closed()

    async def main() -> bytes:
        async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
            writer.write(b"hello\n")
            received = await reader.read()
            writer.close()
            await writer.wait_closed()
            await asyncio.to_thread(time.sleep, pause)
            return received

    assert asyncio.run(main()) == b"hello\n"


def test_trio_streams(pause: float) -> None:
    async def echo(stream: trio.SocketStream) -> None:
        async for data in stream:
            await trio.sleep(pause)
            await stream.send_all(data)

    async def main() -> bytes:
        async with trio.open_nursery() as nursery:
            (listener,) = await nursery.start(partial(trio.serve_tcp, host="127.0.0.1"), echo, 0)
            async with await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1]) as stream:
                await stream.send_all(b"hello")
                received = await stream.receive_some()
            nursery.cancel_scope.cancel()
        return bytes(received)

    assert trio.run(main) == b"hello"


def test_a_pool_of_ten_clients(serve: Serve, pause: float) -> None:
    server = serve(framing="redis", faults=[faults.Delay(pause)])
    redis.store(server)

    def work(_number: int) -> bytes:
        with socket.create_connection(server.address, timeout=999) as sock:
            sock.sendall(b"INCR visits\r\n")
            return sock.recv(100)

    with ThreadPoolExecutor(10) as pool:
        replies = list(pool.map(work, range(10)))

    assert sorted(replies) == sorted(b":%d\r\n" % number for number in range(1, 11))
