"""Faults on the streams of every kind of server: relayed, recorded, changed while they are open, and strict."""

from __future__ import annotations

import errno
import http.server
import os
import socket
import socketserver
import time
import urllib.request
from itertools import product
from typing import Any

import pytest

import windsock
from tests.support.servers import ask, connect, on_every_concurrency, on_every_stream_kind, rest_of, wait_for_error
from tests.support.waiting import DEADLINE, HOUR, ends_in_time, wait_until
from windsock.faults import Corrupt, Delay, Drop, Hold, Loss, Rate, Reset, Segment, Selector, Truncate, first, profiles
from windsock.harness import CONCURRENCIES
from windsock.injection.socket_pairs import Pairs, RelayedSocket
from windsock.servers import BaseRequestHandler, StreamRequestHandler

WAIT = 0.1


class Echo(StreamRequestHandler):
    """Echoes lines; says whom it talks to when asked."""

    def handle(self) -> None:
        for line in self.rfile:
            if line == b"who\n":
                self.wfile.write(repr((self.request.getpeername(), self.request.getsockname())).encode() + b"\n")
            elif line == b"what\n":
                self.wfile.write(b" ".join(each.__name__.encode() for each in type(self.request).__mro__) + b"\n")
            else:
                self.wfile.write(line)


async def echo(stream: Any, client_address: object, server: object) -> None:
    below = getattr(stream, "transport_stream", stream).socket
    async for data in stream:
        whom = repr((below.getpeername(), below.getsockname())).encode() + b"\n"
        await stream.send_all(whom if data == b"who\n" else data)


KINDS = [*((Echo, each) for each in CONCURRENCIES), (echo, "trio")]
on_every_handler = pytest.mark.parametrize(
    ("handler", "concurrency"), KINDS, ids=lambda each: getattr(each, "__name__", each)
)
on_streams = pytest.mark.parametrize(("transport", "tls"), [("tcp", False), ("tcp", True), ("unix_stream", False)])


@on_every_handler
@on_streams
def test_faults_come_and_go_while_a_connection_is_open(
    handler: Any, concurrency: str, transport: str, tls: bool
) -> None:
    options: dict[str, Any] = {"transport": transport, "concurrency": concurrency, "tls": tls}
    with windsock.serving(handler, relay=True, **options) as server, server.connect() as client:
        client.send(b"one\n").expect(b"one\n")

        with server.fault(Delay(WAIT), direction="downstream") as fault:
            start = time.monotonic()
            client.send(b"two\n").expect(b"two\n")
            late = time.monotonic() - start
        client.send(b"three\n").expect(b"three\n").half_close().expect_eof(discard=tls)

        assert late >= WAIT
        assert fault.fired == 1
        assert fault.log[0].direction == "downstream"
        server.requests.wait(1)
        assert server.connections[0].upstream == b"one\ntwo\nthree\n"
        assert any("~ fault: Delay(0.1) downstream" in line for line in server.transcript())


@on_every_handler
@pytest.mark.parametrize("transport", ["tcp", "unix_stream"])
def test_handlers_see_the_clients_address_and_the_servers(handler: Any, concurrency: str, transport: str) -> None:
    options: dict[str, Any] = {"transport": transport, "concurrency": concurrency, "relay": True}

    with windsock.serving(handler, **options) as server, connect(server) as client:
        client.sendall(b"who\n")
        seen = client.recv(1000)

        assert seen == repr((client.getsockname(), client.getpeername())).encode() + b"\n"


@on_every_concurrency
def test_a_server_without_faults_is_not_relayed(concurrency: str) -> None:
    seen: list[bytes] = []
    for relay in (False, True):
        with windsock.serving(Echo, concurrency=concurrency, relay=relay) as server, connect(server) as client:
            client.sendall(b"what\n")
            seen.append(client.recv(1000))

    assert [RelayedSocket.__name__.encode() in each for each in seen] == [False, True]


