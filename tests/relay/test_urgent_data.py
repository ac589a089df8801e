"""Urgent data through relays and proxies: the byte and its mark arrive as they were sent."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from fcntl import ioctl
from queue import Queue
from typing import Any

import pytest

import windsock
from tests.servers.helpers import only_linux
from tests.support.waiting import DEADLINE, wait_until
from windsock.faults import Blackhole, Corrupt, Delay, Hold, Rate, Replace, Segment, Truncate
from windsock.net import urgent
from windsock.security import certificates
from windsock.servers import BaseRequestHandler

pytestmark = only_linux

SIOCATMARK = 0x8905
on_every_stream = pytest.mark.parametrize("transport", ["tcp", "unix_stream"])
on_every_middleman = pytest.mark.parametrize("route", ["relayed", "proxied", "relayed and proxied"])
in_both_directions = pytest.mark.parametrize("direction", ["upstream", "downstream"])


def is_at_mark(sock: socket.socket) -> bool:
    (answer,) = struct.unpack("i", ioctl(sock.fileno(), SIOCATMARK, bytes(4)))
    return bool(answer)


def received(sock: socket.socket, size: int) -> list[bytes]:
    """Receive `size` bytes in line; return them cut before and after each urgent byte, which is alone."""
    pieces = [b""]
    while sum(map(len, pieces)) < size:
        sock.recv(1, socket.MSG_PEEK)  # wait
        if is_at_mark(sock):
            pieces += [sock.recv(1), b""]
        elif not (data := sock.recv(size)):
            break
        else:
            pieces[-1] += data
    return [each for each in pieces if each]


class Ends:
    """Both ends of a connection, and what carries the faults."""

    def __init__(self, client: socket.socket, server: socket.socket, faulty: Any) -> None:
        self.client, self.server, self.faulty = client, server, faulty

    def pair(self, direction: str) -> tuple[socket.socket, socket.socket]:
        return (self.client, self.server) if direction == "upstream" else (self.server, self.client)


@contextlib.contextmanager
def ends(route: str, transport: str) -> Iterator[Ends]:
    """Connect through a relay, a proxy or both to a handler whose socket the test uses."""
    accepted: Queue[socket.socket] = Queue()
    is_over = threading.Event()

    class Lend(BaseRequestHandler):
        def handle(self) -> None:
            self.request.settimeout(DEADLINE)
            accepted.put(inline(self.request))
            is_over.wait(DEADLINE)

    with contextlib.ExitStack() as stack:
        server = stack.enter_context(
            windsock.serving(Lend, transport=transport, concurrency="threading", relay="relayed" in route)
        )
        faulty: Any = stack.enter_context(windsock.proxy(server.address)) if "proxied" in route else server
        stack.callback(is_over.set)
        client = stack.enter_context(socket.socket(server.server.address_family))
        client.settimeout(DEADLINE)
        client.connect(faulty.address)
        yield Ends(inline(client), accepted.get(timeout=DEADLINE), faulty)


def inline(sock: socket.socket) -> socket.socket:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
    return sock


@on_every_middleman
@on_every_stream
@in_both_directions
def test_the_urgent_byte_and_its_mark_arrive_as_they_were_sent(route: str, transport: str, direction: str) -> None:
    with ends(route, transport) as both:
        sender, receiver = both.pair(direction)
        sender.send(b"abcX", socket.MSG_OOB)
        sender.sendall(b"def")
        assert received(receiver, 7) == [b"abc", b"X", b"def"]
        sender.send(b"Y", socket.MSG_OOB)
        assert received(receiver, 1) == [b"Y"]


@on_every_middleman
@on_every_stream
def test_a_receiver_out_of_line_gets_the_urgent_byte_beside_the_stream(route: str, transport: str) -> None:
    with ends(route, transport) as both:
        both.server.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 0)
        both.client.send(b"abX", socket.MSG_OOB)
        poll = select.poll()
        poll.register(both.server, select.POLLPRI)
        assert poll.poll(DEADLINE * 1000)
        assert urgent.take(both.server) == b"X"
        both.client.sendall(b"cd")
        data = b""
        while len(data) < 4:
            data += both.server.recv(10)
        assert data == b"abcd"


@on_every_middleman
@on_every_stream
def test_the_last_byte_before_the_end_of_a_stream_may_be_urgent(route: str, transport: str) -> None:
    with ends(route, transport) as both:
        both.client.send(b"abX", socket.MSG_OOB)
        both.client.shutdown(socket.SHUT_WR)
        assert received(both.server, 3) == [b"ab", b"X"]
        assert both.server.recv(1) == b""


@on_every_stream
def test_a_reader_that_is_late_gets_the_mark_too(transport: str) -> None:
    with ends("proxied", transport) as both:
        size = 2_000_000
        sending = threading.Thread(target=both.client.sendall, args=(bytes(size),))
        sending.start()
        before = received(both.server, size)
        sending.join(DEADLINE)
        both.client.send(b"X", socket.MSG_OOB)
        assert sum(map(len, before)) == size
        assert received(both.server, 1) == [b"X"]


@pytest.mark.parametrize(
    "fault",
    [
        Delay(0.01),
        Segment(2),
        Segment(1, interval=0.002),
        Rate(20_000),
        Hold(),
        Corrupt("replace", data=b"abcXdef"),
        Replace(b"zz", b"y"),
        Truncate(after_bytes=4, then="stall"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("route", ["relayed", "proxied"])
@on_every_stream
def test_faults_leave_the_mark_on_its_byte(fault: Any, route: str, transport: str) -> None:
    with ends(route, transport) as both:
        installed = both.faulty.fault(fault, direction="upstream", allow_unfired=True)
        both.client.send(b"abcX", socket.MSG_OOB)
        if isinstance(fault, Hold):
            wait_until(lambda: installed.firings, "the data is held")
            installed.heal()
        assert received(both.server, 4) == [b"abc", b"a" if isinstance(fault, Corrupt) else b"X"]


@pytest.mark.parametrize("fault", [Truncate(after_bytes=3, then="discard"), Blackhole(discard=True)], ids=repr)
@on_every_middleman
@on_every_stream
def test_a_fault_that_drops_the_urgent_byte_says_so_in_its_log(fault: Any, route: str, transport: str) -> None:
    with ends(route, transport) as both:
        installed = both.faulty.fault(fault, direction="upstream")
        both.client.send(b"abcX", socket.MSG_OOB)
        wait_until(lambda: any("lost 1 urgent mark" in each.what for each in installed.log), "the log names the mark")


def tls_server() -> ssl.SSLContext:
    pytest.importorskip("trustme")
    context = certificates.server_context(is_mutual=False)
    certificates.certificate("valid", ("localhost", "127.0.0.1")).configure_cert(context)
    return context


def test_an_urgent_byte_beneath_tls_that_ends_at_a_proxy_is_in_the_record() -> None:
    with windsock.serving(transport="tcp", framing="lines") as server:
        server.echo()
        with windsock.proxy(server.address, tls=tls_server()) as proxy:
            with socket.create_connection(proxy.address, DEADLINE) as below:
                context = certificates.client_context(certificate=False)
                client = context.wrap_socket(below.dup(), server_hostname="localhost")
                client.sendall(b"w\n")
                assert client.recv(10) == b"w\n"
                below.send(b"!", socket.MSG_OOB)
                wait_until(lambda: any("1 B of urgent data" in line for line in proxy.transcript()), "the note")
                client.sendall(b"x\n")
                assert client.recv(10) == b"x\n"
                client.close()
            words = "note: 1 B of urgent data was not passed on, since TLS has none: b'!'"
            assert any(words in line for line in proxy.transcript())


def hello_of(context: ssl.SSLContext) -> bytes:
    """Return the first bytes of a handshake."""
    outgoing = ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


def before_the_handshake(below: socket.socket, context: ssl.SSLContext) -> None:
    below.send(b"!", socket.MSG_OOB)
    client = context.wrap_socket(below.dup(), server_hostname="localhost")
    client.sendall(b"x\n")
    assert client.recv(10) == b"x\n"
    client.close()


def within_the_handshake(below: socket.socket, context: ssl.SSLContext) -> None:
    hello = hello_of(context)
    below.sendall(hello[:50])
    below.send(b"!", socket.MSG_OOB)
    below.sendall(hello[50:])
    assert below.recv(1) == b"\x16"  # a record of a handshake


def before_more_data(below: socket.socket, context: ssl.SSLContext) -> None:
    client = context.wrap_socket(below.dup(), server_hostname="localhost")
    below.send(b"!", socket.MSG_OOB)
    client.sendall(b"x" * 100_000 + b"\n")
    received = 0
    while received < 100_001:
        received += len(client.recv(65536))
    client.close()


def before_the_end(below: socket.socket, context: ssl.SSLContext) -> None:
    client = context.wrap_socket(below.dup(), server_hostname="localhost")
    below.send(b"!", socket.MSG_OOB)
    client.close()
    below.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("transport", ["tcp", "unix_stream"])
@pytest.mark.parametrize("send", [before_the_handshake, within_the_handshake, before_more_data, before_the_end])
def test_an_urgent_byte_beneath_tls_is_in_the_record_whenever_it_comes(send: Any, transport: str) -> None:
    words = "note: 1 B of urgent data was not passed on, since TLS has none: b'!'"
    with windsock.serving(transport=transport, framing="lines", strict=False) as server:
        server.echo()
        family = server.server.address_family
        with windsock.proxy(server.address, tls=tls_server()) as proxy, socket.socket(family) as below:
            below.settimeout(DEADLINE)
            below.connect(proxy.address)
            send(below, certificates.client_context(certificate=False))

            wait_until(lambda: any(words in line for line in proxy.transcript()), "the note")


def test_an_urgent_byte_goes_into_tls_without_its_mark_and_a_note_says_so() -> None:
    with windsock.serving(transport="tcp", framing="lines", tls=True) as server:
        server.echo()
        upstream = certificates.client_context(certificate=False)
        with windsock.proxy(server.address, upstream_tls=upstream, server_name="localhost") as proxy:
            with socket.create_connection(proxy.address, DEADLINE) as client:
                client.send(b"x!", socket.MSG_OOB)
                client.sendall(b"\n")
                assert client.recv(10) == b"x!\n"
            words = "1 urgent mark of b'!' could not be passed on: the other end speaks TLS, which has no urgent data"
            assert any(words in line for line in proxy.transcript())
