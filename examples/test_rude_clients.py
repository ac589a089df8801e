"""Rude clients: a handler of one's own against every way to be slow or to fail, on every kind of server."""

from __future__ import annotations

import select
from time import monotonic, sleep

import pytest

from windsock import Connection, RunningServer, Script, random_bytes
from windsock.servers import StreamRequestHandler

pytest.importorskip("trustme", reason="half of the servers speak TLS")

ATLAS = bytes(4_000_000)
"""More than the kernel takes in for somebody who does not read."""


class Store(StreamRequestHandler):
    """A small store for clients that know the word.

    AUTH word, GET key, and PUT key length with so many bytes behind the line; answered by +OK, by $length with so many
    bytes behind the line, or by -ERR and why.
    """

    def setup(self) -> None:
        super().setup()
        self.values = {b"wind": b"NW", b"atlas": ATLAS}
        self.is_known = False

    def handle(self) -> None:
        while (line := self.rfile.readline(200)).endswith(b"\n"):
            command, *words = line.split() or [b""]
            if not self.is_known and command != b"AUTH":
                self.wfile.write(b"-ERR who are you\r\n")
                return
            if not self.obeys(command, words):
                return

    def obeys(self, command: bytes, words: list[bytes]) -> bool:
        """Do what a client says; return whether to go on."""
        match command, words:
            case b"AUTH", [word]:
                self.is_known = word == b"secret"
                self.wfile.write(b"+OK\r\n" if self.is_known else b"-ERR no\r\n")
            case b"GET", [key] if key in self.values:
                self.wfile.write(b"$%d\r\n%b" % (len(self.values[key]), self.values[key]))
            case b"PUT", [key, size] if size.isdigit():
                value = self.rfile.read(int(size))
                if len(value) < int(size):
                    return False
                self.values[key] = value
                self.wfile.write(b"+OK\r\n")
            case _:
                self.wfile.write(b"-ERR what\r\n")
        return True


pytestmark = pytest.mark.windsock(handler=Store, transports="stream")

HELLO = Script().send(b"AUTH secret\r\n").expect(b"+OK\r\n")
WHOLE = b"AUTH secret\r\nPUT rain 5\r\nheavyGET rain\r\n"
ANSWERS = b"+OK\r\n+OK\r\n$5\r\nheavy"


def still_answers(server: RunningServer) -> None:
    with server.connect() as good:
        good.send(WHOLE).expect(ANSWERS).half_close().expect_eof()


def still_answers_meanwhile(server: RunningServer) -> None:
    """The same while a rude client is there; a server that does one thing after the other is excused."""
    if server.options.concurrency != "sync":
        still_answers(server)


def ended(server: RunningServer, index: int) -> Connection:
    """Return what was recorded of a connection, once the server is done with it."""
    deadline = monotonic() + 5
    while len(server.connections) <= index or server.connections[index].closed is None:
        assert monotonic() < deadline, "the connection did not end"
        sleep(0.002)
    return server.connections[index]


def first_of(server: RunningServer) -> Connection:
    return ended(server, 0)


# --- slow


def test_a_client_that_dribbles(any_server: RunningServer) -> None:
    with any_server.connect() as slow:
        slow.send(WHOLE, pieces=8, every=0.002).expect(ANSWERS)
        still_answers_meanwhile(any_server)

    still_answers(any_server)
    assert first_of(any_server).upstream == WHOLE
    assert first_of(any_server).ending == "client EOF"


def test_a_client_that_pauses_in_the_middle(any_server: RunningServer) -> None:
    with any_server.connect() as slow:
        slow.send(WHOLE[:30])
        still_answers_meanwhile(any_server)
        slow.send(WHOLE[30:]).expect(ANSWERS)

    still_answers(any_server)
    assert first_of(any_server).upstream == WHOLE
    assert first_of(any_server).downstream == ANSWERS


def test_a_client_that_reads_slowly(any_server: RunningServer) -> None:
    with any_server.connect(receive_buffer=4096) as slow:
        slow.play(HELLO).send(b"PUT big 20000\r\n" + bytes(20_000) + b"GET big\r\n")
        slow.expect(b"+OK\r\n").read_rate(1_000_000).expect(b"$20000\r\n" + bytes(20_000))

    still_answers(any_server)
    assert first_of(any_server).downstream.endswith(b"$20000\r\n" + bytes(20_000))
    assert first_of(any_server).ending == "client EOF"


def test_a_client_that_never_reads_a_big_reply(any_server: RunningServer) -> None:
    with any_server.connect(receive_buffer=2048) as deaf:
        deaf.play(HELLO).stall().send(b"GET atlas\r\n")
        still_answers_meanwhile(any_server)
        deaf.reset()

    still_answers(any_server)
    assert first_of(any_server).ending == "client reset"
    assert len(first_of(any_server).downstream) < len(ATLAS)


