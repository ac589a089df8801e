"""Fakes of WebSocket: rules and answers, with a real client: over every stream, relayed, proxied, with TLS."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedError, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

from tests.support.servers import on_every_stream_kind
from tests.support.waiting import DEADLINE
from windsock import FramingError, Script, faults, proxy, serving
from windsock.protocols import DecodeError, http, websocket


@contextlib.contextmanager
def client_of(subject: Any, path: str = "/chat", **options: Any) -> Any:
    """Connect to a server or a proxy of any kind of stream."""
    address = subject.address
    sock = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    sock.settimeout(DEADLINE)
    sock.connect(address)
    more: dict[str, Any] = {"open_timeout": DEADLINE, "close_timeout": DEADLINE, "ping_interval": None, "proxy": None}
    scheme = "wss" if options.get("ssl") else "ws"
    with connect(f"{scheme}://localhost{path}", sock=sock, **more, **options) as client:
        yield client


def received(client: ClientConnection) -> str | bytes:
    return client.recv(timeout=DEADLINE)


@pytest.mark.parametrize("way", ["direct", "relayed", "proxied"])
@on_every_stream_kind
def test_a_client_talks_and_closes(transport: str, concurrency: str, way: str) -> None:
    options: dict[str, Any] = {"transport": transport, "framing": "websocket"}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serving(concurrency=concurrency, relay=way == "relayed", **options))
        websocket.session(server, "/chat", subprotocol="weather")
        server.on(websocket.text("wind?")).reply(websocket.text("NW", fragments=[1, 1]))
        server.on(websocket.binary()).reply(websocket.binary())
        subject: Any = server
        if way == "proxied":
            subject = stack.enter_context(proxy(server.address, **options))
        with client_of(subject, subprotocols=["weather"]) as client:
            assert client.subprotocol == "weather"
            client.send("wind?")
            assert received(client) == "NW"
            client.send([b"ab", b"c"])
            assert received(client) == b"abc"
            assert client.ping(b"x").wait(DEADLINE)
        assert client.close_code == 1000

        asked = subject.requests.wait(5)
        assert asked[0].message.headers["upgrade"] == "websocket"
        assert [str(each.message) for each in asked[1:]] == [
            "text 'wind?'", "binary (3 B)", "ping b'x'", "close 1000",
        ]  # fmt: skip
        assert asked[1].reply_message == websocket.WebSocketMessage("text", b"NW", fragments=(1, 1))
        assert all(each.message.mask is not None for each in asked[1:])


def test_a_client_over_tls_talks() -> None:
    with serving(framing="websocket", tls=True) as server:
        websocket.session(server)
        server.on(websocket.text()).reply(websocket.text())
        with client_of(server, ssl=server.client_context(), server_hostname="localhost") as client:
            client.send("grüße")
            assert received(client) == "grüße"


def test_a_handshake_is_refused() -> None:
    with serving(framing="websocket") as server:
        server.on(websocket.handshake()).reply(http.response(403, text="no"))
        with pytest.raises(InvalidHandshake, match="403"), client_of(server):
            pass


def test_a_wrong_key_is_an_error_of_the_client() -> None:
    with serving(framing="websocket") as server:
        server.on(websocket.handshake()).reply(websocket.accept(headers={"Sec-WebSocket-Accept": "x"}))
        with pytest.raises(InvalidHandshake, match="Sec-WebSocket-Accept"), client_of(server):
            pass


def test_a_server_sends_pings_and_closes_by_itself() -> None:
    with serving(framing="websocket") as server:
        server.on(websocket.close()).play(Script().close())
        websocket.session(server)
        server.on(websocket.text("go")).reply(bytes(websocket.ping(b"?")) + bytes(websocket.close(1001, "bye")))
        with client_of(server) as client:
            client.send("go")
            with pytest.raises(Exception, match=r"1001.*bye"):
                received(client)
        server.drain()

        assert [str(each.message) for each in server.requests[2:]] == ["pong b'?'", "close 1001 bye"]


def test_a_scripted_client_sends_masked_messages() -> None:
    with serving(framing="websocket") as server:
        websocket.session(server)
        server.on(websocket.text("hello")).reply(websocket.text("hi"))
        with server.connect() as client:
            client.send(websocket.handshake("/")).expect(until=b"\r\n\r\n")
            client.send(websocket.text("hello").masked(), pieces=5).expect(websocket.text("hi"))
            client.send(websocket.close(1000).masked()).expect(websocket.close(1000)).expect_eof()
        server.drain()

        steps = repr(server.connections[0].as_script())
        assert ".send(websocket.WebSocketMessage('text', b'hello', mask=b'mask'))" in steps
        assert ".expect(websocket.WebSocketMessage('text', b'hi'))" in steps


def test_a_near_miss_says_what_came() -> None:
    with serving(framing="websocket", strict=False) as server:
        server.on(websocket.text("a")).reply(websocket.text("b")).optional()
        websocket.session(server)
        with contextlib.suppress(ConnectionClosedError), client_of(server) as client:
            client.send("c")
            received(client)
        server.drain()

        assert "on(websocket.text('a')): it is text 'c'" in str(server.errors[0])


def test_a_fault_finds_a_message_of_the_server() -> None:
    with serving(framing="websocket") as server:
        fault = server.fault(faults.HalfClose(), direction="downstream", match=websocket.text("b"))
        websocket.session(server)
        server.on(websocket.text()).reply(websocket.text())
        with contextlib.suppress(ConnectionClosedError), client_of(server) as client:
            client.send("a")
            assert received(client) == "a"
            client.send("b")
            with pytest.raises(ConnectionClosedError):
                received(client)
        assert fault.fired == 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x81\x01\xff", "the text is no UTF-8"),
        (b"\x83\x00", "3 is no opcode"),
        (b"\xc1\x00", "reserved bits are set"),
    ],
)
def test_a_malformed_message_is_kept_with_the_reason(data: bytes, reason: str) -> None:
    with serving(framing="websocket") as server:
        websocket.session(server)
        server.reply(websocket.close(1002))
        with server.connect() as client:
            client.send(websocket.handshake("/")).expect(until=b"\r\n\r\n")
            client.send(data).expect(websocket.close(1002))

        request = server.requests.wait(2)[1]
        assert request.data == data
        with pytest.raises(DecodeError, match=reason):
            _ = request.message
        assert any("no WebSocket message (" in line and reason in line for line in server.transcript())


def test_bytes_that_begin_no_message_are_an_error_and_kept() -> None:
    data = b"\x82\xff\x80" + bytes(11)
    with serving(framing="websocket", strict=False) as server:
        with server.connect() as client:
            client.send(data).expect_end()
        server.drain()

        assert "the first bit of its length is set" in str(server.errors[0])
        assert server.connections[0].upstream == data
        with pytest.raises(FramingError, match="the first bit of its length is set"):
            _ = server.requests[0]
