"""Every fault there is does what it says, to real sockets: one entry for each public class."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

import windsock
import windsock.faults
from tests.support.waiting import wait_until
from windsock import FaultProxy, RunningServer
from windsock.faults import (
    AcceptDelay,
    AcceptError,
    BacklogFull,
    Blackhole,
    CloseDelay,
    Corrupt,
    Delay,
    Dribble,
    Drop,
    Duplicate,
    Fault,
    ForkError,
    HalfClose,
    HandlerError,
    Hold,
    Inject,
    Kill,
    Loss,
    MaxConnections,
    Mtu,
    Pause,
    QueueLimit,
    Rate,
    Rebind,
    Refuse,
    Reorder,
    Replace,
    Reset,
    Resume,
    Segment,
    Stall,
    ThreadError,
    TLSAlert,
    TLSPlaintext,
    TLSStall,
    TLSTruncate,
    Truncate,
)

DEADLINE = 10.0
LATE = 0.15
"""Seconds by which things are made late..."""
SOON = 0.1
"""...and within which nothing is expected to come that is held back for good."""

Shown: TypeAlias = Callable[[], None]
SHOWN: dict[type[Fault], Shown] = {}


def shows(fault: type[Fault]) -> Callable[[Shown], Shown]:
    def note(test: Shown) -> Shown:
        SHOWN[fault] = test
        return test

    return note


PUBLIC = [
    each
    for name in windsock.faults.__all__
    if isinstance(each := getattr(windsock.faults, name), type) and issubclass(each, Fault) and each is not Fault
]


def test_each_public_fault_has_an_entry() -> None:
    assert {each.__name__ for each in PUBLIC} == {each.__name__ for each in SHOWN}


@pytest.mark.parametrize("fault", PUBLIC, ids=lambda fault: fault.__name__)
def test_it_does_what_it_says(fault: type[Fault]) -> None:
    SHOWN[fault]()


# --- the ways there


@contextlib.contextmanager
def proxied(**options: Any) -> Iterator[tuple[FaultProxy, socket.socket]]:
    """A client, a proxy, and a server that echoes."""
    transport = options.pop("transport", "tcp")
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with (
        windsock.serving(transport=transport, concurrency="sync") as server,
        windsock.proxy(server.address, transport=transport, **options) as proxy,
        socket.socket(socket.AF_INET, kind) as client,
    ):
        server.echo()
        client.settimeout(DEADLINE)
        client.connect(proxy.address)
        yield proxy, client


@contextlib.contextmanager
def served(**options: Any) -> Iterator[RunningServer]:
    with windsock.serving(framing="lines", **options) as server:
        server.echo()
        yield server


def answer(client: socket.socket, data: bytes, size: int = -1) -> bytes:
    """Send, and receive so many bytes, by default as many."""
    client.sendall(data)
    return take(client, len(data) if size < 0 else size)


def take(client: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size and (more := client.recv(size - len(found))):
        found += more
    return found


def is_silent(client: socket.socket) -> bool:
    """Return whether nothing comes for a while."""
    client.settimeout(SOON)
    try:
        client.recv(1)
    except TimeoutError:
        return True
    finally:
        client.settimeout(DEADLINE)
    return False


def is_answered(server: RunningServer) -> bool:
    with server.connect() as client:
        client.send(b"x\n").expect(b"x\n")
    return True


class Clock:
    def __init__(self) -> None:
        self.start = time.monotonic()

    def seconds(self) -> float:
        return time.monotonic() - self.start


# --- streams


@shows(Delay)
def delay() -> None:
    with proxied() as (proxy, client):
        proxy.fault(Delay(LATE), direction="upstream")
        clock = Clock()
        assert answer(client, b"hello") == b"hello"
        assert LATE <= clock.seconds() < LATE + 1


@shows(Rate)
def rate() -> None:
    with proxied() as (proxy, client):
        proxy.fault(Rate(100_000), direction="downstream")
        clock = Clock()
        assert answer(client, b"x" * 20_000) == b"x" * 20_000
        assert 0.19 <= clock.seconds() < 1.2


@shows(Segment)
def segment() -> None:
    with proxied() as (proxy, client):
        proxy.fault(Segment(2, interval=0.02), direction="downstream")
        client.sendall(b"abcdef")
        assert [client.recv(100) for _ in range(3)] == [b"ab", b"cd", b"ef"]


@shows(Dribble)
def dribble() -> None:
    with proxied() as (proxy, client):
        proxy.fault(Dribble(3, over=LATE), direction="downstream")
        clock = Clock()
        assert answer(client, b"abc") == b"abc"
        assert clock.seconds() >= LATE


@shows(Truncate)
def truncate() -> None:
    with proxied() as (proxy, client):
        proxy.fault(Truncate(3), direction="downstream")
        assert answer(client, b"hello", size=100) == b"hel"


@shows(Reset)
def reset() -> None:
    with proxied() as (proxy, client):
        proxy.fault(Reset(after_bytes=3, flush=True), direction="downstream")
        assert answer(client, b"hello", size=3) == b"hel"
        with pytest.raises(ConnectionResetError):
            client.recv(1)


@shows(Corrupt)
def corrupt() -> None:
    with proxied() as (proxy, client):
        proxy.fault(Corrupt("bitflip"), direction="upstream")
        found = answer(client, b"\0" * 8)
        assert sum(byte.bit_count() for byte in found) == 1


@shows(Blackhole)
def blackhole() -> None:
    with proxied() as (proxy, client):
        with proxy.fault(Blackhole()):
            client.sendall(b"hello")
            assert is_silent(client)
        assert take(client, 5) == b"hello"


@shows(Hold)
def hold() -> None:
    with proxied() as (proxy, client):
        held = proxy.fault(Hold(), direction="upstream")
        client.sendall(b"one")
        assert is_silent(client)
        held.deliver(1)
        assert take(client, 3) == b"one"
        client.sendall(b"two")
        assert is_silent(client)
        held.release()
        assert take(client, 3) == b"two"


@shows(Stall)
def stall() -> None:
    with proxied() as (proxy, client):
        with proxy.fault(Stall(), direction="upstream"):
            client.sendall(b"hello")
            assert is_silent(client)
        assert take(client, 5) == b"hello"


@shows(HalfClose)
def half_close() -> None:
    with proxied() as (proxy, client):
        proxy.fault(HalfClose(after_bytes=3), direction="downstream")
        assert answer(client, b"hello", size=100) == b"hel"
        client.sendall(b"still taken")
        wait_until(lambda: proxy.connections[0].upstream == b"hellostill taken")


@shows(CloseDelay)
def close_delay() -> None:
    with proxied() as (proxy, client):
        proxy.fault(CloseDelay(LATE), direction="downstream")
        clock = Clock()
        assert answer(client, b"x") == b"x"
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
        assert clock.seconds() >= LATE


@shows(Inject)
def inject() -> None:
    with proxied() as (proxy, client):
        proxy.fault(Inject(b"-?-", after_bytes=2), direction="downstream")
        assert answer(client, b"abcd", size=7) == b"ab-?-cd"


@shows(Replace)
def replace() -> None:
    with proxied() as (proxy, client):
        proxy.fault(Replace(b"cat", b"mouse"), direction="upstream")
        assert answer(client, b"a cat", size=7) == b"a mouse"


# --- datagrams


def answers(client: socket.socket, *datagrams: bytes) -> list[bytes]:
    """Send them, then one that says the end; return the answers up to that."""
    for each in datagrams:
        client.send(each)
    client.send(b"end")
    return list(iter(lambda: client.recv(65536), b"end"))


@shows(Loss)
def loss() -> None:
    with proxied(transport="udp") as (proxy, client):
        with proxy.fault(Loss(1.0), direction="upstream"):
            client.send(b"lost")
            assert is_silent(client)
        assert answers(client, b"not") == [b"not"]


@shows(Drop)
def drop() -> None:
    with proxied(transport="udp") as (proxy, client):
        proxy.fault(Drop([1, 3]), direction="upstream")
        assert answers(client, b"1", b"2", b"3", b"4") == [b"2", b"4"]


@shows(Duplicate)
def duplicate() -> None:
    with proxied(transport="udp") as (proxy, client):
        proxy.fault(Duplicate(2), direction="downstream", nth=1)
        assert answers(client, b"x") == [b"x", b"x", b"x"]


@shows(Reorder)
def reorder() -> None:
    with proxied(transport="udp") as (proxy, client):
        proxy.fault(Reorder(gap=2), direction="downstream")
        assert answers(client, b"1", b"2", b"3") == [b"1", b"3", b"2"]


@shows(Mtu)
def mtu() -> None:
    with proxied(transport="udp") as (proxy, client):
        with proxy.fault(Mtu(3, on_excess="truncate"), direction="upstream"):
            assert answers(client, b"hello") == [b"hel"]
        proxy.fault(Mtu(3), direction="upstream")
        assert answers(client, b"hello", b"abc") == [b"abc"]


@shows(QueueLimit)
def queue_limit() -> None:
    with proxied(transport="udp") as (proxy, client):
        held = proxy.fault(Hold(), direction="upstream")
        proxy.fault(QueueLimit(2), direction="upstream")
        for number in range(5):
            client.send(b"%d" % number)
        assert is_silent(client)
        held.release()
        assert [client.recv(10), client.recv(10)] == [b"0", b"1"]
        assert is_silent(client)


@shows(Rebind)
def rebind() -> None:
    with windsock.serving(transport="udp") as server:
        server.echo()
        with (
            windsock.proxy(server.address, transport="udp") as proxy,
            windsock.scripted_client(proxy.address, transport="udp") as client,
        ):
            client.send(b"one").expect(b"one")
            proxy.fault(Rebind())
            client.send(b"two").expect(b"two")

        assert len({each.peer for each in server.connections}) == 2


# --- at accept


@shows(Refuse)
def refuse() -> None:
    with served() as server:
        with server.fault(Refuse()), pytest.raises(ConnectionRefusedError):
            socket.create_connection(server.address, timeout=DEADLINE)
        assert is_answered(server)


@shows(AcceptDelay)
def accept_delay() -> None:
    with served(faults=[AcceptDelay(LATE)]) as server:
        clock = Clock()
        assert is_answered(server)
        assert clock.seconds() >= LATE


@shows(AcceptError)
def accept_error() -> None:
    with served(faults=[(AcceptError("ENOBUFS"), {"times": 1})]) as server:
        assert is_answered(server)
        assert [str(each) for each in server.errors] == [str(OSError(105, "No buffer space available"))]


@shows(BacklogFull)
def backlog_full() -> None:
    with served() as server:
        with server.fault(BacklogFull()), pytest.raises(TimeoutError):
            socket.create_connection(server.address, timeout=SOON)
        assert is_answered(server)


@shows(MaxConnections)
def max_connections() -> None:
    with served(faults=[MaxConnections(1, then="reset")]) as server, server.connect() as one:
        one.send(b"x\n").expect(b"x\n")
        with pytest.raises(ConnectionResetError), socket.create_connection(server.address, timeout=DEADLINE) as two:
            two.recv(1)


# --- at the handshake


def visit(server: RunningServer, seconds: float = DEADLINE) -> bytes:
    raw = socket.create_connection(server.address, timeout=seconds)
    context = server.client_context()
    with context.wrap_socket(raw, server_hostname="localhost", suppress_ragged_eofs=False) as client:
        client.sendall(b"hello\n")
        return b"".join(iter(lambda: client.recv(100), b""))


def spoils(fault: Fault, error: type[Exception], words: str, seconds: float = DEADLINE) -> None:
    with served(tls=True, faults=[fault]) as server, pytest.raises(error, match=words):
        visit(server, seconds)


@shows(TLSStall)
def tls_stall() -> None:
    for stage in ("client_hello", "server_hello", "finished"):
        spoils(TLSStall(stage), TimeoutError, "timed out", SOON)


@shows(TLSAlert)
def tls_alert() -> None:
    spoils(TLSAlert("access_denied"), ssl.SSLError, "ACCESS_DENIED")


@shows(TLSPlaintext)
def tls_plaintext() -> None:
    spoils(TLSPlaintext(b"220 hello\r\n"), ssl.SSLError, "(?i)wrong.version.number")


@shows(TLSTruncate)
def tls_truncate() -> None:
    spoils(TLSTruncate(3), ssl.SSLError, "EOF")


# --- of the process


@shows(HandlerError)
def handler_error() -> None:
    with served(faults=[HandlerError(LookupError("x"))]) as server:
        with server.connect() as client:
            client.expect_eof()
        wait_until(lambda: [repr(each) for each in server.errors] == ["LookupError('x')"])


@shows(ForkError)
def fork_error() -> None:
    with served(concurrency="forking", faults=[(ForkError("EAGAIN"), {"nth": 1})]) as server:
        with server.connect() as client:
            client.expect_eof()
        assert is_answered(server)


@shows(ThreadError)
def thread_error() -> None:
    with served(faults=[(ThreadError(), {"nth": 1})]) as server:
        with server.connect() as client:
            client.expect_eof()
        assert is_answered(server)


@shows(Kill)
def kill() -> None:
    with served(concurrency="forking") as server, server.connect() as client:
        client.send(b"x\n").expect(b"x\n")
        server.fault(Kill(), connections=0)
        client.expect_eof()


@shows(Pause)
@shows(Resume)
def pause_and_resume() -> None:
    with served(concurrency="forking") as server, server.connect() as client:
        client.send(b"x\n").expect(b"x\n")
        server.fault(Pause(), connections=0)
        client.send(b"y\n")
        with pytest.raises(windsock.ScriptTimeout):
            client.expect(b"y\n", timeout=SOON)
        server.fault(Resume(), connections=0)
        client.expect(b"y\n")
