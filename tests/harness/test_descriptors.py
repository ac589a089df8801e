"""Descriptors and credentials that come with the bytes of Unix sockets, whatever is in between."""

from __future__ import annotations

import array
import contextlib
import os
import select
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import windsock
from tests.servers.helpers import descriptors, only_linux
from tests.support.processes import ended_well, forked
from tests.support.servers import on_every_concurrency
from tests.support.waiting import DEADLINE, wait_until
from windsock import RunningServer
from windsock.faults import Blackhole, Corrupt, Delay, Drop, Duplicate, Hold, Rate, Replace, Segment, Truncate
from windsock.net.ancillary import own_credentials
from windsock.security import PeerCredentialsMixIn
from windsock.servers import (
    BaseRequestHandler,
    SelectingMixIn,
    ThreadingMixIn,
    TrioMixIn,
    UnixDatagramServer,
    UnixStreamServer,
)

pytestmark = only_linux

ROUTES = ["direct", "relayed", "proxied", "relayed and proxied"]
on_every_route = pytest.mark.parametrize("route", ROUTES)
on_every_middleman = pytest.mark.parametrize("route", ROUTES[1:3])
UCRED = struct.Struct("iII")


class Way:
    """A server, what clients of it connect to, and where faults go."""

    def __init__(self, server: RunningServer, proxy: Any = None) -> None:
        self.server = server
        self.proxy = proxy
        self.faulty = server if proxy is None else proxy

    @contextlib.contextmanager
    def client(self) -> Iterator[socket.socket]:
        kind = self.server.server.socket_type
        with socket.socket(socket.AF_UNIX, kind) as client:
            client.settimeout(DEADLINE)
            if kind == socket.SOCK_DGRAM:
                client.bind("")
            client.connect(self.faulty.path)
            yield client


@contextlib.contextmanager
def way(route: str, *what: Any, **options: Any) -> Iterator[Way]:
    options = {"transport": "unix_stream"} | options
    with windsock.serving(*what, relay="relayed" in route, **options) as server:
        if "proxied" not in route:
            yield Way(server)
            return
        with windsock.proxy(server.path, framing=options.get("framing")) as proxy:
            yield Way(server, proxy)


