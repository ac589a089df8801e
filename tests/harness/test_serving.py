"""serving(): one server in a test, of every kind."""

from __future__ import annotations

import asyncio
import functools
import http.server
import os
import re
import socket
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import trio

import windsock
from tests.support.servers import (
    ask,
    connect,
    on_every_concurrency,
    on_every_kind_and_records,
    on_every_stream_kind,
    on_every_transport,
    rest_of,
)
from tests.support.waiting import DEADLINE
from windsock import servers
from windsock.net import addresses


class Shouting(servers.BaseRequestHandler):
    """Answers each line, or each datagram, in capitals."""

    def handle(self) -> None:
        if isinstance(self.request, tuple):
            data, server_socket = self.request
            server_socket.sendto(data.upper(), self.client_address)
            return
        with self.request.makefile("rb") as lines:
            for line in lines:
                self.request.sendall(line.upper())


@on_every_kind_and_records
def test_every_kind_records_the_same_conversation_the_same_way(transport: str, concurrency: str) -> None:
    with windsock.serving(Shouting, transport=transport, concurrency=concurrency, framing="lines") as server:
        answers = ask(server, b"one\n", b"two\n")
        requests = server.requests.wait(2)

        assert answers == [b"ONE\n", b"TWO\n"]
        assert [(each.data, each.reply) for each in requests] == [(b"one\n", b"ONE\n"), (b"two\n", b"TWO\n")]
        assert all(each.is_complete and each.error is None for each in requests)