@on_every_stream_kind
def test_the_first_connection_is_reset_in_mid_reply_and_the_next_is_well(transport: str, concurrency: str) -> None:
    fault = (Reset(after_bytes=3), {"connections": first(1), "direction": "downstream"})
    with windsock.serving(Echo, transport=transport, concurrency=concurrency, faults=[fault]) as server:
        with connect(server) as client:
            client.sendall(b"abcdef\n")
            assert client.recv(100) == b"abc"
            if transport == "tcp":
                with pytest.raises(ConnectionResetError):
                    client.recv(100)
            else:  # there is nothing unread that would make it a reset (unix(7))
                assert client.recv(100) == b""

        assert ask(server, b"abcdef\n") == [b"abcdef\n"]


@on_every_concurrency
def test_a_fault_on_a_running_server_without_relay_is_for_connections_from_then_on(concurrency: str) -> None:
    if concurrency == "sync":
        pytest.skip("takes no second connection while it serves the first")
    with windsock.serving(Echo, concurrency=concurrency) as server, server.connect() as before:
        before.send(b"x\n").expect(b"x\n")

        with server.fault(Truncate(1), connections=first(1), direction="downstream") as fault:
            before.send(b"y\n").expect(b"y\n")
            with server.connect() as after:
                after.send(b"z\n").expect(b"z").expect_eof()

        assert fault.fired == 1
        assert fault.log[0].connection == 1


@on_every_concurrency
def test_half_closes_and_resets_of_clients_reach_the_handler(concurrency: str) -> None:
    with windsock.serving(Echo, concurrency=concurrency, relay=True) as server:
        with server.connect() as client:
            client.send(b"x\n").half_close().expect(b"x\n").expect_eof()
        with server.connect() as client:
            client.send(b"x\n").expect(b"x\n").reset()
        server.connections.wait(2, timeout=DEADLINE)

        assert [each.ending for each in server.connections] == ["client EOF", "client reset"]


@on_every_concurrency
def test_what_is_held_goes_on_when_it_is_healed(concurrency: str) -> None:
    with windsock.serving(Echo, concurrency=concurrency, relay=True) as server, server.connect() as client:
        client.send(b"x\n").expect(b"x\n")

        with server.fault(Hold(), direction="upstream") as hold:
            client.send(b"one\n").send(b"two\n")
            with pytest.raises(windsock.ScriptTimeout):
                client.expect(b"one\n", timeout=WAIT)
            hold.release()
            client.expect(b"one\ntwo\n")
            hold.resume()
            client.send(b"three\n")
            with pytest.raises(windsock.ScriptTimeout):
                client.expect(b"three\n", timeout=WAIT)
        client.expect(b"three\n")


@on_every_concurrency
def test_a_stop_with_things_held_is_quick_and_they_are_lost(concurrency: str) -> None:
    server = windsock.serving(Echo, concurrency=concurrency, relay=True, timeout=HOUR)
    hold = server.fault(Hold())
    with connect(server) as client:
        client.sendall(b"x\n")
        wait_until(lambda: hold.fired)

        with ends_in_time():
            server.finish()

        assert rest_of(client) == b""
    assert server.connections[0].upstream == b""


def test_pausing_and_resuming() -> None:
    with windsock.serving(Echo, relay=True) as server, server.connect() as client:
        fault = server.fault(Corrupt("replace", data=b"?"), direction="downstream", name="noise")
        fault.pause()
        client.send(b"clean\n").expect(b"clean\n")
        fault.resume()
        client.send(b"dirty\n").expect(6)

        assert fault.fired >= 1


def test_a_profile_is_installed_as_a_whole() -> None:
    with windsock.serving(Echo, relay=True) as server:
        with server.fault(profiles.fail_first(1)) as bad, server.connect() as client:
            client.expect_reset()
        with server.connect() as client:
            client.send(b"x\n").expect(b"x\n")

    assert bad.fired == 1


def test_a_function_is_a_fault() -> None:
    def shout(item: Any, link: Any) -> bytes:
        return bytes(item.data.upper())

    with windsock.serving(Echo, faults=[(shout, {"direction": "upstream"})]) as server, server.connect() as client:
        client.send(b"x\n").expect(b"X\n")


def test_an_error_in_a_function_resets_the_connection_and_fails_the_test() -> None:
    def broken(item: Any, link: Any) -> bytes:
        raise LookupError("mine")

    server = windsock.serving(Echo, faults=[(broken, {"allow_unfired": True})])
    with server.connect() as client:
        client.send(b"x\n").expect_reset()

    with pytest.raises(BaseExceptionGroup) as caught:
        server.finish()

    assert "mine" in str(caught.value.exceptions[0])


