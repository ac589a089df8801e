"""What is recorded at the seam: by the time the client has it, and no more than what passed."""

from __future__ import annotations

import os
import signal
import socket
import socketserver
import threading
from typing import Any

import pytest

import windsock
from tests.support.servers import (
    Signal,
    ask,
    connect,
    on_every_concurrency,
    on_every_datagram_kind,
    on_every_kind_and_records,
    on_every_stream_kind,
    reset,
    rest_of,
    wait_for_error,
)
from tests.support.waiting import DEADLINE, wait_until
from windsock import Ending, Script, servers
from windsock.net import addresses

MIB = 1 << 20


@on_every_kind_and_records
def test_a_reply_is_recorded_by_the_time_the_client_has_it(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing=4) as server:
        server.echo()
        with connect(server) as client:
            for number in range(50):
                client.sendall(b"%04d" % number)
                assert client.recv(100) == b"%04d" % number
                assert [each.reply for each in server.requests] == [b"%04d" % each for each in range(number + 1)]


@on_every_stream_kind
def test_what_a_client_did_not_take_did_not_go_out(transport: str, concurrency: str, signals: list[Signal]) -> None:
    def handler(request: Any, client_address: Any, server: Any) -> None:
        request.settimeout(0.1)
        try:
            request.sendall(bytes(64 * MIB))
        except TimeoutError:
            signals[0].set()
            signals[1].wait()

    with windsock.serving(handler, transport=transport, concurrency=concurrency) as server:
        with connect(server) as client:
            signals[0].wait()
            noted = sum(len(each.data) for each in server.connections[0].chunks)
            signals[1].set()
            received = len(rest_of(client))

        assert noted == received
        assert 0 < received < 64 * MIB
        server.stop()
        assert server.connections[0].ending is Ending.TIMEOUT


@on_every_stream_kind
def test_one_send_of_much_is_recorded_as_far_as_it_went(
    transport: str, concurrency: str, signals: list[Signal]
) -> None:
    def handler(request: Any, client_address: Any, server: Any) -> None:
        request.setblocking(False)
        sent = request.send(bytes(64 * MIB))
        signals[0].set()
        request.setblocking(True)
        request.sendall(b"%10d" % sent)

    with windsock.serving(handler, transport=transport, concurrency=concurrency) as server, connect(server) as client:
        signals[0].wait()  # until then the client has taken nothing
        received = rest_of(client)
        sent = int(received[-10:])

        assert sent < 64 * MIB
        assert len(received) == sent + 10
        assert server.connections[0].downstream == received


@on_every_concurrency
def test_what_a_client_that_resets_did_not_take_did_not_go_out(concurrency: str, signals: list[Signal]) -> None:
    def handler(request: Any, client_address: Any, server: Any) -> None:
        request.recv(1)
        signals[0].set()
        request.sendall(bytes(64 * MIB))

    with windsock.serving(handler, concurrency=concurrency) as server:
        client = connect(server)
        client.sendall(b"x")
        signals[0].wait()
        client.recv(1)
        reset(client)
        (request,) = server.requests.wait()

        assert 0 < len(request.reply) < 64 * MIB
        assert server.connections[0].ending is Ending.CLIENT_RESET
        assert list(server.errors) == []  # an outcome, not an error


def test_every_way_of_reading_and_writing_is_recorded() -> None:
    def handler(request: Any, client_address: Any, server: Any) -> None:
        buffer = bytearray(3)
        request.recv(1, socket.MSG_PEEK)
        request.recv(3)
        request.recv_into(buffer)
        request.recvfrom(3)
        request.recvfrom_into(buffer)
        request.recvmsg(3)
        request.recvmsg_into([buffer])
        with request.makefile("rwb", buffering=0) as file:
            file.read(3)
            file.write(b"a")
        request.send(b"b")
        request.sendall(memoryview(b"c"))
        request.sendmsg([b"d", b"e"])
        request.sendto(b"f", client_address)
        with open(__file__, "rb") as source:
            request.sendfile(source, 3, 7)
        request.shutdown(socket.SHUT_WR)
        request.recv(1)

    with windsock.serving(handler) as server, connect(server) as client:
        for number in range(7):
            client.sendall(b"%03d" % number)
        client.shutdown(socket.SHUT_WR)
        with open(__file__, "rb") as source:
            expected = b"abcdef" + source.read()[3:10]
        assert rest_of(client) == expected
        request = server.requests.wait()[0]

        assert request.data == b"000001002003004005006"
        assert request.reply == expected


