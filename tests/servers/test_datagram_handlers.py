"""DatagramRequestHandler, and what becomes of datagrams that are too long or come from nowhere."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest

from tests.servers.helpers import DATAGRAM, FORKING, UNIX_DATAGRAM, Notes, Place, ask, each
from tests.support.servers import Signal
from tests.support.waiting import DEADLINE
from windsock import servers
from windsock.net.system import platform


class Replies(servers.DatagramRequestHandler):
    """Does with `wfile` what the packet says."""

    def handle(self) -> None:
        word = self.rfile.read()
        if word == b"short":
            self.wfile.write(b"ok")
        elif word == b"lines":
            self.wfile.writelines([b"one\n", b"two\n"])
        elif word == b"empty":
            self.wfile.write(b"")
        elif word == b"by hand":
            self.socket.sendto(self.packet.upper(), self.client_address)


@each(DATAGRAM)
@pytest.mark.parametrize(
    ("word", "reply"), [(b"short", b"ok"), (b"lines", b"one\ntwo\n"), (b"empty", b""), (b"by hand", b"BY HAND")]
)
def test_a_datagram_reply_starts_empty(place: Place, kind: Any, word: bytes, reply: bytes) -> None:
    client = place.connect(place.start(kind, Replies))
    client.send(word)

    assert client.recv(100) == reply


@each(DATAGRAM)
def test_a_handler_that_writes_nothing_sends_nothing(place: Place, kind: Any) -> None:
    server = place.start(kind, Replies)
    client = place.connect(server)
    client.send(b"nothing, please")
    client.send(b"short")

    assert client.recv(100) == b"ok"
    server.server_close()
    client.setblocking(False)
    with pytest.raises(BlockingIOError):
        client.recv(100)


def test_a_handler_may_have_files_of_its_own(place: Place) -> None:
    import io

    class Own(servers.DatagramRequestHandler):
        def setup(self) -> None:
            super().setup()
            self.wfile = io.BytesIO()  # type: ignore[assignment]  # plain, without memory of empty writes

        def handle(self) -> None:
            self.wfile.write(b"own")

    assert ask(place.connect(place.start(servers.UDPServer, Own)), b"abc") == b"own"


@each(UNIX_DATAGRAM)
def test_a_client_without_a_name_is_served_and_gets_no_reply(place: Place, kind: Any) -> None:
    class SaysWho(servers.DatagramRequestHandler):
        def handle(self) -> None:
            self.server.notes.write(f"from {self.client_address}")
            self.wfile.write(b"reply")

    server = place.start(kind, SaysWho)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as nameless:
        nameless.sendto(b"hello", server.server_address)

        assert place.notes.read() == "from None"
        server.server_close()
        assert place.notes.read_all() == []


@each(UNIX_DATAGRAM)
@pytest.mark.parametrize("its_file", ["left", "removed"])
def test_a_client_that_is_gone_is_no_error(place: Place, signals: list[Signal], kind: Any, its_file: str) -> None:
    class Waits(servers.DatagramRequestHandler):
        def handle(self) -> None:
            self.server.notes.write("taken")
            signals[0].wait()
            self.wfile.write(b"reply")

    server = place.start(kind, Waits)
    client = place.connect(server)
    path = client.getsockname()
    client.send(b"hello")
    assert place.notes.read() == "taken"
    client.close()
    if its_file == "removed":
        os.unlink(path)

    signals[0].set()

    server.server_close()
    assert place.notes.read_all() == []


class Truncates:
    notes: Notes

    def handle_truncated(self, data: bytes, size: int, client_address: Any) -> None:
        self.notes.write(f"cut {len(data)} of {size}")


@each(DATAGRAM)
def test_an_oversize_datagram_is_noticed_and_handled_as_cut(place: Place, kind: Any) -> None:
    client = place.connect(place.start(kind, None, Truncates, max_packet_size=5))

    client.send(b"123456789")

    assert client.recv(100) == b"12345"
    assert place.notes.read() == ("cut 5 of 9" if platform == "linux" else "cut 5 of 5")


@each(DATAGRAM)
def test_a_datagram_that_fits_exactly_is_not_cut(place: Place, kind: Any) -> None:
    client = place.connect(place.start(kind, None, Truncates, max_packet_size=5))

    assert ask(client, b"12345") == b"12345"
    assert place.notes.read_all() == []


def test_a_cut_datagram_is_reported_on_stderr(place: Place, capfd: pytest.CaptureFixture[str]) -> None:
    client = place.connect(place.start(servers.UDPServer, max_packet_size=5))
    client.send(b"123456789")
    assert client.recv(100) == b"12345"

    told = capfd.readouterr().err
    assert told.startswith("UDPServer: a datagram of ")
    assert told.endswith(" was cut to max_packet_size = 5\n")
    assert "127.0.0.1:" in told


@each(DATAGRAM)
def test_an_empty_datagram_is_a_request(place: Place, kind: Any) -> None:
    class Empty(servers.DatagramRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"%d bytes" % len(self.packet))

    client = place.connect(place.start(kind, Empty))
    client.send(b"")

    assert client.recv(100) == b"0 bytes"


@each([kind for kind in FORKING if kind.socket_type == socket.SOCK_DGRAM])
def test_a_forked_udp_server_answers(place: Place, kind: Any) -> None:
    class SaysWhere(servers.DatagramRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"%d" % os.getpid())

    server = place.start(kind, SaysWhere)
    client = place.connect(server)
    client.send(b"where?")
    first = client.recv(100)
    client.send(b"where?")
    second = client.recv(100)

    assert len({first, second, b"%d" % os.getpid()}) == 3
    assert server.wait_for_requests(DEADLINE) == []
