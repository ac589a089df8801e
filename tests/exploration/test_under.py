"""One example on a server that goes on: `with windsock.under(weather, server)`."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from typing import Any

import pytest

import windsock
from tests.support.servers import ask, connect, on_every_concurrency
from windsock import ClientHung, UsageError, under
from windsock.exploration.patience import Quiet
from windsock.faults import Delay, Drop, Reset, Stall, Truncate, profiles
from windsock.servers import StreamRequestHandler

CUT = [(Truncate(2), {"connections": 0, "direction": "downstream"})]


def reply_to(server: windsock.RunningServer, data: bytes = b"hello\n") -> bytes:
    """Return all that a client receives that says something, until the end."""
    with connect(server) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(100), b""))


@on_every_concurrency
def test_faults_act_in_their_example_and_in_no_other(concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency, framing="lines") as server:
        server.echo()

        with under(CUT, server):
            assert reply_to(server) == b"he"
        with under([], server):
            assert reply_to(server) == b"hello\n"
        with under(CUT, server):
            assert reply_to(server) == b"he"


@on_every_concurrency
def test_a_connection_that_stays_open_is_not_seen_by_the_next_example(concurrency: str) -> None:
    with windsock.serving(concurrency=concurrency, framing="lines") as server, connect(server) as early:
        server.echo()
        with under([(Delay(60), {})], server), connect(server) as left:
            left.sendall(b"hello\n")

        assert early.recv(1) == b""
        with under(CUT, server):
            assert reply_to(server) == b"he"
            assert [each.index for each in server.connections] == [0]
            assert [each.data for each in server.requests] == [b"hello\n"]


def test_what_an_example_defines_is_gone_after_it() -> None:
    with windsock.serving(framing="lines") as server:
        for reply in (b"one\n", b"two\n"):
            with under([], server):
                server.on(b"GET").reply(reply)
                assert reply_to(server, b"GET\n") == reply

        assert server.fake is not None
        assert not server.fake.rules


def test_faults_need_not_fire_and_handlers_may_fail() -> None:
    class Broken(StreamRequestHandler):
        def handle(self) -> None:
            raise ValueError("in bad weather")

    with windsock.serving(Broken) as server:
        with under([(Reset(1000), {"connections": 7}), profiles.flaky], server):
            assert reply_to(server, b"") == b""
        assert len(server.errors) == 1


def test_an_example_of_datagrams() -> None:
    with windsock.serving(transport="udp") as server:
        server.echo()
        for drop, expected in ((1, b"two"), (2, b"one")):
            with under([(Drop(drop), {"direction": "upstream"})], server), server.connect() as client:
                client.send(b"one").send(b"two").expect(expected)


def test_a_client_without_a_timeout_is_named_with_its_line() -> None:
    with windsock.serving(framing="lines") as server:
        server.echo()
        caught = hung(server, [(Stall(0), {"direction": "upstream"})], waits_for_ever)

    assert re.search(r"nothing happens for 0\.1 s, at .*test_under\.py:\d+ in .*recv\(100\)", str(caught))


def test_a_client_that_hangs_and_then_fails_is_said_to_hang() -> None:
    with windsock.serving() as server:
        caught = hung(server, [], lambda server: fails_after(waits_for_ever, server))

    assert isinstance(caught.__cause__, AssertionError)
    assert caught.transcript[0].startswith("+0.0000 #0 from ")


def test_a_client_that_tries_without_end_is_stopped() -> None:
    with windsock.serving(framing="lines") as server:
        server.echo()
        caught = hung(server, [(Reset(0), {"direction": "downstream"})], tries_for_ever)

    assert "expected a client with a timeout" in str(caught)


def hung(
    server: windsock.RunningServer, weather: Any, client: Callable[[windsock.RunningServer], object]
) -> ClientHung:
    """Return the error of an example that hangs."""
    with pytest.raises(ClientHung) as caught, under(weather, server, patience=0.1):
        client(server)
    return caught.value


def waits_for_ever(server: windsock.RunningServer) -> None:
    with connect(server) as client:
        client.settimeout(None)
        client.sendall(b"hello\n")
        client.recv(100)


def fails_after(client: Callable[[windsock.RunningServer], object], server: windsock.RunningServer) -> None:
    client(server)
    raise AssertionError


def tries_for_ever(server: windsock.RunningServer) -> None:
    while not is_answered(server):
        pass


def is_answered(server: windsock.RunningServer) -> bool:
    try:
        return ask(server, b"hello\n") == [b"hello\n"]
    except OSError:
        return False


def test_quiet_counts_from_what_has_happened_last() -> None:
    quiet = Quiet(10.0, 0.0)

    assert [quiet.look(seen, now) for seen, now in ((1, 9.0), (2, 18.0), (2, 27.9))] == ["", "", ""]
    assert quiet.look(2, 28.0) == "nothing happens for 10 s"


def test_quiet_has_a_bound_however_much_happens() -> None:
    quiet = Quiet(10.0, 0.0)

    assert [quiet.look(now, float(now)) for now in range(40)] == [""] * 40
    assert quiet.look(40, 40.0) == "it is not over after 40 s"


@pytest.mark.parametrize(
    ("weather", "patience", "said"),
    [
        (Reset(), 1.0, "put it into a list"),
        ("rain", 1.0, "faults='rain'"),
        ([(Reset(), {"connection": 0})], 1.0, "connection=0"),
        ([Drop(1)], 1.0, "acts on datagram"),
        ([], 0, "patience=0"),
        ([], "long", "patience='long'"),
    ],
)
def test_a_value_that_cannot_work_is_named(weather: Any, patience: Any, said: str) -> None:
    with windsock.serving() as server:
        with pytest.raises(UsageError) as caught, under(weather, server, patience=patience):
            raise AssertionError

        assert said in str(caught.value)
        with under([], server):  # nothing is left of it
            pass


def test_a_proxy_is_refused_with_the_way_out() -> None:
    with windsock.serving() as server, windsock.proxy(server.address) as proxy, pytest.raises(UsageError) as caught:
        under([], proxy).__enter__()  # type: ignore[arg-type]

    assert "a proxy gets its faults by proxy(address, faults=" in str(caught.value)