@on_every_datagram_kind
def test_each_datagram_is_a_request_with_its_peer_and_its_replies(transport: str, concurrency: str) -> None:
    def handler(request: Any, client_address: Any, server: Any) -> None:
        data, server_socket = request
        server_socket.sendto(data + b"1", client_address)
        server_socket.sendmsg([data, b"2"], [], 0, client_address)

    with windsock.serving(handler, transport=transport, concurrency=concurrency) as server:
        with connect(server) as one, connect(server) as two:
            for client, data in ((one, b"a"), (two, b"b"), (one, b"c")):
                client.send(data)
                assert {client.recv(10), client.recv(10)} == {data + b"1", data + b"2"}
            peers = [one.getsockname(), two.getsockname(), one.getsockname()]
            requests = server.requests.wait(3)

        assert [(each.data, each.reply) for each in requests] == [(b"a", b"a1a2"), (b"b", b"b1b2"), (b"c", b"c1c2")]
        assert [each.peer for each in requests] == [windsock_address(peer) for peer in peers]
        assert [(each.connection, each.exchange) for each in requests] == [(0, 0), (1, 0), (2, 0)]


def windsock_address(address: Any) -> Any:
    return os.fsdecode(address) if isinstance(address, bytes) else address


def test_a_datagram_that_could_not_be_sent_is_no_reply() -> None:
    def handler(request: Any, client_address: Any, server: Any) -> None:
        request[1].sendto(b"x" * 70_000, client_address)

    with windsock.serving(handler, transport="udp") as server, connect(server) as client:
        client.send(b"?")
        wait_for_error(server)

        assert [type(error) for error in server.errors.take()] == [OSError]
        assert server.requests.only().reply == b""


@on_every_datagram_kind
def test_an_oversize_datagram_is_noticed(transport: str, concurrency: str) -> None:
    def answer_nothing(request: Any, client_address: Any, server: Any) -> None:
        """Take it."""

    server = windsock.serving(answer_nothing, transport=transport, concurrency=concurrency)
    with connect(server) as client:
        client.send(b"x" * 10_000)
        request = server.requests.only()

    assert (len(request), request.truncated_from) == (8192, 10_000)
    with pytest.raises(ExceptionGroup) as caught:
        server.finish()
    (error,) = caught.value.exceptions
    assert isinstance(error, windsock.TruncatedDatagram)
    assert str(error) == "a datagram of 10000 bytes was cut to max_packet_size = 8192"


@pytest.mark.parametrize("relay", [False, True], ids=["direct", "relayed"])
@pytest.mark.parametrize("size", [8192, 8193, 65_507])
@on_every_datagram_kind
def test_a_fake_takes_the_largest_datagrams(transport: str, concurrency: str, size: int, relay: bool) -> None:
    with (
        windsock.serving(transport=transport, concurrency=concurrency, relay=relay) as server,
        connect(server) as client,
    ):
        server.on(b"x" * size).reply(b"y" * size)
        client.send(b"x" * size)

        assert client.recv(70_000) == b"y" * size
        assert server.requests.only().data == b"x" * size


@pytest.mark.parametrize("transport", ["udp", "unix_datagram"])
def test_a_script_takes_the_largest_datagrams(transport: str) -> None:
    with windsock.serving(transport=transport) as server:
        server.play(Script().expect(65_507).send(b"z" * 65_507))
        with server.connect() as client:
            client.send(b"x" * 65_507).expect(b"z" * 65_507)


def test_a_fake_of_a_class_with_a_limit_of_its_own_keeps_it() -> None:
    class Small(servers.ThreadingUDPServer):
        max_packet_size = 100

    with windsock.serving(Small, strict=False) as server, connect(server) as client:
        client.send(b"x" * 101)

        assert len(server.requests.only()) == 100


def test_so_does_a_fake_of_a_class_of_the_standard_library() -> None:
    with windsock.serving(socketserver.ThreadingUDPServer) as server, connect(server) as client:
        client.send(b"x" * 65_507)

        assert len(server.requests.only()) == 65_507


@on_every_stream_kind
@pytest.mark.parametrize("how", ["client EOF", "client reset", "server close", "timeout", "stopped"])
def test_it_is_known_who_ended_a_connection(transport: str, concurrency: str, how: str) -> None:
    def handler(request: Any, client_address: Any, server: Any) -> None:
        if request.recv(10) == b"close":
            return
        request.settimeout(0.02 if how == "timeout" else DEADLINE)
        try:
            request.sendall(b"ready")
            request.recv(10)
        except (TimeoutError, ConnectionResetError):
            pass

    with windsock.serving(handler, transport=transport, concurrency=concurrency) as server:
        client = connect(server)
        client.sendall(b"close" if how == "server close" else b"go")
        if how == "client EOF":
            client.shutdown(socket.SHUT_WR)
        elif how == "client reset" and transport == "tcp":
            client.recv(10)
            reset(client)
        elif how == "client reset":
            client.close()  # a Unix socket that is closed with unread bytes resets
        elif how == "stopped":
            client.recv(10)
            server.stop()
        wait_until(lambda: any(each.closed for each in server.connections))
        client.close()

        connection = server.connections[0]
        if how == "client reset" and transport == "unix_stream":
            assert connection.ending in (Ending.CLIENT_RESET, Ending.CLIENT_EOF)
        else:
            assert str(connection.ending) == how
        assert connection.closed is not None
        assert connection.opened < connection.closed