@on_every_kind_and_records
def test_every_kind_is_of_the_class_that_its_words_say(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        prefix = "" if concurrency == "sync" else concurrency.capitalize()
        names = {"tcp": "TCP", "udp": "UDP", "unix_stream": "UnixStream", "unix_datagram": "UnixDatagram"}
        suffix = names.get(transport, "UnixSeqpacket")

        assert type(server.server) is getattr(servers, f"{prefix}{suffix}Server")


def test_without_words_it_is_a_threading_tcp_server() -> None:
    with windsock.serving() as server:
        assert type(server.server) is servers.ThreadingTCPServer


def test_class_and_handler_can_be_named() -> None:
    with windsock.serving(server_class=servers.TCPServer, handler=Shouting) as server, server.connect() as client:
        assert type(server.server) is servers.TCPServer
        client.send(b"a\n").expect(b"A\n")

    with pytest.raises(windsock.UsageError, match="pass one of them"):
        windsock.serving(Shouting, server_class=servers.TCPServer)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_an_internet_address_is_a_host_and_a_port(transport: str) -> None:
    with windsock.serving(transport=transport) as server:
        assert server.address == (server.host, server.port)
        assert server.host == "127.0.0.1"
        assert server.port > 0
        with pytest.raises(windsock.UsageError, match=r"path: the threading .* server has none; its address is 127"):
            _ = server.path


@pytest.mark.parametrize("transport", ["unix_stream", "unix_datagram"])
def test_a_unix_address_is_a_path_in_a_private_directory(transport: str) -> None:
    with windsock.serving(transport=transport) as server:
        path = Path(server.path)

        assert server.address == server.path
        assert path.is_socket()
        assert path.parent.stat().st_mode & 0o777 == 0o700
        with pytest.raises(windsock.UsageError, match=r"host: the threading .* server has none; its path is /"):
            _ = server.host
        with pytest.raises(windsock.UsageError, match="port: the threading"):
            _ = server.port
    assert not path.parent.exists()


@on_every_stream_kind
def test_it_takes_a_burst_of_connections_the_moment_it_is_there(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        clients = [connect(server) for _ in range(64)]
        for client in clients:
            client.close()


@on_every_transport
def test_the_address_is_held_while_the_server_runs(transport: str) -> None:
    with windsock.serving(transport=transport) as server:
        address = {"path": server.path} if transport.startswith("unix") else {"port": server.port}

        with pytest.raises(windsock.StartError) as caught:
            windsock.serving(transport=transport, **address)

        assert isinstance(caught.value.__cause__, OSError)
        assert str(caught.value) == (
            f"the threading {transport} server 2 could not listen on {addresses.show(server.address)}: "
            "[Errno 98] Address already in use; leave the port or path out to get a free one"
        )


def test_ports_are_never_the_same() -> None:
    running = [windsock.serving() for _ in range(20)]
    assert len({server.port for server in running}) == 20
    for server in running:
        server.stop()


def test_a_host_that_does_not_exist_is_a_start_error_with_its_cause() -> None:
    with pytest.raises(windsock.StartError, match="could not listen on no such host:0") as caught:
        windsock.serving(host="no such host", allow_external=True)

    assert isinstance(caught.value.__cause__, socket.gaierror)


def test_an_error_of_the_server_class_goes_up_as_it_is() -> None:
    class Broken(servers.UnixStreamServer):
        def server_activate(self) -> None:
            raise LookupError("not today")

    with pytest.raises(LookupError, match="not today"):
        windsock.serving(Broken)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
@on_every_concurrency
def test_it_speaks_ipv6(transport: str, concurrency: str) -> None:
    with windsock.serving(Shouting, transport=transport, concurrency=concurrency, host="::1") as server:
        assert ask(server, b"six\n") == [b"SIX\n"]
        assert server.address == ("::1", server.port)
        assert server.requests.only().data == b"six\n"
        assert server.connections[0].peer[0] == "::1"


@pytest.mark.parametrize("transport", ["unix_stream", "unix_datagram"])
@on_every_concurrency
def test_a_unix_server_may_have_an_abstract_name(transport: str, concurrency: str) -> None:
    name = f"windsock-test-{os.getpid()}"
    with windsock.serving(Shouting, transport=transport, concurrency=concurrency, path=f"\0{name}") as server:
        assert ask(server, b"air\n") == [b"AIR\n"]
        assert server.path == f"\0{name}"
        assert f"@{name}" in repr(server)
        assert server.requests.only().data == b"air\n"


def test_a_path_may_be_a_path_object(tmp_path: Path) -> None:
    with windsock.serving(transport="unix_stream", path=tmp_path / "s") as server:
        assert server.path == str(tmp_path / "s")
        connect(server).close()
    assert not (tmp_path / "s").exists()


def test_own_classes_keep_their_hooks() -> None:
    seen: list[str] = []

    class Own(servers.ThreadingMixIn, servers.TCPServer):
        def verify_request(self, request: Any, client_address: Any) -> bool:
            seen.append("verify")
            return True

        def finish_request(self, request: Any, client_address: Any) -> None:
            seen.append("finish")
            super().finish_request(request, client_address)

    with windsock.serving(Own, Shouting) as server:
        assert ask(server, b"mine\n") == [b"MINE\n"]
        assert type(server.server) is Own
        assert seen == ["verify", "finish"]
        assert server.requests.only().reply == b"MINE\n"


def test_an_own_class_without_a_handler_is_a_fake() -> None:
    class Own(servers.ThreadingMixIn, servers.UnixStreamServer):
        pass

    with windsock.serving(Own).echo() as server:
        assert ask(server, b"abc") == [b"abc"]
        assert server.path


def test_an_own_class_may_have_a_constructor_of_two_arguments() -> None:
    class Own(servers.ThreadingMixIn, servers.TCPServer):
        def __init__(self, address: Any, handler: Any) -> None:
            super().__init__(address, handler)

    with windsock.serving(Own, Shouting) as server:
        assert ask(server, b"two\n") == [b"TWO\n"]


def test_a_request_that_is_turned_away_is_recorded_as_a_connection() -> None:
    class Strict(servers.ThreadingMixIn, servers.TCPServer):
        def verify_request(self, request: Any, client_address: Any) -> bool:
            return False

    with windsock.serving(Strict, Shouting) as server, connect(server) as client:
        assert rest_of(client) == b""
        server.stop()
        assert [each.ending for each in server.connections] == [windsock.Ending.SERVER_CLOSE]


class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"hi")

    def log_message(self, *args: Any) -> None:
        pass


@on_every_concurrency
def test_handlers_of_http_server_work(concurrency: str) -> None:
    with windsock.serving(Pages, concurrency=concurrency) as server:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/x", timeout=DEADLINE) as answer:
            assert answer.read() == b"hi"
        request = server.requests.only()

    assert request.data.startswith(b"GET /x HTTP/1.1\r\n")
    assert request.reply.endswith(b"\r\n\r\nhi")


def test_a_partial_of_a_handler_works(tmp_path: Path) -> None:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            pass

    (tmp_path / "page.txt").write_text("a page")
    with windsock.serving(functools.partial(Quiet, directory=str(tmp_path))) as server:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/page.txt", timeout=DEADLINE) as answer:
            assert answer.read() == b"a page"
        assert server.requests.only().reply.endswith(b"a page")


def test_a_function_is_a_handler_too() -> None:
    def handler(request: Any, client_address: Any, server: Any) -> None:
        request.sendall(b"welcome")

    with windsock.serving(handler) as server, connect(server) as client:
        assert rest_of(client) == b"welcome"


def test_asyncio_clients_work_in_the_test_body() -> None:
    async def main(server: windsock.RunningServer) -> bytes:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(b"from asyncio\n")
        line = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return line

    with windsock.serving(Shouting) as server:
        assert asyncio.run(main(server)) == b"FROM ASYNCIO\n"
        assert server.requests.only().data == b"from asyncio\n"


def test_trio_clients_work_in_the_test_body() -> None:
    async def main(server: windsock.RunningServer) -> bytes:
        with trio.fail_after(DEADLINE):
            async with await trio.open_tcp_stream(*server.address) as stream:
                await stream.send_all(b"from trio\n")
                return bytes(await stream.receive_some())

    with windsock.serving(Shouting) as server:
        assert trio.run(main, server) == b"FROM TRIO\n"
        assert server.requests.only().data == b"from trio\n"


@on_every_stream_kind
def test_stop_ends_open_connections_and_is_idempotent(transport: str, concurrency: str) -> None:
    with windsock.serving(Shouting, transport=transport, concurrency=concurrency) as server, connect(server) as client:
        client.sendall(b"one\n")
        assert client.recv(100) == b"ONE\n"

        server.stop()
        server.stop()

        assert client.recv(1) == b""
        with pytest.raises(OSError, match=r"refused|No such file"):
            connect(server)
        assert [each.ending for each in server.connections] == [windsock.Ending.STOPPED]
        assert "stopped" in repr(server)


def test_what_was_recorded_can_be_read_after_the_end() -> None:
    with windsock.serving(Shouting, concurrency="forking") as server:
        ask(server, b"late\n")

    assert server.requests.only().reply == b"LATE\n"
    assert server.connections[0].upstream == b"late\n"


def test_a_handler_that_does_not_end_is_named() -> None:
    release = []

    def handler(request: Any, client_address: Any, server: Any) -> None:
        import threading

        event = threading.Event()
        release.append(event)
        request.sendall(b"!")
        event.wait(DEADLINE)

    server = windsock.serving(handler, timeout=0.3)
    with connect(server) as client:
        client.recv(1)
        name = f"127.0.0.1:{client.getsockname()[1]}"
        with pytest.raises(windsock.StillRunning) as caught:
            server.stop()

    assert re.sub(r"\S+test_serving.py:\d+", "test_serving.py:1", str(caught.value)) == (
        "stop() of the threading tcp server: requests in progress did not end within 0.3 s, "
        f"still running: thread 'ThreadingTCPServer {name}' at test_serving.py:1 in handler: event.wait(DEADLINE)"
    )
    release[0].set()
    assert server.server.wait_for_requests(DEADLINE) == []


def test_an_error_in_the_body_is_not_hidden_by_errors_of_handlers() -> None:
    def handler(request: Any, client_address: Any, server: Any) -> None:
        raise LookupError("in the handler")

    def body() -> None:
        with windsock.serving(handler) as server:
            with connect(server) as client:
                rest_of(client)
            raise AssertionError("in the body")

    with pytest.raises(AssertionError, match="in the body") as caught:
        body()

    note, _ = caught.value.__notes__  # and the transcript
    lines = note.splitlines()
    assert lines[0] == "windsock: the threading tcp server had an error too: LookupError: in the handler"
    assert lines[-1].strip() == 'raise LookupError("in the handler")'
