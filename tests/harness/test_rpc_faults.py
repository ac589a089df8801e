"""Faults that name a reply by its xid: lost, late, twice, to another xid, and cut within its record mark."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.rpc import Adder, adding
from tests.support.servers import DATAGRAMS, connect, on_every_stream, on_every_transport
from windsock import CallTimeout, faults, proxy, rpc, rpc_client, serving
from windsock.protocols.record_marking import mark_record

on_every_way = pytest.mark.parametrize("way", ["of the server", "of a proxy", "of the client"])


def lost(item: Any, context: Any) -> None:  # the contract of faults
    return None


def twice(item: Any, context: Any) -> Any:  # the contract of faults
    return item.data * 2


def with_xid_99(item: Any, context: Any) -> Any:  # the contract of faults
    return item.data.replace((1).to_bytes(4, "big"), (99).to_bytes(4, "big"), 1)


@contextlib.contextmanager
def client_behind(
    fault: faults.Fault | Callable[..., Any], match: rpc.ReplyPattern, transport: str, way: str
) -> Iterator[Any]:
    """Give a client of the adder with a fault on the replies that match."""
    selector: dict[str, Any] = {"direction": "downstream", "match": match}
    plans = [(fault, selector)]
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(
            serving(Adder, transport=transport, faults=plans if way == "of the server" else ())
        )
        address: Any = server.address
        options: dict[str, Any] = {"faults": plans} if way == "of the client" else {}
        if way == "of a proxy":
            address = stack.enter_context(proxy(address, transport=transport, faults=plans)).address
        yield stack.enter_context(rpc_client(address, Adder, transport=transport, resend_every=None, **options))


@on_every_way
@on_every_transport
def test_a_reply_is_lost_and_others_are_not(transport: str, way: str) -> None:
    fault = faults.Drop(1) if transport in DATAGRAMS else lost
    with client_behind(fault, rpc.reply(2), transport, way) as client:
        assert client.call("add", [1]) == 1
        with pytest.raises(CallTimeout):
            client.call("add", [2], timeout=0.3)
        assert client.call("add", [3]) == 3


@on_every_way
@on_every_transport
def test_a_reply_is_late_and_is_not_taken_for_that_of_the_next_call(transport: str, way: str) -> None:
    with client_behind(faults.Delay(0.4), rpc.reply(1), transport, way) as client:
        with pytest.raises(CallTimeout):
            client.call("add", [1], timeout=0.05)
        assert client.call("add", [2]) == 2


@on_every_way
@on_every_transport
def test_a_reply_comes_twice(transport: str, way: str) -> None:
    fault = faults.Duplicate() if transport in DATAGRAMS else twice
    with client_behind(fault, rpc.reply(1), transport, way) as client:
        assert [client.call("add", [number]) for number in (5, 6)] == [5, 6]


@on_every_way
@on_every_transport
def test_a_reply_has_another_xid(transport: str, way: str) -> None:
    with client_behind(with_xid_99, rpc.reply(1), transport, way) as client:
        with pytest.raises(CallTimeout) as caught:
            client.call("add", [5], timeout=0.5)

        assert caught.value.others == (99,)


@on_every_stream
def test_a_reply_is_cut_within_its_record_mark(transport: str) -> None:
    with serving(Adder, transport=transport) as server:
        server.fault(faults.Segment(2, interval=0.2), direction="downstream", match=rpc.reply(7))
        with connect(server) as client:
            client.sendall(mark_record(adding(1).encode()))

            assert client.recv(4) == b"\x80\0"


@on_every_stream
def test_a_fake_cuts_a_reply_within_its_record_mark(transport: str) -> None:
    with serving(transport=transport, framing="rpc") as server, connect(server) as client:
        server.on(rpc.call(Adder.program)).reply(rpc.success(), pieces=[2, 26], every=0.2)
        client.sendall(mark_record(adding(1).encode()))

        assert client.recv(4) == b"\x80\0"