@pytest.mark.parametrize("transport", ["tcp", "unix_stream"])
def test_what_a_killed_child_had_done_is_recorded(transport: str, signals: list[Signal]) -> None:
    def handler(request: Any, client_address: Any, server: Any) -> None:
        request.sendall(request.recv(100).upper())
        request.recv(100)
        signals[0].set()
        signals[1].wait()

    server = windsock.serving(handler, transport=transport, concurrency="forking", framing="lines")
    with connect(server) as client:
        client.sendall(b"one\n")
        assert client.recv(100) == b"ONE\n"
        assert server.requests.only().reply == b"ONE\n"  # as it happens
        client.sendall(b"two\n")
        signals[0].wait()
        pid = server.connections[0].pid
        assert pid is not None

        os.kill(pid, signal.SIGKILL)
        assert rest_of(client) == b""
        wait_for_error(server)

    connection = server.connections[0]
    assert (connection.upstream, connection.downstream) == (b"one\ntwo\n", b"ONE\n")
    assert connection.ending is Ending.HANDLER_DIED
    with pytest.raises(ExceptionGroup) as caught:
        server.finish()
    assert [str(error) for error in caught.value.exceptions] == [f"handler process {pid} was killed by SIGKILL"]
    assert [each.data for each in server.requests.wait(2)] == [b"one\n", b"two\n"]


def test_a_child_that_leaves_in_silence_is_an_error() -> None:
    def handler(request: Any, client_address: Any, server: Any) -> None:
        os._exit(3)

    with windsock.serving(handler, concurrency="forking") as server:
        with connect(server) as client:
            rest_of(client)
            wait_for_error(server)

        (error,) = server.errors.take()
        assert isinstance(error, windsock.HandlerDied)
        assert str(error) == f"handler process {error.pid} exited with status 3"
        assert error.exit_code == 3


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")  # from 3.12 on; it is the handler's fork
def test_a_fork_in_handle_is_recorded_from_both_processes() -> None:
    class Forks(servers.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"parent;")
            if os.fork():
                return
            self.wfile.write(self.rfile.readline())

    class Collecting(servers.ThreadingMixIn, servers.TCPServer):
        pass

    with windsock.serving(Collecting, Forks) as server, connect(server) as client:
        client.sendall(b"to the child\n")
        assert rest_of(client) == b"parent;to the child\n"
        request = server.requests.wait()[0]

    assert (request.data, request.reply) == (b"to the child\n", b"parent;to the child\n")
    assert server.connections[0].ending is Ending.SERVER_CLOSE
    os.wait()


class Odd(Exception):
    """One that pickle does not build again: its constructor takes something else than its args."""

    def __init__(self, code: int, *, where: str) -> None:
        self.code = code
        super().__init__(f"code {code} in {where}")


@on_every_kind_and_records
def test_a_handler_that_raised_is_recorded_too(transport: str, concurrency: str) -> None:
    def handler(request: Any, client_address: Any, server: Any) -> None:
        if not isinstance(request, tuple):
            request.recv(100)
        raise Odd(7, where="the handler")

    server = windsock.serving(handler, transport=transport, concurrency=concurrency)
    with connect(server) as client:
        client.sendall(b"cause")
        wait_for_error(server)
        peer = addresses.show(client.getsockname())
    request = server.requests.only()

    with pytest.raises(ExceptionGroup) as caught:
        server.finish()
    (error,) = caught.value.exceptions
    assert isinstance(error, Odd)
    assert (error.code, str(error)) == (7, "code 7 in the handler")
    assert error.__notes__ == [f"windsock: while handling #0 from {peer}"]
    assert (request.data, request.error) == (b"cause", error)
    assert caught.value.message == (
        f"{concurrency} {transport} server on {addresses.show(server.address)}: errors in handlers"
    )
    if concurrency == "forking":
        assert 'raise Odd(7, where="the handler")' in str(error.__cause__)


def test_an_error_that_cannot_come_over_is_told_by_name() -> None:
    def handler(request: Any, client_address: Any, server: Any) -> None:
        class Local(Exception):
            pass

        raise Local("only here")

    with windsock.serving(handler, concurrency="forking") as server:
        with connect(server) as client:
            rest_of(client)
        wait_for_error(server)
        (error,) = server.errors.take()

        assert isinstance(error, windsock.HandlerFailed)
        assert str(error) == "Local: only here"


