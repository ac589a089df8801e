"""A child that the test forks holds copies of sockets: what is recorded as ended has ended for the other side too."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import windsock
from tests.servers.helpers import only_linux
from tests.support.processes import ended_well, forked
from tests.support.servers import Signal, connect, on_every_kind, on_every_stream, on_every_stream_kind
from tests.support.waiting import DEADLINE
from windsock import RunningServer, UsageError
from windsock.faults import BacklogFull, Refuse
from windsock.servers import TCPServer, ThreadingMixIn

pytestmark = only_linux

ROUTES = ["direct", "relayed", "proxied"]
on_every_route = pytest.mark.parametrize("route", ROUTES)
on_every_end = pytest.mark.parametrize("end", ["close", "half_close", "reset"])
REFUSED = (ConnectionRefusedError, FileNotFoundError, BrokenPipeError)


@contextlib.contextmanager
def bystander(*, keep: tuple[int, ...] = ()) -> Iterator[None]:
    """Fork a child that does nothing; or start a program that inherits descriptors."""
    if keep:
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=keep) as program:
            yield
            program.kill()
        return
    pid = os.fork()
    if not pid:
        signal.pause()
        os._exit(0)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def ask(server: RunningServer, data: bytes) -> bytes:
    with connect(server) as client:
        client.sendall(data)
        return client.recv(100)


def refuses(server: RunningServer) -> bool:
    """Whether a new client is refused, at once."""
    try:
        ask(server, b"anybody?")
    except REFUSED:
        return True
    return False


@on_every_kind
def test_a_server_that_is_down_refuses_its_clients_and_comes_back(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing="lines").echo() as server:
        assert ask(server, b"before\n") == b"before\n"
        with bystander():
            for _ in range(2):
                with server.outage():
                    assert refuses(server)
            assert ask(server, b"after\n") == b"after\n"
        assert [each.data for each in server.requests.wait(2)] == [b"before\n", b"after\n"]


@on_every_kind
def test_a_stopped_server_refuses_its_clients(transport: str, concurrency: str) -> None:
    server = windsock.serving(transport=transport, concurrency=concurrency)
    with bystander():
        server.stop()
        assert refuses(server)


def test_what_came_before_an_outage_is_not_served_after_it() -> None:
    with windsock.serving(transport="udp", framing="lines") as server, connect(server) as client, bystander():
        server.echo()
        with server.outage():
            pass
        client.send(b"after\n")
        assert client.recv(100) == b"after\n"
        assert [each.data for each in server.requests] == [b"after\n"]


def test_a_connected_unix_datagram_client_cannot_send_to_a_server_that_is_down() -> None:
    with windsock.serving(transport="unix_datagram") as server, connect(server) as client, bystander():
        with server.outage(), pytest.raises((ConnectionRefusedError, BrokenPipeError)):
            client.send(b"x")
        server.echo()
        assert ask(server, b"x") == b"x"


@on_every_stream
def test_who_waits_in_the_queue_of_a_server_that_stops_sees_its_end(transport: str, signals: list[Signal]) -> None:
    has_begun, may_end = signals

    def handler(request: Any, client_address: Any, server: Any) -> None:
        has_begun.set()
        may_end.wait()

    server = windsock.serving(handler, transport=transport, concurrency="sync")
    with connect(server):
        has_begun.wait()
        with connect(server) as waiting, bystander():
            server.server.request_stop()
            may_end.set()
            server.stop()
            with contextlib.suppress(ConnectionResetError):
                assert waiting.recv(1) == b""


@on_every_stream
def test_a_program_that_has_inherited_the_listener_keeps_nobody_waiting(transport: str) -> None:
    with windsock.serving(transport=transport, framing="lines") as server:
        server.echo()
        with bystander(keep=(server.server.fileno(),)):
            with server.outage():
                assert refuses(server)
            assert ask(server, b"x\n") == b"x\n"
            server.stop()
            assert refuses(server)


@on_every_stream_kind
def test_refuse_refuses_and_heals(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing="lines") as server:
        server.echo()
        with bystander():
            with server.fault(Refuse()):
                assert refuses(server)
            assert ask(server, b"x\n") == b"x\n"


@on_every_stream
def test_a_full_backlog_is_full_and_heals(transport: str) -> None:
    with windsock.serving(transport=transport, framing="lines").echo() as server, bystander():
        with server.fault(BacklogFull()), socket.socket(server.server.address_family) as client:
            client.settimeout(0.2)
            with pytest.raises((TimeoutError, BlockingIOError)):
                client.connect(server.server.server_address)
        assert ask(server, b"x\n") == b"x\n"


@on_every_stream
@pytest.mark.parametrize("fault", [Refuse, BacklogFull])
def test_a_server_that_stops_while_its_listener_is_not_open_refuses(transport: str, fault: Any) -> None:
    server = windsock.serving(transport=transport)
    server.fault(fault())
    with bystander():
        server.stop()
        assert refuses(server)


@on_every_stream
@pytest.mark.parametrize("fault", [Refuse, BacklogFull])
def test_an_outage_may_follow_a_fault_of_the_listener_at_once(transport: str, fault: Any) -> None:
    with windsock.serving(transport=transport, framing="lines") as server, bystander():
        server.echo()
        for _ in range(20):
            with server.fault(fault()):
                pass
            with server.outage():
                assert refuses(server)
        assert ask(server, b"x\n") == b"x\n"


class SharesItsPort(ThreadingMixIn, TCPServer):
    allow_reuse_port = True


def test_a_server_that_shares_its_port_is_down_alone() -> None:
    """SO_REUSEPORT: the other server of the port goes on, and gets all clients meanwhile."""
    with windsock.serving(SharesItsPort, name="one", framing="lines") as one:
        one.reply(b"one\n", times=None)
        with windsock.serving(SharesItsPort, name="two", port=one.port, framing="lines", allow_unused=True) as two:
            two.reply(b"two\n", times=None)
            with bystander():
                for down in (one.outage, lambda: one.fault(Refuse())):
                    with down():
                        assert {ask(one, b"?\n") for _ in range(20)} == {b"two\n"}
                assert {ask(one, b"?\n") for _ in range(100)} == {b"one\n", b"two\n"}
        with one.outage():
            assert refuses(one)
        assert ask(one, b"?\n") == b"one\n"


def test_a_port_of_ones_own_choice_comes_back() -> None:
    with windsock.serving() as first:
        port = first.port
    with windsock.serving(port=port, framing="lines") as server, bystander():
        server.echo()
        with server.fault(Refuse()):
            assert refuses(server)
        with server.outage():
            assert refuses(server)
        assert ask(server, b"x\n") == b"x\n"


def test_an_abstract_name_that_a_child_holds_is_an_error_that_says_so() -> None:
    with (
        windsock.serving(transport="unix_stream", path="\0windsock-copies") as server,
        bystander(),
        pytest.raises(UsageError, match="holds its abstract name: end it"),
        server.outage(),
    ):
        pass


# --- connections


@contextlib.contextmanager
def route_to(server: RunningServer, route: str) -> Iterator[Callable[[], socket.socket]]:
    """How to connect, past a proxy or not."""
    if route != "proxied":
        yield lambda: connect(server)
        return
    with windsock.proxy(server.address) as proxy:

        def connect_to_proxy() -> socket.socket:
            client = socket.socket(server.server.address_family)
            client.settimeout(DEADLINE)
            client.connect(proxy.address)
            return client

        yield connect_to_proxy


@on_every_route
@on_every_end
@on_every_stream_kind
def test_the_end_of_a_fakes_connection_is_seen(transport: str, concurrency: str, end: Any, route: str) -> None:
    is_relayed = route == "relayed"
    with (
        windsock.serving(transport=transport, concurrency=concurrency, framing="lines", relay=is_relayed) as server,
        route_to(server, route) as make,
    ):
        server.on(b"one").reply(b"1\n").then(b"2\n", end=end)
        with make() as client:
            client.sendall(b"one\n")
            assert client.recv(10) == b"1\n"
            with bystander():
                client.sendall(b"one\n")
                assert client.recv(2) == b"2\n"
                if end == "reset" and transport == "tcp":
                    with pytest.raises(ConnectionResetError):
                        client.recv(1)
                else:
                    assert client.recv(1) == b""


@on_every_end
def test_the_end_of_a_fakes_tls_connection_is_seen(end: Any) -> None:
    with windsock.serving(tls=True, framing="lines") as server:
        server.on(b"one").reply(b"1\n").then(b"2\n", end=end)
        with server.connect() as client:
            client.send(b"one\n").expect(b"1\n")
            with bystander():
                client.send(b"one\n").expect(b"2\n")
                client.expect_reset() if end == "reset" else client.expect_eof()


@on_every_stream_kind
@pytest.mark.parametrize("end", ["close", "reset", "garbage collection"])
def test_the_end_of_a_scripted_client_is_seen(transport: str, concurrency: str, end: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing="lines").echo() as server:
        client = server.connect()
        client.send(b"x\n").expect(b"x\n")
        with bystander():
            if end == "garbage collection":
                del client
            else:
                getattr(client, end)()
            (connection,) = server.connections.wait(1)
            is_reset = end == "reset" and transport == "tcp"
            expected = windsock.Ending.CLIENT_RESET if is_reset else windsock.Ending.CLIENT_EOF
            assert connection.ending is expected


@on_every_stream
@pytest.mark.parametrize("is_held", [False, True])
def test_a_client_that_closes_with_unread_bytes_resets(transport: str, is_held: bool) -> None:
    """As close(2) does (RFC 2525, section 2.17); on a Unix socket only if nobody else holds it."""
    with windsock.serving(transport=transport, framing="lines") as server:
        server.reply(b"unread\n")
        client = server.connect()
        client.send(b"x\n")
        select.select([client.socket], [], [], DEADLINE)
        with contextlib.ExitStack() as stack:
            if is_held:
                stack.enter_context(bystander())
            client.close()
            if is_held and transport == "unix_stream":
                stack.close()
            (connection,) = server.connections.wait(1)
        assert connection.ending is windsock.Ending.CLIENT_RESET


@on_every_stream
def test_the_end_of_a_proxy_is_seen(transport: str) -> None:
    with windsock.serving(transport=transport, framing="lines") as server:
        server.echo()
        with windsock.proxy(server.address) as proxy:
            client = socket.socket(server.server.address_family)
            with client:
                client.settimeout(DEADLINE)
                client.connect(proxy.address)
                client.sendall(b"x\n")
                assert client.recv(10) == b"x\n"
                with bystander():
                    proxy.stop()
                    assert client.recv(1) == b""
                    assert server.connections.wait(1)[0].ending is windsock.Ending.CLIENT_EOF
                    with socket.socket(client.family) as late, pytest.raises(REFUSED):
                        late.connect(proxy.address)


# --- in the child


@on_every_kind
@pytest.mark.parametrize("leave", ["stop", "finish", "with", "with an error"])
def test_a_child_that_stops_the_server_leaves_it_to_its_parent(transport: str, concurrency: str, leave: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing="lines").echo() as server:
        assert ask(server, b"before\n") == b"before\n"
        with connect(server) as client:
            client.sendall(b"1\n")
            assert client.recv(10) == b"1\n"
            pid = os.fork()
            if not pid:
                _leave_in_child(server, leave)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

            client.sendall(b"3\n")
            assert client.recv(10) == b"3\n"
        assert ask(server, b"after\n") == b"after\n"
        if transport.startswith("unix"):
            assert os.path.exists(server.path)


def _leave_in_child(server: RunningServer, leave: str) -> None:
    status = 1
    signal.alarm(3)  # whatever waits there ends here
    try:
        if leave == "with":
            with server:
                pass
        elif leave == "with an error":
            with contextlib.suppress(LookupError), server:
                raise LookupError
        else:
            getattr(server, leave)()
        status = 0 if server.server.socket.fileno() < 0 or _is_null(server.server.socket.fileno()) else 2
    finally:
        os._exit(status)


def _is_null(descriptor: int) -> bool:
    return os.fstat(descriptor).st_rdev == os.stat(os.devnull).st_rdev


def test_a_child_closes_its_copy_of_a_scripted_client_only() -> None:
    with windsock.serving(tls=True, framing="lines").echo() as server:
        client = server.connect()
        client.send(b"1\n").expect(b"1\n")
        assert ended_well(forked(client.close))
        client.send(b"2\n").expect(b"2\n")


@pytest.mark.parametrize("method", ["close", "close_without_notify"])
def test_the_end_of_a_scripted_client_is_seen_while_a_child_has_a_copy(method: str) -> None:
    with windsock.serving(tls=True, framing="lines") as server:
        server.echo()
        client = server.connect()
        client.send(b"1\n").expect(b"1\n")
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(writer)
            os.read(reader, 1)
            os._exit(0)
        os.close(reader)

        getattr(client, method)()

        try:
            assert [each.ending for each in server.connections.wait(1)] == [windsock.Ending.CLIENT_EOF]
        finally:
            os.close(writer)
            os.waitpid(pid, 0)


# --- in a handler


@on_every_kind
def test_a_handler_that_stops_its_server_is_told_at_once(transport: str, concurrency: str) -> None:
    servers: list[RunningServer] = []

    def handler(request: Any, client_address: Any, server: Any) -> None:
        said = []
        for act in (servers[0].finish, servers[0].outage().__enter__, servers[0].stop):
            with pytest.raises(UsageError) as caught:
                act()
            said.append(str(caught.value))
        _answer(request, client_address, said[-1].encode())

    with windsock.serving(handler, transport=transport, concurrency=concurrency) as server:
        servers.append(server)
        with connect(server) as client:
            client.sendall(b"x")
            said = client.recv(2000)
        assert said.startswith(b"stop(): called in a handler of the " + server.name.encode())
        assert b"expected self.server.request_stop() there, which does not wait, or stop() in the test" in said


def _answer(request: Any, client_address: Any, data: bytes) -> None:
    if isinstance(request, tuple):
        request[1].sendto(data, client_address)
    else:
        request.recv(1)
        request.sendall(data)


def test_an_async_handler_that_stops_its_server_is_told_at_once() -> None:
    servers: list[RunningServer] = []

    async def handler(stream: Any, client_address: Any, server: Any) -> None:
        with pytest.raises(UsageError, match=r"stop\(\): called in a handler of the trio tcp server"):
            servers[0].stop()
        await stream.send_all(b"told")

    with windsock.serving(handler, concurrency="trio") as server:
        servers.append(server)
        assert ask(server, b"x") == b"told"


def test_a_handler_may_stop_another_server() -> None:
    other = windsock.serving()

    def handler(request: Any, client_address: Any, server: Any) -> None:
        other.stop()
        request.sendall(b"done")

    with windsock.serving(handler) as server:
        assert ask(server, b"x") == b"done"
        assert refuses(other)