class Pipe:
    """A pipe that has come to its end once nobody has the end that is written to."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)

    def __enter__(self) -> Pipe:
        return self

    def __exit__(self, *_: object) -> None:
        self.close_writer()
        os.close(self.reader)

    def close_writer(self) -> None:
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    def wait_for_end(self) -> None:
        poll = select.poll()
        poll.register(self.reader, select.POLLIN)
        assert poll.poll(DEADLINE * 1000), "somebody can still write"
        assert self.read() == b""

    def read(self) -> bytes:
        """What has been written; b"" if nobody can write any more. Raises BlockingIOError if somebody could."""
        return os.read(self.reader, 100)


def take(sock: socket.socket, size: int) -> tuple[bytes, list[int]]:
    """What one call gives: bytes, and descriptors."""
    data, found, _, _ = socket.recv_fds(sock, size, 8)
    return data, list(found)


class TakesOne(BaseRequestHandler):
    """Writes into what comes."""

    def handle(self) -> None:
        data, found = take(self.request, 100)
        for each in found:
            os.write(each, data)
            os.close(each)
        self.request.sendall(b"ok")


class GivesOne(BaseRequestHandler):
    """Answers with a pipe."""

    def handle(self) -> None:
        self.request.recv(10)
        with Pipe() as pipe:
            os.write(pipe.writer, b"from the server")
            socket.send_fds(self.request, [b"here"], [pipe.reader])


@on_every_route
@on_every_concurrency
def test_a_handler_takes_a_descriptor(concurrency: str, route: str) -> None:
    with way(route, TakesOne, concurrency=concurrency) as found, found.client() as client, Pipe() as pipe:
        socket.send_fds(client, [b"log\n"], [pipe.writer])
        assert client.recv(10) == b"ok"
        pipe.close_writer()
        assert pipe.read() == b"log\n"
        client.close()
        pipe.wait_for_end()
        assert any("took 1 descriptor" in line for line in found.server.transcript())
        if route == "proxied":
            assert any("1 descriptor with the next byte from the client" in each for each in found.proxy.transcript())


@on_every_route
@on_every_concurrency
def test_a_handler_gives_a_descriptor(concurrency: str, route: str) -> None:
    with way(route, GivesOne, concurrency=concurrency) as found, found.client() as client:
        client.sendall(b"x")
        data, (number,) = take(client, 100)
        assert (data, os.read(number, 100)) == (b"here", b"from the server")
        os.close(number)
        assert any("gave 1 descriptor" in line for line in found.server.transcript())


@on_every_route
def test_an_async_handler_takes_and_gives_descriptors(route: str) -> None:
    async def handler(stream: Any, client_address: Any, server: Any) -> None:
        data, ancillary, _, _ = await stream.socket.recvmsg(100, socket.CMSG_SPACE(4))
        ((level, kind, numbers),) = [each for each in ancillary if each[1] == socket.SCM_RIGHTS]
        await stream.socket.sendmsg([data], [(level, kind, numbers)])
        os.close(struct.unpack("i", numbers)[0])

    with way(route, handler, concurrency="trio") as found, found.client() as client, Pipe() as pipe:
        socket.send_fds(client, [b"back"], [pipe.writer])
        data, (number,) = take(client, 100)
        os.write(number, data)
        os.close(number)
        pipe.close_writer()
        assert pipe.read() == b"back"
        pipe.wait_for_end()
        said = "\n".join(found.server.transcript())
        assert "took 1 descriptor" in said
        assert "gave 1 descriptor" in said
        assert found.server.connections[0].upstream == found.server.connections[0].downstream == b"back"


class SaysWhere(BaseRequestHandler):
    """Reads byte by byte, and answers with those that a descriptor came with."""

    def handle(self) -> None:
        places = bytearray()
        while True:
            data, found = take(self.request, 1)
            for each in found:
                os.close(each)
            places += data if found else b""
            if data in (b"\n", b""):
                break
        self.request.sendall(bytes(places) + b"\n")


def send_with_descriptors(client: socket.socket, descriptor: int) -> None:
    """Send letters; those that begin with a capital come with descriptors, one to three of them."""
    for data, count in ((b"abc", 0), (b"Def", 1), (b"ghi", 0), (b"J", 2), (b"Kl", 3), (b"m\n", 0)):
        socket.send_fds(client, [data], [descriptor] * count) if count else client.sendall(data)


@on_every_route
@pytest.mark.parametrize("concurrency", ["threading", "selecting"])
def test_a_descriptor_comes_with_the_byte_that_it_was_sent_with(concurrency: str, route: str) -> None:
    with way(route, SaysWhere, concurrency=concurrency) as found, found.client() as client, Pipe() as pipe:
        send_with_descriptors(client, pipe.writer)
        assert client.recv(100) == b"DJK\n"
        pipe.close_writer()
        pipe.wait_for_end()


def test_a_relay_that_reads_late_keeps_descriptors_at_their_bytes() -> None:
    """What has piled up before it is read is one run of bytes to the kernel."""
    with way("relayed", SaysWhere) as found, found.client() as client, Pipe() as pipe:
        with found.server.fault(Hold(), direction="upstream") as hold:
            send_with_descriptors(client, pipe.writer)
            hold.release()
            assert client.recv(100) == b"DJK\n"
        pipe.close_writer()
        pipe.wait_for_end()


@on_every_middleman
@pytest.mark.parametrize(
    "fault", [Delay(0.01), Segment(1), Rate(10_000), Replace(b"D", b"d"), Corrupt("replace", data=b"DD")], ids=repr
)
def test_faults_pass_descriptors_on(fault: Any, route: str) -> None:
    with way(route, TakesOne) as found, found.client() as client, Pipe() as pipe:
        with found.faulty.fault(fault, direction="upstream", allow_unfired=True):
            socket.send_fds(client, [b"D"], [pipe.writer])
            assert client.recv(10) == b"ok"
        pipe.close_writer()
        assert pipe.read() in (b"D", b"d")


def take_away(item: Any, link: Any) -> None:
    """A function that is a fault."""


@on_every_middleman
@pytest.mark.parametrize(
    ("fault", "selector"),
    [
        *((Truncate(0, then=then), {"nth": 2}) for then in ("close", "reset", "discard", "stall")),
        (Blackhole(discard=True), {}),
        (take_away, {"nth": 2}),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_faults_that_take_bytes_away_close_their_descriptors_and_say_so(fault: Any, selector: Any, route: str) -> None:
    with way(route, handler_that_waits) as found, found.client() as client, Pipe() as pipe:
        with found.faulty.fault(fault, direction="upstream", **selector) as installed:
            client.sendall(b"x")
            socket.send_fds(client, [b"log\n"], [pipe.writer])
            pipe.close_writer()
            pipe.wait_for_end()
        assert any(each.what.endswith(", and closed 1 descriptor that came with it") for each in installed.log)


@on_every_middleman
def test_the_log_of_a_fault_says_that_descriptors_were_closed(route: str) -> None:
    with way(route, handler_that_waits, framing="lines") as found, found.client() as client, Pipe() as pipe:
        with found.faulty.fault(Blackhole(discard=True), direction="upstream") as dark:
            socket.send_fds(client, [b"log\n"], [pipe.writer])
            pipe.close_writer()
            pipe.wait_for_end()
        assert dark.fired == len(dark.log) == 1
        assert dark.log[0].what == "swallowed 4 B, and closed 1 descriptor that came with it"


def handler_that_waits(request: Any, client_address: Any, server: Any) -> None:
    while request.recv(100):
        pass


@on_every_middleman
def test_descriptors_that_wait_when_a_connection_ends_are_closed(route: str) -> None:
    is_held = threading.Event()

    def keep(item: Any, link: Any) -> tuple[()]:
        link.hold(item)
        is_held.set()
        return ()

    with way(route, handler_that_waits) as found, Pipe() as pipe:
        with found.client() as client, found.faulty.fault(keep, direction="upstream"):
            socket.send_fds(client, [b"log\n"], [pipe.writer])
            assert is_held.wait(DEADLINE)
            pipe.close_writer()
            found.faulty.stop()
        pipe.wait_for_end()


@on_every_middleman
def test_a_server_that_takes_nothing_gets_no_descriptor_twice(route: str) -> None:
    """More waits than the kernel takes: what is attached goes with its byte, once, and nothing is left over."""
    rest = b"x" * 2_000_000

    def handler(request: Any, client_address: Any, server: Any) -> None:
        size, count = 0, 0
        while size < len(rest) + 5:
            data, found = take(request, 65536)
            size, count = size + len(data), count + len(found)
            for each in found:
                os.close(each)
        request.sendall(b"%d" % count)

    with way(route, handler) as found, found.client() as client, Pipe() as pipe:
        client.sendall(rest[:1_000_000])
        socket.send_fds(client, [b"first"], [pipe.writer])
        client.sendall(rest[1_000_000:])
        assert client.recv(10) == b"1"
        pipe.close_writer()
        pipe.wait_for_end()


# --- fakes


@on_every_route
@on_every_concurrency
@pytest.mark.parametrize("framing", [None, "lines"])
def test_a_fake_shows_a_descriptor_and_closes_it(concurrency: str, framing: Any, route: str) -> None:
    with way(route, concurrency=concurrency, framing=framing) as found, Pipe() as pipe:
        found.server.on(b"log\n").reply(b"ok")
        with found.client() as client:
            socket.send_fds(client, [b"log\n"], [pipe.writer, pipe.writer])
            assert client.recv(10) == b"ok"
        pipe.close_writer()
        pipe.wait_for_end()
        assert any("took 2 descriptors" in line for line in found.server.transcript())


@on_every_concurrency
def test_a_fake_that_plays_a_script_shows_a_descriptor_and_closes_it(concurrency: str) -> None:
    with way("direct", concurrency=concurrency) as found, Pipe() as pipe:
        found.server.play(windsock.Script().expect(b"log\n").send(b"ok"))
        with found.client() as client:
            socket.send_fds(client, [b"log\n"], [pipe.writer])
            assert client.recv(10) == b"ok"
        pipe.close_writer()
        pipe.wait_for_end()
        assert any("took 1 descriptor" in line for line in found.server.transcript())


# --- datagrams


@on_every_route
@on_every_concurrency
def test_a_descriptor_of_a_datagram_is_shown_and_closed(concurrency: str, route: str) -> None:
    with way(route, transport="unix_datagram", concurrency=concurrency) as found, found.client() as client:
        found.server.reply(b"ok")
        with Pipe() as pipe:
            socket.send_fds(client, [b"log\n"], [pipe.writer])
            assert client.recv(10) == b"ok"
            pipe.close_writer()
            pipe.wait_for_end()
        assert any("1 descriptor with the datagram" in line for line in found.server.transcript())
        if found.proxy is not None:
            assert any("1 descriptor with the datagram from the client" in each for each in found.proxy.transcript())


class Store(ThreadingMixIn, UnixDatagramServer):
    """Keeps what comes, as service managers do (FDSTORE=1 of sd_notify(3))."""

    kept: list[int]

    def handle_descriptors(self, descriptors: list[int], data: bytes, client_address: Any) -> None:
        self.kept = descriptors


class Returns(BaseRequestHandler):
    def handle(self) -> None:
        data, sock = self.request
        number = self.server.kept[0]
        sock.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", number))], 0, self.client_address)
        os.close(number)


@on_every_route
def test_a_datagram_server_takes_and_gives_descriptors(route: str) -> None:
    with way(route, Store, Returns, transport=None) as found, found.client() as client, Pipe() as pipe:
        socket.send_fds(client, [b"back"], [pipe.writer])
        data, (number,) = take(client, 100)
        os.write(number, data)
        os.close(number)
        pipe.close_writer()
        assert pipe.read() == b"back"
        pipe.wait_for_end()


@on_every_middleman
@pytest.mark.parametrize("fault", [Drop([1]), Blackhole()], ids=repr)
def test_faults_that_lose_datagrams_close_their_descriptors_and_say_so(fault: Any, route: str) -> None:
    with way(route, transport="unix_datagram", framing=None) as found, found.client() as client, Pipe() as pipe:
        found.server.echo()
        with found.faulty.fault(fault, direction="upstream") as installed:
            socket.send_fds(client, [b"lost"], [pipe.writer])
            pipe.close_writer()
            pipe.wait_for_end()
            assert installed.log[0].what.endswith("4 B, and closed 1 descriptor that came with it")
            assert installed.fired == 1


@on_every_middleman
def test_each_copy_of_a_datagram_has_descriptors_of_its_own(route: str) -> None:
    with way(route, transport="unix_datagram") as found, found.client() as client, Pipe() as pipe:
        found.server.echo()
        with found.faulty.fault(Duplicate(2), direction="upstream"):
            socket.send_fds(client, [b"x"], [pipe.writer])
            assert [client.recv(10) for _ in range(3)] == [b"x"] * 3
        pipe.close_writer()
        pipe.wait_for_end()
        notes = [line for line in found.server.transcript() if "1 descriptor with the datagram" in line]
        assert len(notes) == 3


# --- credentials


class Credits(BaseRequestHandler):
    """Answers with what the kernel knows of the client."""

    def handle(self) -> None:
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.request.sendall(b"?")
        _, ancillary, _, _ = self.request.recvmsg(10, socket.CMSG_SPACE(UCRED.size))
        ((_, _, sent),) = ancillary
        self.request.sendall(self.request.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, UCRED.size) + sent)


@on_every_route
@on_every_concurrency
def test_a_handler_sees_the_clients_credentials(concurrency: str, route: str) -> None:
    reader, writer = os.pipe()
    with way(route, Credits, concurrency=concurrency) as found:

        def client() -> None:
            with found.client() as sock:
                assert sock.recv(1) == b"?"
                sock.sendall(b"x")
                os.write(writer, sock.recv(100))

        pid = forked(client)
        assert ended_well(pid)
        answer = os.read(reader, 100)
        peer, sent = UCRED.unpack(answer[: UCRED.size]), UCRED.unpack(answer[UCRED.size :])
        is_privileged = os.geteuid() == 0
        if "proxied" not in route:
            assert peer == sent == (pid, os.getuid(), os.getgid())
        else:
            assert peer == own_credentials()
            assert sent[0] == (pid if is_privileged else os.getpid())
            (line,) = [each for each in found.proxy.transcript() if "SO_PEERCRED shows" in each]
            assert f"the client is process {pid}" in line
    os.close(reader)
    os.close(writer)


class Guarded(PeerCredentialsMixIn, ThreadingMixIn, UnixStreamServer):
    pass


class GuardedSelecting(PeerCredentialsMixIn, SelectingMixIn, UnixStreamServer):
    pass


class GuardedTrio(PeerCredentialsMixIn, TrioMixIn, UnixStreamServer):
    pass


async def greet(stream: Any, client_address: Any, server: Any) -> None:
    await stream.send_all(b"hello")


@pytest.mark.parametrize("relay", [False, True])
@pytest.mark.parametrize("kind", [Guarded, GuardedSelecting, GuardedTrio])
def test_a_relayed_server_checks_the_client_and_not_the_relay(kind: Any, relay: bool) -> None:
    seen: list[Any] = []

    class Server(kind):  # type: ignore[misc]  # one of three
        def verify_request(self, request: Any, client_address: Any) -> bool:
            seen.append(self.peer_credentials(request))
            return bool(super().verify_request(request, client_address))

    handler = greet if kind is GuardedTrio else lambda request, address, server: request.sendall(b"hello")
    with windsock.serving(Server, handler, relay=relay) as server:
        found = Way(server)

        def client() -> None:
            with found.client() as sock:
                assert sock.recv(10) == b"hello"

        pid = forked(client)
        assert ended_well(pid)
        assert seen == [(pid, os.getuid(), os.getgid())]


class ShowsSenders(UnixDatagramServer):
    """Asks for the credentials of senders, which `senders` keeps."""

    def server_bind(self) -> None:
        super().server_bind()
        self.senders: list[tuple[int, ...]] = []
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)

    def get_request(self) -> tuple[Any, Any]:
        data, ancillary, _, address = self.socket.recvmsg(100, 200)
        kinds = {kind: content for _, kind, content in ancillary}
        self.senders.append(UCRED.unpack(kinds[socket.SCM_CREDENTIALS]))
        for each in array.array("i", kinds.get(socket.SCM_RIGHTS, b"")):
            os.close(each)
        return (data, self.socket), address


@pytest.mark.parametrize("with_descriptor", [False, True], ids=["alone", "with a descriptor"])
@on_every_route
def test_the_sender_of_a_datagram_is_shown_to_the_server(route: str, with_descriptor: bool) -> None:
    with way(route, ShowsSenders, transport="unix_datagram") as found, Pipe() as pipe:

        def client() -> None:
            with found.client() as sock:
                if with_descriptor:
                    socket.send_fds(sock, [b"x"], [pipe.writer])
                else:
                    sock.send(b"x")
                assert sock.recv(10) == b"x"  # it must not end before its datagram is passed on

        found.server.echo()
        pid = forked(client)
        assert ended_well(pid)
        expected = pid if os.geteuid() == 0 or route == "direct" else os.getpid()
        assert [each[0] for each in found.server.server.senders] == [expected]


class SentByAChild(BaseRequestHandler):
    """Sends the process id of the child that handles the request."""

    def handle(self) -> None:
        self.request.recv(1)
        self.request.sendall(b"%d" % os.getpid())


@on_every_route
def test_a_client_is_shown_the_child_that_replies(route: str) -> None:
    with way(route, SentByAChild, concurrency="forking") as found, found.client() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        client.sendall(b"x")
        pid, ancillary, _, _ = client.recvmsg(100, socket.CMSG_SPACE(UCRED.size))
        ((_, _, sent),) = ancillary

        expected = int(pid) if os.geteuid() == 0 or route == "direct" else os.getpid()
        assert UCRED.unpack(sent)[0] == expected


def test_a_proxy_notes_that_it_cannot_show_a_process_that_has_ended() -> None:
    """The kernel lets no process, privileged or not, show the credentials of one that is gone."""
    with way("proxied", Credits) as found:

        def client() -> None:
            with found.client() as sock:
                assert sock.recv(1) == b"?"
                sock.sendall(b"x")

        with found.proxy.fault(Hold(), direction="upstream") as hold:
            pid = forked(client)
            assert ended_well(pid)
            wait_until(lambda: hold.fired == 2, "the held byte, and the end behind it")
        found.proxy.drain()
        found.server.drain()

        (note,) = [line for line in found.proxy.transcript() if "could not be passed on" in line]
        assert f"credentials of process {pid}" in note


# --- what is left


def test_thousands_of_descriptors_leave_none_behind() -> None:
    with way("relayed and proxied", SaysWhere) as found, Pipe() as pipe:
        before = descriptors()
        for _ in range(20):
            with found.client() as client:
                for _ in range(10):
                    socket.send_fds(client, [b"x"], [pipe.writer] * 8)
                client.sendall(b"\n")
                assert client.recv(100) == b"x" * 10 + b"\n"
        found.server.connections.wait(20)
        found.proxy.connections.wait(20)
        wait_until(lambda: len(descriptors()) <= len(before), "no descriptor is left of the connections")
        pipe.close_writer()
        pipe.wait_for_end()
