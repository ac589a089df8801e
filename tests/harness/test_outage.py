"""outage(): a server that is down for a while, and up again on the same address."""

from __future__ import annotations

from typing import Any

import pytest

import windsock
from tests.support.servers import ask, connect, on_every_kind_and_records, on_every_stream_kind, on_every_transport
from windsock.recording import Recorder


@on_every_stream_kind
def test_streams_are_refused_and_then_served_again(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency, framing="lines").echo() as server:
        address = server.address
        assert ask(server, b"before\n") == [b"before\n"]

        with server.outage(), pytest.raises(ConnectionRefusedError):
            connect(server)

        assert server.address == address
        assert ask(server, b"after\n") == [b"after\n"]
        assert [each.data for each in server.requests.wait(2)] == [b"before\n", b"after\n"]


@on_every_kind_and_records
def test_clients_of_every_kind_are_refused(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        with server.outage(), pytest.raises(ConnectionRefusedError):
            ask(server, b"anybody?")

        server.requests.none()


def test_a_connected_udp_client_is_refused_and_then_served_again() -> None:
    with windsock.serving(transport="udp") as server, connect(server) as client:
        server.echo()
        with server.outage():
            client.send(b"lost")
            with pytest.raises(ConnectionRefusedError):
                client.recv(1)

        client.send(b"found")
        assert client.recv(100) == b"found"
        assert [each.data for each in server.requests] == [b"found"]


def test_a_unix_datagram_client_connects_anew_and_is_served_again() -> None:
    with windsock.serving(transport="unix_datagram").echo() as server:
        with server.outage():
            pass

        assert ask(server, b"found") == [b"found"]


@pytest.mark.parametrize("transport", ["unix_stream", "unix_datagram"])
def test_abstract_names_are_refused_and_served_again(transport: str) -> None:
    with windsock.serving(transport=transport, path="\0windsock-outage").echo() as server:
        with server.outage(), pytest.raises(ConnectionRefusedError):
            connect(server)

        assert ask(server, b"x") == [b"x"]


@on_every_stream_kind
def test_open_connections_end_with_the_outage(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency).echo() as server:
        with connect(server) as client:
            client.sendall(b"x")
            assert client.recv(1) == b"x"
            with server.outage():
                assert client.recv(1) == b""

            assert [each.ending for each in server.connections] == [windsock.Ending.STOPPED]
        assert ask(server, b"y") == [b"y"]


@on_every_stream_kind
def test_what_handlers_do_after_an_outage_is_theirs_again(transport: str, concurrency: str) -> None:
    def handler(request: Any, client_address: Any, server: Any) -> None:
        raise LookupError("after") if request.recv(100) == b"raise" else OSError("the server went down")

    with windsock.serving(handler, transport=transport, concurrency=concurrency) as server:
        with connect(server), server.outage():
            pass
        assert server.errors.failures() == []
        with connect(server) as client:
            client.sendall(b"raise")
            client.recv(1)
        server.stop()
        assert [str(error) for error in server.errors.failures()] == ["after"]
        server.errors.take()


@on_every_transport
def test_a_server_can_go_down_more_than_once(transport: str) -> None:
    with windsock.serving(transport=transport).echo() as server:
        for number in range(3):
            with server.outage():
                pass
            assert ask(server, b"%d" % number) == [b"%d" % number]


@on_every_transport
def test_a_server_that_is_stopped_while_it_is_down_stays_down(transport: str) -> None:
    with windsock.serving(transport=transport) as server:
        with server.outage():
            server.stop()

        with pytest.raises(OSError, match=r"refused|No such file"):
            ask(server, b"x")
        with pytest.raises(windsock.UsageError, match=rf"outage\(\): the threading {transport} server is stopped"):
            server.outage().__enter__()


def test_a_failing_body_ends_the_outage_too() -> None:
    with windsock.serving().echo() as server:
        with pytest.raises(LookupError), server.outage():
            raise LookupError

        assert ask(server, b"x") == [b"x"]


def test_the_recorder_knows_no_stop_after_it() -> None:
    recorder = Recorder()
    recorder.stop()
    recorder.resume()
    connection = recorder.open(("127.0.0.1", 1))
    connection.record_end(1e12)
    assert connection.ending is windsock.Ending.SERVER_CLOSE
    recorder.close()


def test_an_outage_is_in_the_transcript() -> None:
    with windsock.serving() as server:
        with server.outage():
            pass

        assert [each.partition(" ")[2] for each in server.transcript()] == [
            "--- outage() began",
            "--- outage() ended",
        ]


def test_an_outage_of_one_test_is_not_in_the_part_of_the_next() -> None:
    with windsock.serving() as server:
        with server.checkpoint("one"), server.outage():
            pass

        with server.checkpoint("two"):
            assert list(server.changes) == []


def test_a_disconnected_proxy_is_in_the_transcript() -> None:
    with windsock.serving() as server, windsock.proxy(server.address) as proxy:
        proxy.disconnect()
        proxy.disconnect()
        proxy.reconnect()

        assert [each.partition(" ")[2] for each in proxy.transcript()] == ["--- disconnect()", "--- reconnect()"]
