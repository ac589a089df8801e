"""Every fault there is does what it says, to real sockets: at least one test for each public class."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import pytest

import windsock
import windsock.faults
from tests.support.servers import is_answered
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

Test = TypeVar("Test", bound=Callable[..., None])
SHOWN: set[type[Fault]] = set()
"""The faults that have a test here."""


def shows(fault: type[Fault]) -> Callable[[Test], Test]:
    """Note that the test shows what the fault does."""

    def note(test: Test) -> Test:
        assert test.__name__.startswith("test_"), test
        SHOWN.add(fault)
        return test

    return note


def test_each_public_fault_has_a_test() -> None:
    public = {getattr(windsock.faults, name) for name in windsock.faults.__all__}
    faults = {each for each in public if isinstance(each, type) and issubclass(each, Fault)} - {Fault}

    assert {each.__name__ for each in SHOWN} == {each.__name__ for each in faults}


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
    with windsock.serving(framing="lines", **options).echo() as server:
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


class Clock:
    def __init__(self) -> None:
        self.start = time.monotonic()

    def seconds(self) -> float:
        return time.monotonic() - self.start


# --- streams


@shows(Delay)
def test_a_delay_makes_data_late() -> None:
    with proxied() as (proxy, client):
        proxy.fault(Delay(LATE), direction="upstream")
        clock = Clock()
        assert answer(client, b"hello") == b"hello"
        assert clock.seconds() >= LATE


@shows(Rate)
def test_a_rate_spreads_data_over_time() -> None:
    with proxied() as (proxy, client):
        proxy.fault(Rate(100_000), direction="downstream")
        clock = Clock()
        assert answer(client, b"x" * 20_000) == b"x" * 20_000
        assert clock.seconds() >= 0.19


@shows(Segment)
def test_segments_come_one_by_one() -> None:
    with proxied() as (proxy, client):
        proxy.fault(Segment(2, interval=0.02), direction="downstream")
        client.sendall(b"abcdef")
        assert [client.recv(100) for _ in range(3)] == [b"ab", b"cd", b"ef"]


@shows(Dribble)
def test_a_dribble_comes_byte_by_byte_over_a_time() -> None:
    with proxied() as (proxy, client):
        proxy.fault(Dribble(3, over=LATE), direction="downstream")
        clock = Clock()
        assert answer(client, b"abc") == b"abc"
        assert clock.seconds() >= LATE


@shows(Truncate)
def test_a_truncated_stream_ends_early() -> None:
    with proxied() as (proxy, client):
        proxy.fault(Truncate(3), direction="downstream")
        assert answer(client, b"hello", size=100) == b"hel"


@shows(Reset)
def test_a_reset_comes_after_the_bytes_before_it() -> None:
    with proxied() as (proxy, client):
        proxy.fault(Reset(after_bytes=3, flush=True), direction="downstream")
        assert answer(client, b"hello", size=3) == b"hel"
        with pytest.raises(ConnectionResetError):
            client.recv(1)


@shows(Corrupt)
def test_corruption_flips_one_bit() -> None:
    with proxied() as (proxy, client):
        proxy.fault(Corrupt("bitflip"), direction="upstream")
        found = answer(client, b"\0" * 8)
        assert sum(byte.bit_count() for byte in found) == 1


@shows(Blackhole)
def test_a_blackhole_keeps_data_until_it_is_removed() -> None:
    with proxied() as (proxy, client):
        with proxy.fault(Blackhole()):
            client.sendall(b"hello")
            assert is_silent(client)
        assert take(client, 5) == b"hello"


@shows(Hold)
def test_held_data_comes_when_it_is_delivered_or_released() -> None:
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
def test_a_stalled_stream_goes_on_when_the_fault_is_removed() -> None:
    with proxied() as (proxy, client):
        with proxy.fault(Stall(), direction="upstream"):
            client.sendall(b"hello")
            assert is_silent(client)
        assert take(client, 5) == b"hello"


@shows(HalfClose)
def test_a_half_closed_stream_still_takes_data_the_other_way() -> None:
    with proxied() as (proxy, client):
        proxy.fault(HalfClose(after_bytes=3), direction="downstream")
        assert answer(client, b"hello", size=100) == b"hel"
        client.sendall(b"still taken")
        wait_until(lambda: proxy.connections[0].upstream == b"hellostill taken")


@shows(CloseDelay)
def test_a_close_delay_makes_the_end_late() -> None:
    with proxied() as (proxy, client):
        proxy.fault(CloseDelay(LATE), direction="downstream")
        clock = Clock()
        assert answer(client, b"x") == b"x"
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
        assert clock.seconds() >= LATE


@shows(Inject)
def test_injected_bytes_come_between_the_others() -> None:
    with proxied() as (proxy, client):
        proxy.fault(Inject(b"-?-", after_bytes=2), direction="downstream")
        assert answer(client, b"abcd", size=7) == b"ab-?-cd"


@shows(Replace)
def test_replaced_bytes_are_others_on_arrival() -> None:
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
def test_lost_datagrams_do_not_come() -> None:
    with proxied(transport="udp") as (proxy, client):
        with proxy.fault(Loss(1.0), direction="upstream"):
            client.send(b"lost")
            assert is_silent(client)
        assert answers(client, b"not") == [b"not"]


@shows(Drop)
def test_dropped_datagrams_are_those_that_were_named() -> None:
    with proxied(transport="udp") as (proxy, client):
        proxy.fault(Drop([1, 3]), direction="upstream")
        assert answers(client, b"1", b"2", b"3", b"4") == [b"2", b"4"]


@shows(Duplicate)
def test_a_duplicated_datagram_comes_several_times() -> None:
    with proxied(transport="udp") as (proxy, client):
        proxy.fault(Duplicate(2), direction="downstream", nth=1)
        assert answers(client, b"x") == [b"x", b"x", b"x"]


@shows(Reorder)
def test_a_reordered_datagram_comes_after_the_next() -> None:
    with proxied(transport="udp") as (proxy, client):
        proxy.fault(Reorder(gap=2), direction="downstream")
        assert answers(client, b"1", b"2", b"3") == [b"1", b"3", b"2"]


@shows(Mtu)
def test_a_datagram_above_the_mtu_is_cut_or_dropped() -> None:
    with proxied(transport="udp") as (proxy, client):
        with proxy.fault(Mtu(3, on_excess="truncate"), direction="upstream"):
            assert answers(client, b"hello") == [b"hel"]
        proxy.fault(Mtu(3), direction="upstream")
        assert answers(client, b"hello", b"abc") == [b"abc"]


@shows(QueueLimit)
def test_datagrams_beyond_the_queue_limit_are_dropped() -> None:
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
def test_a_rebound_client_has_a_new_address() -> None:
    with windsock.serving(transport="udp").echo() as server:
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
def test_a_refused_client_is_refused_by_the_kernel() -> None:
    with served() as server:
        with server.fault(Refuse()), pytest.raises(ConnectionRefusedError):
            socket.create_connection(server.address, timeout=DEADLINE)
        assert is_answered(server)


@shows(AcceptDelay)
def test_an_accept_delay_makes_the_answer_late() -> None:
    with served(faults=[AcceptDelay(LATE)]) as server:
        clock = Clock()
        assert is_answered(server)
        assert clock.seconds() >= LATE


@shows(AcceptError)
def test_an_accept_error_is_reported_and_the_server_goes_on() -> None:
    with served(faults=[(AcceptError("ENOBUFS"), {"times": 1})]) as server:
        assert is_answered(server)
        assert [str(each) for each in server.errors] == [str(OSError(105, "No buffer space available"))]


@shows(BacklogFull)
def test_a_full_backlog_lets_no_client_connect() -> None:
    with served() as server:
        with server.fault(BacklogFull()), pytest.raises(TimeoutError):
            socket.create_connection(server.address, timeout=SOON)
        assert is_answered(server)


@shows(MaxConnections)
def test_a_client_above_max_connections_is_reset() -> None:
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
@pytest.mark.parametrize("stage", ["client_hello", "server_hello", "finished"])
def test_a_stalled_handshake_does_not_end(stage: str) -> None:
    spoils(TLSStall(stage), TimeoutError, "timed out", SOON)


@shows(TLSAlert)
def test_a_tls_alert_comes_to_the_client() -> None:
    spoils(TLSAlert("access_denied"), ssl.SSLError, "ACCESS_DENIED")


@shows(TLSPlaintext)
def test_tls_plaintext_is_no_handshake() -> None:
    spoils(TLSPlaintext(b"220 hello\r\n"), ssl.SSLError, "(?i)wrong.version.number")


@shows(TLSTruncate)
def test_a_truncated_handshake_ends_early() -> None:
    spoils(TLSTruncate(3), ssl.SSLError, "EOF")


# --- of the process


@shows(HandlerError)
def test_a_handler_error_ends_the_connection_and_is_reported() -> None:
    with served(faults=[HandlerError(LookupError("x"))]) as server:
        with server.connect() as client:
            client.expect_eof()
        wait_until(lambda: [repr(each) for each in server.errors] == ["LookupError('x')"])


@shows(ForkError)
def test_a_fork_error_ends_one_connection() -> None:
    with served(concurrency="forking", faults=[(ForkError("EAGAIN"), {"nth": 1})]) as server:
        with server.connect() as client:
            client.expect_eof()
        assert is_answered(server)


@shows(ThreadError)
def test_a_thread_error_ends_one_connection() -> None:
    with served(faults=[(ThreadError(), {"nth": 1})]) as server:
        with server.connect() as client:
            client.expect_eof()
        assert is_answered(server)


@shows(Kill)
def test_a_killed_child_ends_its_connection() -> None:
    with served(concurrency="forking") as server, server.connect() as client:
        client.send(b"x\n").expect(b"x\n")
        server.fault(Kill(), connections=0)
        client.expect_eof()


@contextlib.contextmanager
def paused() -> Iterator[tuple[RunningServer, windsock.ScriptedClient]]:
    """A server whose child is paused, and the client that the child does not answer."""
    with served(concurrency="forking") as server, server.connect() as client:
        client.send(b"x\n").expect(b"x\n")
        server.fault(Pause(), connections=0)
        client.send(b"y\n")
        with pytest.raises(windsock.ScriptTimeout):
            client.expect(b"y\n", timeout=SOON)
        yield server, client


@shows(Pause)
def test_a_paused_child_does_not_answer() -> None:
    with paused():
        pass


@shows(Resume)
def test_a_resumed_child_answers() -> None:
    with paused() as (server, client):
        server.fault(Resume(), connections=0)
        client.expect(b"y\n")