# --- strict


def test_a_fault_that_never_fires_fails_a_strict_test() -> None:
    server = windsock.serving(Echo, name="the echo")
    server.fault(Reset(after_bytes=10), connections=3)
    with server.connect() as client:
        client.send(b"x\n").expect(b"x\n")

    with pytest.raises(BaseExceptionGroup) as caught:
        server.finish()

    (error,) = caught.value.exceptions
    assert isinstance(error, windsock.FaultNeverFired)
    assert str(error) == (
        "Reset(10), connections=3, never fired; the the echo had 1 connection, 2 B up, 2 B down; "
        "expected traffic it applies to, or allow_unfired=True if it need not fire"
    )


OPEN_BEFORE = "#0 was open before it, and it acts on connections made after it (on all with relay=True of the server)"


@on_every_stream_kind
def test_a_fault_on_a_connection_that_was_open_before_says_why_it_never_fired(transport: str, concurrency: str) -> None:
    server = windsock.serving(Echo, transport=transport, concurrency=concurrency)
    with server.connect() as client:
        client.send(b"x\n").expect(b"x\n")
        server.fault(Reset())
        client.send(b"x\n").expect(b"x\n")

    with pytest.raises(BaseExceptionGroup) as caught:
        server.finish()

    assert OPEN_BEFORE in str(caught.value.exceptions[0])
    assert server.fault_summary()[1] == f"never fired: Reset(); {OPEN_BEFORE}"


@pytest.mark.parametrize("options", [{"relay": True}, {}], ids=["relay", "closed"])
def test_a_fault_on_a_relayed_connection_or_on_one_that_had_ended_does_not_say_so(options: dict[str, Any]) -> None:
    server = windsock.serving(Echo, **options)
    with server.connect() as client:
        client.send(b"x\n").expect(b"x\n")
        if not options:
            client.close()
            server.connections.wait(1)
        server.fault(Reset(after_bytes=100))

    with pytest.raises(BaseExceptionGroup) as caught:
        server.finish()

    assert "before it" not in str(caught.value.exceptions[0])


@pytest.mark.parametrize("options", [{"strict": False}, {"faults": [(Delay(1), {"allow_unfired": True})]}])
def test_unless_it_may(options: dict[str, Any]) -> None:
    with windsock.serving(Echo, **options) as server:
        server.fault(Reset(), connections=3, allow_unfired=True)


def test_a_fault_that_never_fired_is_a_note_on_the_error_of_the_test() -> None:
    def test() -> None:
        with windsock.serving(Echo) as server:
            server.fault(Reset(), connections=3)
            raise KeyError("of the test")

    with pytest.raises(KeyError) as caught:
        test()

    assert any("never fired" in note for note in caught.value.__notes__)


