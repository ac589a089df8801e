"""Procedures of Sun RPC that end otherwise than by a result: outcomes of pytest, exits, replies too long to send."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.support.rpc import Adder, AsyncAdder
from tests.support.servers import DATAGRAMS, TRANSPORTS, on_every_kind, wait_for_error
from windsock import CallFailed, RunningServer, UsageError, serving
from windsock.harness import CONCURRENCIES
from windsock.protocols import xdr
from windsock.protocols.rpc_messages import AcceptStatus, AuthStatus, Call
from windsock.servers import rpc
from windsock.servers.rpc import procedure

EVERY_DATAGRAM_SERVER: list[Any] = [
    kind for kind in (getattr(rpc, name) for name in rpc.__all__ if name.endswith("Server")) if "UDP" in kind.__name__
] + [kind for kind in (getattr(rpc, name) for name in rpc.__all__) if "UnixDatagram" in kind.__name__]


class Judging(Adder):
    """Fails the test within a procedure, or exits, or returns much."""

    @procedure(6)
    def judge(self) -> Any:
        pytest.fail("the client may not call this")

    @procedure(7)
    def leave(self) -> Any:
        raise SystemExit(3)

    @procedure(8, args=xdr.UINT, result=xdr.OPAQUE)
    def return_much(self, size: int) -> Any:
        return bytes(size)


class AsyncJudging(Judging, AsyncAdder):
    @procedure(6)
    async def judge(self) -> None:
        pytest.fail("the client may not call this")

    @procedure(8, args=xdr.UINT, result=xdr.OPAQUE)
    async def return_much(self, size: int) -> bytes:
        return bytes(size)


class Picky(Adder):
    def check_credential(self, call: Call) -> AuthStatus:
        pytest.fail("no caller is good enough")


def fails_with(server: RunningServer, kind: type[BaseException], message: str) -> None:
    """Wait for the error of a handler, and check it."""
    wait_for_error(server)
    (error,) = server.errors
    assert isinstance(error, kind)
    assert re.search(message, str(error))


HANDLERS = [(each, Judging) for each in CONCURRENCIES] + [("trio", AsyncJudging)]
on_every_concurrency = pytest.mark.parametrize(("concurrency", "handler"), HANDLERS)
on_every_transport_too = pytest.mark.parametrize(
    ("transport", "concurrency", "handler"), [(transport, *each) for transport in TRANSPORTS for each in HANDLERS]
)


@on_every_transport_too
def test_a_test_that_fails_in_a_procedure_is_a_system_error_for_the_client_and_fails_the_test(
    transport: str, concurrency: str, handler: Any
) -> None:
    with serving(handler, transport=transport, concurrency=concurrency, strict=False) as server:
        with server.connect_rpc(resend_every=None) as client, pytest.raises(CallFailed, match=r"judge: SYSTEM_ERR$"):
            client.call("judge")
        with server.connect_rpc() as client:
            assert client.call("add", [1, 2]) == 3

        fails_with(server, BaseException, "the client may not call this")


@on_every_kind
def test_a_procedure_that_exits_is_a_system_error_for_the_client(transport: str, concurrency: str) -> None:
    with serving(Judging, transport=transport, concurrency=concurrency, strict=False) as server:
        with server.connect_rpc(resend_every=None) as client, pytest.raises(CallFailed, match=r"leave: SYSTEM_ERR$"):
            client.call("leave")
        with server.connect_rpc() as client:
            assert client.call("add", [1, 2]) == 3


@on_every_kind
def test_a_test_that_fails_while_it_judges_a_credential_is_a_system_error_for_the_client(
    transport: str, concurrency: str
) -> None:
    with serving(Picky, transport=transport, concurrency=concurrency, strict=False) as server:
        with server.connect_rpc(resend_every=None) as client, pytest.raises(CallFailed, match=r"SYSTEM_ERR$"):
            client.call("add", [1])

        fails_with(server, BaseException, "no caller is good enough")


@pytest.mark.parametrize(("procedure", "arguments"), [("judge", ()), ("return_much", (300_000,))])
@pytest.mark.parametrize("kind", EVERY_DATAGRAM_SERVER, ids=lambda kind: kind.__name__)
def test_a_call_that_failed_is_answered_likewise_when_it_comes_again(
    kind: Any, procedure: str, arguments: tuple[int, ...]
) -> None:
    class Caching(kind):  # type: ignore[misc]
        duplicate_cache_size = 10

    with serving(Caching, Judging, strict=False) as server, server.connect_rpc(resend_every=None) as client:
        for _ in range(2):
            with pytest.raises(CallFailed, match=r"SYSTEM_ERR$"):
                client.call(procedure, *arguments, xid=7)

    assert len(server.errors) == 1


@on_every_transport_too
def test_a_reply_too_long_for_a_datagram_is_a_system_error_for_the_client_and_says_what_to_do(
    transport: str, concurrency: str, handler: Any
) -> None:
    size = 300_000
    if transport not in DATAGRAMS:
        with serving(handler, transport=transport, concurrency=concurrency) as server, server.connect_rpc() as client:
            assert client.call("return_much", size) == bytes(size)
        return
    message = r"call 1 program \d+ v2 return_much has 300028 bytes, too many for one datagram here: return less, or"
    with serving(handler, transport=transport, concurrency=concurrency, strict=False) as server:
        with server.connect_rpc(resend_every=None) as client:
            with pytest.raises(CallFailed) as caught:
                client.call("return_much", size)
            assert caught.value.status is AcceptStatus.SYSTEM_ERR
            assert client.call("return_much", 60_000) == bytes(60_000)

        fails_with(server, UsageError, message)


@pytest.mark.parametrize("way", ["direct", "relayed"])
@on_every_concurrency
def test_a_unix_datagram_of_more_than_64_kib_is_read_whole(concurrency: str, way: str, handler: Any) -> None:
    data = bytes(150_000)
    with (
        serving(handler, transport="unix_datagram", concurrency=concurrency, relay=way == "relayed") as server,
        server.connect_rpc(resend_every=None) as client,
    ):
        assert client.call(4, data) == data


@pytest.mark.parametrize("kind", [each for each in EVERY_DATAGRAM_SERVER if "Unix" in each.__name__])
def test_a_server_class_of_rpc_reads_long_unix_datagrams_and_keeps_a_limit_of_its_own(kind: Any) -> None:
    class Small(kind):  # type: ignore[misc]
        max_packet_size = 1000

    with serving(kind, Judging) as server, server.connect_rpc(resend_every=None) as client:
        assert client.call(4, bytes(150_000)) == bytes(150_000)
    with serving(Small, Judging, strict=False) as server, server.connect_rpc(resend_every=None) as client:
        assert client.call(4, bytes(900)) == bytes(900)
        with pytest.raises(CallFailed, match="GARBAGE_ARGS"):
            client.call(4, bytes(1100))
