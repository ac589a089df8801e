"""Calls that come again by datagram: executed again by default, answered from a cache on request."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from tests.servers.helpers import Place, each
from tests.support.rpc import Adder, AsyncAdder, adding, call, calling, reply_from, sum_of
from windsock.errors import UsageError
from windsock.protocols.rpc_messages import Accepted, AcceptStatus
from windsock.servers import TrioMixIn, rpc

DATAGRAMS: list[Any] = [
    kind
    for kind in (getattr(rpc, name) for name in rpc.__all__ if name.endswith("Server"))
    if kind.socket_type == socket.SOCK_DGRAM
]
STREAMS = [rpc.ThreadingRPCTCPServer, rpc.ForkingRPCTCPServer]
TRIO = [kind for kind in DATAGRAMS if issubclass(kind, TrioMixIn)]


def noting(handler: Any) -> Any:
    """Return a subclass that notes each call that is executed."""

    class Noting(handler):  # type: ignore[misc]
        def setup(self) -> None:
            self.server.notes.write("executed")

    return Noting


@each(DATAGRAMS)
def test_a_call_that_comes_again_is_executed_once_and_answered_each_time(place: Place, kind: Any) -> None:
    client = place.connect(place.start(kind, noting(Adder), duplicate_cache_size=10))

    assert [call(client, adding(1, 2)) for _ in range(3)] == [sum_of(3)] * 3
    assert call(client, adding(4, xid=8)) == sum_of(4, xid=8)
    assert place.notes.read_all() == ["executed"] * 2


@each(TRIO)
def test_an_async_handler_keeps_its_replies_too(place: Place, kind: Any) -> None:
    client = place.connect(place.start(kind, noting(AsyncAdder), duplicate_cache_size=10))

    assert [call(client, adding(1, 2)) for _ in range(2)] == [sum_of(3)] * 2
    assert place.notes.read_all() == ["executed"]


@each(DATAGRAMS)
def test_without_a_cache_a_call_is_executed_each_time_that_it_comes(place: Place, kind: Any) -> None:
    client = place.connect(place.start(kind, noting(Adder)))

    assert [call(client, adding(1, 2)) for _ in range(2)] == [sum_of(3)] * 2
    assert place.notes.read_all() == ["executed"] * 2


@each(DATAGRAMS)
def test_equal_calls_of_other_clients_and_other_procedures_are_calls_of_their_own(place: Place, kind: Any) -> None:
    server = place.start(kind, noting(Adder), duplicate_cache_size=10)
    one, two = place.connect(server), place.connect(server)

    assert call(one, adding(1)) == call(two, adding(1)) == sum_of(1)
    assert call(one, calling(0)) == Accepted(7)
    assert place.notes.read_all() == ["executed"] * 3


@each(DATAGRAMS)
def test_a_failure_is_kept_as_well_and_reported_once(place: Place, kind: Any) -> None:
    client = place.connect(place.start(kind, Adder, duplicate_cache_size=10))

    assert [call(client, calling(2)) for _ in range(2)] == [Accepted(7, AcceptStatus.SYSTEM_ERR)] * 2
    assert place.notes.read() == "error ZeroDivisionError"
    assert call(client, adding(1)) == sum_of(1)
    assert place.notes.read_all() == []


@each([rpc.ThreadingRPCUDPServer, rpc.ForkingRPCUDPServer])
def test_the_cache_holds_the_latest_calls_only(place: Place, kind: Any) -> None:
    client = place.connect(place.start(kind, noting(Adder), duplicate_cache_size=2))

    for xid in (1, 2, 3):
        call(client, adding(xid=xid))
    place.notes.read_all()
    call(client, adding(xid=3))
    call(client, adding(xid=2))

    assert place.notes.read_all() == []
    call(client, adding(xid=1))
    assert place.notes.read_all() == ["executed"]


class Slow(Adder):
    def null(self) -> None:
        self.server.notes.write("begun")
        self.server.go_on.recv(1)


@each([rpc.ThreadingRPCUDPServer, rpc.ForkingRPCUDPServer, rpc.TrioRPCUDPServer, rpc.ThreadingRPCUnixDatagramServer])
def test_a_call_that_comes_again_while_it_is_being_answered_is_dropped(place: Place, kind: Any) -> None:
    go_on, ours = socket.socketpair()
    with go_on, ours:
        client = place.connect(place.start(kind, Slow, duplicate_cache_size=10, go_on=go_on))
        client.send(calling(0).encode())
        assert place.notes.read() == "begun"
        client.send(calling(0).encode())
        assert call(client, adding(1, xid=8)) == sum_of(1, xid=8)  # so the second has been looked at
        ours.send(b"!")

        assert reply_from(client) == Accepted(7)
        assert place.notes.read_all() == []


@each(DATAGRAMS[:1])
def test_what_is_no_call_is_left_to_the_handler(place: Place, kind: Any) -> None:
    client = place.connect(place.start(kind, Adder, duplicate_cache_size=10))

    for message in (b"junk", sum_of(1).encode()):
        client.send(message)
        assert place.notes.read() == "error DecodeError"


@each(STREAMS)
def test_on_a_stream_each_call_is_executed(place: Place, kind: Any) -> None:
    client = place.connect(place.start(kind, noting(Adder), duplicate_cache_size=10))

    assert [call(client, calling(1, adding(2).arguments)) for _ in range(2)] == [sum_of(2)] * 2


@pytest.mark.parametrize("size", [-1, None, 1.5, True])
def test_a_size_that_cannot_be_is_refused(place: Place, size: Any) -> None:
    with pytest.raises(UsageError, match="expected the number of calls to keep, or 0 for none"):
        place.make(rpc.RPCUDPServer, Adder, duplicate_cache_size=size)