# --- strangers


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(repr(self.client_address).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("server_class", [http.server.HTTPServer, http.server.ThreadingHTTPServer])
def test_a_strangers_server_is_late(server_class: Any) -> None:
    with windsock.serving(server_class, Page, faults=[(Delay(WAIT), {"direction": "downstream"})]) as server:
        start = time.monotonic()
        with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/", timeout=DEADLINE) as response:
            assert response.read().startswith(b"('127.0.0.1', ")

    assert time.monotonic() - start >= WAIT


@pytest.mark.parametrize(
    "server_class", [socketserver.TCPServer, socketserver.ThreadingTCPServer, socketserver.ForkingTCPServer]
)
def test_the_standard_librarys_servers_are_reset(server_class: Any) -> None:
    with windsock.serving(server_class, Echo) as server:
        with server.fault(Reset(after_bytes=2), direction="downstream", times=1), connect(server) as client:
            client.sendall(b"abc\n")
            with pytest.raises(ConnectionResetError):
                rest_of(client)
        assert ask(server, b"abc\n") == [b"abc\n"]


# --- the seed


class Mirror(BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(1000):
            self.request.sendall(data)


def bytes_after(seed: int) -> tuple[list[str], bytes]:
    """Return what fired, and what arrived, of 30 pieces that come one by one."""
    noise = (Corrupt("bitflip"), {"direction": "upstream", "probability": 0.3})
    with windsock.serving(Mirror, seed=seed, faults=[noise, (Segment(5), {"direction": "downstream"})]) as server:
        with connect(server) as client:
            for number in range(30):
                client.sendall(b"%30d" % number)
                left = 30
                while left:
                    left -= len(client.recv(left))
        server.requests.wait(1)
        found = [line.partition(" ")[2] for line in server.fault_report() if "Corrupt" in line]
        return found, server.connections[0].upstream


def test_the_same_seed_and_traffic_make_the_same_faults() -> None:
    one, again, other = bytes_after(7), bytes_after(7), bytes_after(8)

    assert one == again
    assert one[1] != other[1]
    assert 0 < len(one[0]) < 30


def test_the_seed_is_zero_unless_said() -> None:
    with windsock.serving() as plain, windsock.serving(seed=5) as chosen:
        assert (plain.seed, chosen.seed) == (0, 5)


# --- nothing is left


@pytest.mark.parametrize(
    ("transport", "concurrency"), list(product(["tcp", "unix_stream"], ["threading", "selecting"]))
)
def test_nothing_is_left_after_many_faulted_connections(transport: str, concurrency: str) -> None:
    faults: list[Any] = [
        (Reset(after_bytes=2), {"connections": slice(0, None, 3)}),
        (Truncate(2), {"connections": slice(1, None, 3)}),
        (Delay(0.001), {"connections": slice(2, None, 3)}),
    ]
    with windsock.serving(Echo, transport=transport, concurrency=concurrency, faults=faults) as server:
        for _ in range(250):
            with connect(server) as client:
                client.sendall(b"abc\n")
                try:
                    client.recv(100)
                except ConnectionResetError:
                    pass
        server.requests.wait(84)

        assert len(server.connections) == 250


def test_a_relay_that_runs_out_of_descriptors_resets_clients_and_survives(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing_left(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with windsock.serving(Echo, relay=True, strict=False) as server:
        with monkeypatch.context() as patch:
            patch.setattr(Pairs, "make", nothing_left)
            assert outcome_of(server.address) is ConnectionResetError

        wait_for_error(server)
        assert "Too many open files" in str(server.errors[0])
        with server.connect() as client:
            client.send(b"x\n").expect(b"x\n")


def outcome_of(address: Any) -> Any:
    """What a client gets: it may be reset as early as in connect()."""
    with socket.socket() as client:
        client.settimeout(DEADLINE)
        try:
            client.connect(address)
            return client.recv(1)
        except OSError as error:
            return type(error)


# --- bad input


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"faults": Delay(1)}, "put it into a list"),
        ({"faults": "Delay"}, "expected a list of faults"),
        ({"faults": [Delay]}, "that is the class"),
        ({"faults": [7]}, "7: expected a fault"),
        ({"faults": [(Delay(1), 7)]}, "expected a list of faults, of pairs"),
        ({"faults": [(Delay(1), {"conections": 1})]}, "conections=1: expected a selector's keyword"),
        ({"faults": [Drop(1)]}, "acts on datagram, this is a stream"),
        ({"faults": [Loss(0.5)], "transport": "unix_stream"}, "acts on datagram"),
        ({"faults": [Rate(1)], "seed": -1}, "seed=-1: expected a whole number"),
        ({"seed": "x"}, "seed='x': expected a whole number"),
        ({"relay": 1}, "relay=1: expected True or False"),
    ],
)
def test_what_cannot_work_says_so_before_anything_starts(options: dict[str, Any], message: str) -> None:
    with pytest.raises(windsock.UsageError, match=message):
        windsock.serving(Echo, **options)


def test_a_fault_of_a_stopped_server() -> None:
    server = windsock.serving(Echo)
    server.stop()

    with pytest.raises(windsock.UsageError, match="is stopped already"):
        server.fault(Delay(1))


def test_a_selector_can_be_passed_as_a_value() -> None:
    planned = (Delay(0.001), Selector(direction="upstream"))

    with windsock.serving(Echo, faults=[planned]) as server, server.connect() as client:
        client.send(b"x\n").expect(b"x\n")
