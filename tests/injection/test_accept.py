"""Faults around accept(2) on every kind of server: refused, late, failing, full, too many."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

import windsock
from tests.support.servers import connect, is_answered, on_every_stream_kind, wait_for_end
from tests.support.waiting import DEADLINE, wait_until
from windsock.faults import AcceptDelay, AcceptError, BacklogFull, MaxConnections, Refuse, first

SHORT = 0.2


def served(transport: str, concurrency: str, **options: object) -> windsock.RunningServer:
    server = windsock.serving(transport=transport, concurrency=concurrency, framing="lines", **options)  # type: ignore[arg-type]  # keywords
    return server.echo()


@on_every_stream_kind
def test_clients_are_refused_while_it_is_on_and_served_afterwards(transport: str, concurrency: str) -> None:
    with served(transport, concurrency) as server:
        address = server.address

        for _ in range(2):
            with server.fault(Refuse()) as fault:
                with pytest.raises(windsock.ConnectFailed) as caught:
                    server.connect()
                assert caught.value.outcome == "refused"

            assert fault.fired == 1
            assert server.address == address
            assert is_answered(server)


@on_every_stream_kind
def test_a_connection_that_is_open_goes_on_while_others_are_refused(transport: str, concurrency: str) -> None:
    with served(transport, concurrency) as server, server.connect() as client:
        client.send(b"x\n").expect(b"x\n")

        with server.fault(Refuse()):
            client.send(b"y\n").expect(b"y\n")


@on_every_stream_kind
def test_one_after_the_other_without_a_pause(transport: str, concurrency: str) -> None:
    with served(transport, concurrency) as server:
        for fault in (Refuse(), BacklogFull(), Refuse(), BacklogFull()):
            with server.fault(fault), pytest.raises(windsock.ConnectFailed):
                server.connect(timeout=SHORT)

        assert is_answered(server)


@pytest.mark.parametrize(
    "options", [{"host": "::1"}, {"transport": "unix_stream", "path": "\0windsock-refuse"}], ids=["IPv6", "abstract"]
)
def test_addresses_of_every_kind_are_taken_back(options: dict[str, str]) -> None:
    with windsock.serving(framing="lines", **options) as server:  # type: ignore[arg-type]  # keywords
        server.echo()
        with server.fault(Refuse()), pytest.raises(windsock.ConnectFailed):
            server.connect()

        assert is_answered(server)


def test_a_path_of_ones_own_is_removed_in_the_end(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with windsock.serving(transport="unix_stream", path=path) as server:
        with server.fault(Refuse()), pytest.raises(windsock.ConnectFailed):
            server.connect()
        server.connect().close()

    assert not path.exists()


@on_every_stream_kind
def test_a_server_can_be_made_refusing_and_stopped_so(transport: str, concurrency: str) -> None:
    with served(transport, concurrency, faults=[Refuse()]) as server, pytest.raises(windsock.ConnectFailed):
        server.connect()

    assert server.connections == []


def test_a_selected_connection_is_reset_once_accepted() -> None:
    with served("tcp", "threading", faults=[(Refuse(), {"connections": 0})]) as server:
        with pytest.raises(ConnectionResetError), socket.create_connection(server.address, timeout=DEADLINE) as client:
            client.recv(1)

        assert is_answered(server)
        assert (server.connections[0].ending, server.connections[0].refused) == ("refused", "Refuse()")


@on_every_stream_kind
def test_a_full_backlog_keeps_clients_waiting(transport: str, concurrency: str) -> None:
    with served(transport, concurrency) as server:
        with server.fault(BacklogFull()) as fault:
            with pytest.raises(windsock.ConnectFailed) as caught:
                server.connect(timeout=SHORT)
            assert caught.value.outcome == "timeout"

        assert fault.fired == 1
        assert is_answered(server)


def test_who_waits_at_a_full_backlog_comes_through_when_it_is_healed() -> None:
    with served("unix_stream", "threading") as server:
        with server.fault(BacklogFull()), socket.socket(socket.AF_UNIX) as client:
            client.setblocking(False)
            assert client.connect_ex(server.path) != 0

        assert is_answered(server)


@on_every_stream_kind
def test_a_connection_is_served_late(transport: str, concurrency: str) -> None:
    with served(transport, concurrency) as server:
        fault = server.fault(AcceptDelay(SHORT), connections=first(1))
        start = time.monotonic()
        assert is_answered(server)
        late = time.monotonic() - start
        assert is_answered(server)

        assert late >= SHORT
        assert [each.connection for each in fault.log] == [0]


@on_every_stream_kind
def test_accept_fails_and_the_connection_is_served_afterwards(transport: str, concurrency: str) -> None:
    with served(transport, concurrency, faults=[(AcceptError("EMFILE"), {"times": 1})]) as server:
        assert is_answered(server)

        (error,) = server.errors
        assert isinstance(error, OSError)
        assert error.strerror == "Too many open files"


@on_every_stream_kind
@pytest.mark.parametrize("then", ["refuse", "reset"])
def test_one_too_many_is_turned_away(transport: str, concurrency: str, then: str) -> None:
    if concurrency == "sync":
        pytest.skip("takes no second connection while it serves the first")
    with served(transport, concurrency, faults=[MaxConnections(1, then=then)]) as server:
        with server.connect() as client:
            client.send(b"x\n").expect(b"x\n")
            with pytest.raises((ConnectionError, windsock.PeerError)), server.connect() as second:
                second.send(b"y\n").expect(b"y\n")
        server.requests.wait(1)
        wait_for_end(server, 0)

        assert is_answered(server)


@on_every_stream_kind
def test_one_too_many_waits_for_room(transport: str, concurrency: str) -> None:
    if concurrency == "sync":
        pytest.skip("takes no second connection while it serves the first")
    with served(transport, concurrency) as server:
        server.fault(MaxConnections(1, then="stall"))
        with server.connect() as client, server.connect() as second:
            client.send(b"x\n").expect(b"x\n")
            second.send(b"y\n")
            with pytest.raises(windsock.ScriptTimeout):
                second.expect(b"y\n", timeout=SHORT)
            client.close()

            second.expect(b"y\n")


@on_every_stream_kind
def test_a_listener_that_was_shut_blocks_no_other_request(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.echo()
        wait_until(lambda: server.server.fileno() >= 0 and is_answered(server), "its loop")
        before = os.get_blocking(server.server.fileno())
        with server.fault(Refuse()), pytest.raises(OSError):
            connect(server)
        assert is_answered(server)

        assert os.get_blocking(server.server.fileno()) is before


def test_a_full_backlog_cannot_choose() -> None:
    with served("tcp", "threading") as server:
        with pytest.raises(windsock.UsageError, match=r"BacklogFull\(\) with connections=0: clients wait before"):
            server.fault(BacklogFull(), connections=0)

        assert is_answered(server)


def test_datagrams_are_not_accepted() -> None:
    with (
        windsock.serving(transport="udp") as server,
        pytest.raises(windsock.UsageError, match="acts on accept, this is a datagram"),
    ):
        server.fault(Refuse())


def test_an_outage_and_a_refusal_are_not_mixed() -> None:
    with served("tcp", "threading") as server:
        with server.fault(Refuse()), pytest.raises(windsock.UsageError, match="outage"), server.outage():
            pass

        with server.outage():
            pass
        assert is_answered(server)