def test_all_errors_are_raised_at_the_end() -> None:
    def handler(request: Any, client_address: Any, server: Any) -> None:
        raise LookupError(request.recv(10).decode())

    server = windsock.serving(handler)
    for number in range(3):
        with connect(server) as client:
            client.sendall(b"%d" % number)
            rest_of(client)
    server.stop()

    with pytest.raises(ExceptionGroup) as caught:
        server.finish()
    assert sorted(str(error) for error in caught.value.exceptions) == ["0", "1", "2"]


def test_errors_that_were_taken_are_dealt_with() -> None:
    def handler(request: Any, client_address: Any, server: Any) -> None:
        raise LookupError("expected")

    with windsock.serving(handler) as server:
        with connect(server) as client:
            rest_of(client)
        wait_for_error(server)
        assert len(server.errors) == 1
        assert str(server.errors[0]) == "expected"
        assert "LookupError" in repr(server.errors)
        assert [str(error) for error in server.errors.take()] == ["expected"]
        assert server.errors.take() == []


def test_a_relaxed_server_raises_nothing() -> None:
    def handler(request: Any, client_address: Any, server: Any) -> None:
        raise LookupError("whatever")

    with windsock.serving(handler, strict=False) as server, connect(server) as client:
        rest_of(client)

    assert [str(error) for error in server.errors] == ["whatever"]


@on_every_stream_kind
def test_what_a_stop_causes_is_not_the_handlers_fault(transport: str, concurrency: str) -> None:
    def handler(request: Any, client_address: Any, server: Any) -> None:
        request.sendall(b"!")
        if not request.recv(10):
            raise LookupError("the client has left in the middle of a message")

    with windsock.serving(handler, transport=transport, concurrency=concurrency) as server, connect(server) as client:
        client.recv(1)
        server.stop()

    assert [type(error) for error in server.errors] == [LookupError]
    assert server.errors.failures() == []


@pytest.mark.parametrize("concurrency", ["threading", "forking"])
def test_a_handlers_own_error_during_a_stop_is_its_fault(concurrency: str, signals: list[Signal]) -> None:
    def handler(request: Any, client_address: Any, server: Any) -> None:
        request.sendall(b"!")
        signals[1].wait()
        raise LookupError("a mistake of its own")

    server = windsock.serving(handler, concurrency=concurrency)
    with connect(server) as client:
        client.recv(1)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        rest_of(client)  # the stop has ended the connection
        signals[1].set()
        stopping.join(DEADLINE)

    with pytest.raises(ExceptionGroup) as caught:
        server.finish()
    assert [str(error) for error in caught.value.exceptions] == ["a mistake of its own"]


def test_an_error_of_verify_request_is_recorded() -> None:
    class Picky(servers.ThreadingMixIn, servers.TCPServer):
        def verify_request(self, request: Any, client_address: Any) -> bool:
            raise LookupError("no opinion")

    with windsock.serving(Picky) as server:
        with connect(server) as client:
            rest_of(client)
        wait_for_error(server)
        assert [str(error) for error in server.errors.take()] == ["no opinion"]


@on_every_concurrency
def test_an_own_handle_error_is_asked_as_well(concurrency: str, signals: list[Signal]) -> None:
    mix_in = () if concurrency == "sync" else (getattr(servers, f"{concurrency.capitalize()}MixIn"),)

    def handle_error(server: Any, request: Any, client_address: Any) -> None:
        signals[0].set()

    def handler(request: Any, client_address: Any, server: Any) -> None:
        raise LookupError("told twice")

    own = type("Own", (*mix_in, servers.TCPServer), {"handle_error": handle_error})
    with windsock.serving(own, handler, strict=False) as server:
        with connect(server) as client:
            rest_of(client)
        signals[0].wait()
        wait_for_error(server)
        assert [str(error) for error in server.errors] == ["told twice"]


def test_recordings_can_be_read_from_many_threads_while_the_server_runs() -> None:
    failures: list[BaseException] = []
    is_over = threading.Event()

    def read(server: windsock.RunningServer) -> None:
        try:
            while not is_over.is_set():
                for request in server.requests:
                    assert request.reply in (b"", request.data)
                    assert len(request.data) == 6
                assert all(each.index == number for number, each in enumerate(server.connections))
                server.transcript()
        except BaseException as error:
            failures.append(error)

    for concurrency in ("threading", "forking"):
        is_over.clear()
        with windsock.serving(concurrency=concurrency, framing="lines").echo() as server:
            readers = [threading.Thread(target=read, args=[server]) for _ in range(3)]
            for reader in readers:
                reader.start()
            for number in range(15):
                questions = [b"%02d%03d\n" % (number, each) for each in range(6)]
                assert ask(server, *questions) == questions
            requests = server.requests.wait(90)
            is_over.set()
            for reader in readers:
                reader.join(DEADLINE)
        assert failures == []
        assert len({request.data for request in requests}) == len(requests) == 90