def test_a_client_that_says_nothing_at_all(any_server: RunningServer) -> None:
    with any_server.connect(handshake=False):
        still_answers_meanwhile(any_server)

    still_answers(any_server)
    silent = first_of(any_server)
    assert silent.upstream == b""
    assert silent.ending == ("client EOF" if silent.tls is None else "handshake failed")


@pytest.mark.windsock(tls=True)
def test_a_client_that_says_half_of_its_handshake(any_server: RunningServer) -> None:
    with any_server.connect(handshake=False) as silent:
        silent.half_handshake()
        still_answers_meanwhile(any_server)

    still_answers(any_server)
    assert failure_of(first_of(any_server)) == "EOF"


# --- rude


def test_a_client_that_half_closes_and_waits(any_server: RunningServer) -> None:
    with any_server.connect() as client:
        client.send(WHOLE).half_close().expect(ANSWERS).expect_eof()
        assert client.outcome == "eof"

    still_answers(any_server)
    assert first_of(any_server).ending == "client EOF"


def test_a_client_that_half_closes_and_vanishes(any_server: RunningServer) -> None:
    any_server.connect().play(HELLO).send(b"GET wind\r\n").half_close().close()

    still_answers(any_server)
    assert first_of(any_server).upstream == b"AUTH secret\r\nGET wind\r\n"
    assert first_of(any_server).ending in ("client EOF", "client reset")  # whether its answer was still to be sent


def test_a_client_that_closes_with_an_answer_unread(any_server: RunningServer) -> None:
    with any_server.connect() as rude:
        rude.send(b"AUTH secret\r\n")
        assert select.select([rude.socket], [], [], 5)[0]  # the answer has come
        rude.close()

    still_answers(any_server)
    rude_one = first_of(any_server)
    assert rude_one.ending == ("client reset" if rude_one.tls is None else "client EOF")  # TLS says goodbye first


def test_a_client_that_resets_at_once(any_server: RunningServer) -> None:
    any_server.connect().play(HELLO).reset()

    still_answers(any_server)
    assert first_of(any_server).ending == the_reset_on(any_server)


def test_a_client_that_resets_when_all_is_sent(any_server: RunningServer) -> None:
    any_server.connect().play(HELLO).send(b"PUT rain 5\r\nhea").reset(flush=True)

    still_answers(any_server)
    assert first_of(any_server).downstream == b"+OK\r\n"
    assert first_of(any_server).ending == the_reset_on(any_server)


def test_clients_that_leave_before_anybody_looks(any_server: RunningServer) -> None:
    for _ in range(3):
        any_server.connect(handshake=False).close()
        any_server.connect(handshake=False).reset()

    still_answers(any_server)
    *left, good = (ended(any_server, index) for index in range(7))
    assert [each.upstream for each in left] == [b""] * 6
    assert good.upstream == WHOLE


# --- nonsense


@pytest.mark.windsock(tls=True)
def test_a_client_that_does_not_know_of_tls(any_server: RunningServer) -> None:
    with any_server.connect(tls=False) as client:
        client.send(b"AUTH secret\r\n").expect_eof(discard=True)

    still_answers(any_server)
    assert failure_of(first_of(any_server)) == "plaintext"


@pytest.mark.windsock(tls=True)
def test_a_client_whose_line_is_cut(any_server: RunningServer) -> None:
    any_server.connect().play(HELLO).close_without_notify()

    still_answers(any_server)
    assert first_of(any_server).is_tls_truncated


def test_a_client_that_promises_more_than_it_sends(any_server: RunningServer) -> None:
    with any_server.connect() as client:
        client.play(HELLO).send(b"PUT rain 100\r\nheavy").half_close().expect_eof()

    still_answers(any_server)
    assert first_of(any_server).upstream.endswith(b"PUT rain 100\r\nheavy")
    assert first_of(any_server).downstream == b"+OK\r\n"


def test_a_client_that_talks_garbage(any_server: RunningServer) -> None:
    nonsense = random_bytes(1000) + b"\n"

    with any_server.connect() as client:
        client.play(HELLO).send(nonsense).half_close().expect_eof(discard=True)

    still_answers(any_server)
    assert first_of(any_server).upstream.startswith(b"AUTH secret\r\n" + nonsense[:200])
    assert first_of(any_server).downstream.startswith(b"+OK\r\n-ERR what\r\n")


@pytest.mark.windsock(transports="tcp", tls=False)
def test_a_client_with_something_urgent(any_server: RunningServer) -> None:
    with any_server.connect() as client:
        client.play(HELLO).send(b"GET ").urgent(b"wind!").send(b"\r\n").expect(b"$2\r\nNW")

    still_answers(any_server)
    assert first_of(any_server).upstream == b"AUTH secret\r\nGET wind\r\n"  # the last urgent byte goes another way


def failure_of(connection: Connection) -> str | None:
    assert connection.ending == "handshake failed"
    assert connection.tls is not None
    return connection.tls.failure


def the_reset_on(server: RunningServer) -> str:
    """Return what a reset with nothing unread is seen as: over a Unix socket, as an orderly end (unix(7))."""
    return "client EOF" if server.options.is_unix else "client reset"
