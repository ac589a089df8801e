"""What a faithful carrier of bytes does: one suite for a direct connection, relays and proxies, on each transport."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from itertools import product

import pytest

from tests.support.carriers import CARRIERS, STREAMS, Line, Sender, fill
from tests.support.servers import receive, reset, rest_of
from tests.support.waiting import DEADLINE
from windsock.net.callbacks import nothing

MIB = 1 << 20


@pytest.fixture(params=list(product(STREAMS, CARRIERS)), ids=lambda pair: f"{pair[0]}-{pair[1].replace(' ', '_')}")
def line(request: pytest.FixtureRequest, nothing_is_left: None) -> Iterator[Line]:
    transport, carrier = request.param
    with CARRIERS[carrier](transport) as made:
        yield made
    made.stop = nothing  # pytest keeps the line until nothing may be left, and so would the line keep a recording


def test_bytes_keep_their_order_both_ways(line: Line) -> None:
    numbers = random.Random(5)
    pieces = [numbers.randbytes(numbers.choice((1, 10, 1000, 70_000))) for _ in range(60)]

    for sender, receiver in ((line.client, line.server), (line.server, line.client)):
        for piece in pieces:
            sender.sendall(piece)
            assert receive(receiver, len(piece)) == piece


def test_a_client_that_has_said_all_is_still_answered(line: Line) -> None:
    line.client.sendall(b"question")
    line.client.shutdown(socket.SHUT_WR)

    assert rest_of(line.server) == b"question"
    line.server.sendall(b"answer")
    line.server.close()
    assert rest_of(line.client) == b"answer"


def test_a_server_that_has_said_all_still_listens(line: Line) -> None:
    line.server.sendall(b"banner")
    line.server.shutdown(socket.SHUT_WR)

    assert rest_of(line.client) == b"banner"
    line.client.sendall(b"complaint")
    line.client.close()
    assert rest_of(line.server) == b"complaint"


def test_both_may_say_all_at_the_same_time(line: Line) -> None:
    for end in (line.client, line.server):
        end.sendall(b"bye")
        end.shutdown(socket.SHUT_WR)

    assert [rest_of(line.client), rest_of(line.server)] == [b"bye", b"bye"]


@pytest.mark.parametrize("who", ["client", "server"])
def test_a_reset_arrives_as_a_reset(line: Line, who: str) -> None:
    ends = [line.client, line.server]
    vanishing, other = ends if who == "client" else ends[::-1]
    if vanishing.family == socket.AF_UNIX:
        pytest.skip("a Unix socket resets by leaving data unread; see the next test")
    other.sendall(b"x")
    assert receive(vanishing, 1) == b"x"

    reset(vanishing)

    with pytest.raises(ConnectionResetError):
        other.recv(1)


@pytest.mark.parametrize("who", ["client", "server"])
def test_what_was_said_before_the_connection_was_closed_with_data_unread_arrives(line: Line, who: str) -> None:
    ends = [line.client, line.server]
    vanishing, other = ends if who == "client" else ends[::-1]
    other.sendall(b"unread")
    vanishing.settimeout(DEADLINE)
    vanishing.recv(1, socket.MSG_PEEK)
    vanishing.sendall(b"last words")
    assert receive(other, 10) == b"last words"

    vanishing.close()

    with pytest.raises((ConnectionResetError, BrokenPipeError)):  # noqa: PT012  # the end first, or the reset at once
        assert other.recv(1) == b""
        while True:
            other.sendall(b"anybody there?")


def test_much_goes_both_ways_at_the_same_time(line: Line) -> None:
    up, down = random.Random(1).randbytes(8 * MIB), random.Random(2).randbytes(8 * MIB)

    senders = [Sender(line.client, up), Sender(line.server, down)]
    received: list[bytes] = []
    reader = Reader(line.server, len(up))
    received.append(receive(line.client, len(down)))
    received.append(reader.wait())

    assert [sender.wait() for sender in senders] == [None, None]
    assert received == [down, up]


class Reader(Sender):
    """Receives in the background."""

    def __init__(self, sock: socket.socket, size: int) -> None:
        self._size = size
        self._received = b""
        super().__init__(sock, b"")

    def run(self) -> None:
        self._received = receive(self._socket, self._size)

    def wait(self) -> bytes:  # type: ignore[override]  # it is the data that matters here
        super().wait()
        return self._received


def test_thousands_of_tiny_pieces_arrive(line: Line) -> None:
    reader = Reader(line.server, 3000)

    for number in range(3000):
        line.client.send(b"%d" % (number % 10))

    assert reader.wait() == b"0123456789" * 300


def test_a_sender_has_to_wait_for_a_receiver_that_does_not_read(line: Line) -> None:
    size = fill(line.client)

    assert size < 100 * MIB
    line.client.shutdown(socket.SHUT_WR)
    assert len(rest_of(line.server)) == size


def test_a_client_that_vanishes_while_nobody_reads_is_noticed(line: Line) -> None:
    fill(line.client)

    reset(line.client)

    try:
        rest = rest_of(line.server)
    except ConnectionResetError:
        rest = b""
    assert len(rest) < 100 * MIB


def test_stopping_ends_both_ends_in_the_middle_of_much(line: Line) -> None:
    senders = [Sender(line.client, bytes(64 * MIB)), Sender(line.server, bytes(64 * MIB))]
    receive(line.client, MIB)

    line.stop()

    for end in (line.client, line.server):
        try:
            rest_of(end)
        except OSError:
            continue
    for sender in senders:
        assert isinstance(sender.wait(), OSError)


def test_stopping_ends_ends_that_wait(line: Line) -> None:
    line.client.sendall(b"x")
    assert receive(line.server, 1) == b"x"

    line.stop()

    assert [line.client.recv(1), line.server.recv(1)] == [b"", b""]
