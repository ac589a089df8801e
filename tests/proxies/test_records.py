"""Records through relays and proxies: each arrives as one, with what came with it, however slowly they are taken."""

from __future__ import annotations

import array
import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

import windsock
from tests.support.servers import RECORDS, allows_records_of, connect
from tests.support.waiting import DEADLINE, wait_until
from windsock import RunningServer, serving
from windsock.net.records import LARGEST_RECORD
from windsock.servers import BaseRequestHandler, RecordRequestHandler

WAYS = ["direct", "relayed", "proxied"]
SIZES = [1, 70_000, 3, 200_000, 2, 150_000] * 4
"""More than the kernel's buffers hold."""


@contextlib.contextmanager
def way_to(server: RunningServer, way: str) -> Iterator[socket.socket]:
    """Give a client that is connected to a server, directly or through a proxy."""
    if way != "proxied":
        with connect(server) as client:
            yield client
        return
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with windsock.proxy(server.address, transport=RECORDS) as proxy, client:
        client.settimeout(DEADLINE)
        client.connect(proxy.address)
        yield client


class Late(RecordRequestHandler):
    """Takes all records before it sends them back, when the client has ended its direction."""

    timeout = DEADLINE

    def handle(self) -> None:
        for record in list(self.records()):
            self.send_record(record)


@pytest.mark.parametrize("way", WAYS)
def test_records_keep_their_ends_and_their_order_under_pressure(way: str) -> None:
    with serving(Late, transport=RECORDS, relay=way == "relayed") as server, way_to(server, way) as client:
        for number, size in enumerate(SIZES):
            client.send(bytes([number]) * size)
        client.shutdown(socket.SHUT_WR)
        received = [client.recv(LARGEST_RECORD) for _ in SIZES]

        assert [len(each) for each in received] == SIZES
        assert [each[0] for each in received] == list(range(len(SIZES)))
        assert client.recv(1) == b""
        assert [len(each.data) for each in server.requests.wait(len(SIZES))] == SIZES


@pytest.mark.parametrize("way", WAYS)
def test_a_descriptor_comes_with_its_record(way: str) -> None:
    class Reader(BaseRequestHandler):
        def handle(self) -> None:
            assert self.request.recv(100) == b"before"
            data, ancillary, _, _ = self.request.recvmsg(100, socket.CMSG_SPACE(4))
            descriptors = array.array("i", ancillary[0][2][:4])
            self.request.send(data + os.read(descriptors[0], 100))
            os.close(descriptors[0])

    reader, writer = os.pipe()
    with serving(Reader, transport=RECORDS, relay=way == "relayed") as server, way_to(server, way) as client:
        client.send(b"before")
        socket.send_fds(client, [b"pipe: "], [reader])
        os.close(reader)
        os.write(writer, b"content")
        os.close(writer)

        assert client.recv(100) == b"pipe: content"


@pytest.mark.parametrize("way", WAYS)
def test_a_server_that_leaves_a_record_unread_resets(way: str) -> None:
    class Leaves(BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(100)
            self.request.recv(100, socket.MSG_PEEK)

    with serving(Leaves, transport=RECORDS, relay=way == "relayed") as server, way_to(server, way) as client:
        client.send(b"one")
        client.send(b"two")
        with contextlib.suppress(ConnectionResetError):  # the end of the stream behind a relay, or a reset
            assert client.recv(100) == b""
        server.connections.wait(1)
        with serving(Late, transport=RECORDS) as other, way_to(other, way) as next_one:
            next_one.send(b"next")
            next_one.shutdown(socket.SHUT_WR)
            assert next_one.recv(100) == b"next"


@pytest.mark.parametrize("way", ["relayed", "proxied"])
def test_a_record_longer_than_a_relay_takes_is_noted(way: str) -> None:
    if not allows_records_of(LARGEST_RECORD + 1):
        pytest.skip("this system allows no records of that size")
    with serving(transport=RECORDS, relay=way == "relayed") as server:
        with contextlib.ExitStack() as stack:
            proxy = stack.enter_context(windsock.proxy(server.address, transport=RECORDS)) if way == "proxied" else None
            client = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            client.settimeout(DEADLINE)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * LARGEST_RECORD)
            client.connect((proxy or server).address)
            client.send(bytes(LARGEST_RECORD + 1))

            assert len(server.requests.only().data) == LARGEST_RECORD
            text = "\n".join((proxy or server).transcript())
        assert f"a record from the client was cut to {LARGEST_RECORD} B: the rest is lost" in text


def test_a_proxy_records_each_record_and_is_listed_with_its_transport() -> None:
    with serving(transport=RECORDS).echo() as server, windsock.proxy(server.address, transport=RECORDS) as proxy:
        with windsock.scripted_client(proxy.address, transport=RECORDS) as client:
            client.send(b"one").expect(b"one").send(b"two").expect(b"two")

        assert [(each.data, each.reply) for each in proxy.requests.wait(2)] == [(b"one", b"one"), (b"two", b"two")]
        assert proxy.requests[0].transport == RECORDS


def test_a_proxy_that_was_not_told_of_records_says_why_there_is_no_connection() -> None:
    with serving(transport=RECORDS).echo() as server, windsock.proxy(server.address) as proxy:
        with windsock.scripted_client(proxy.address) as client:
            client.expect_end()

        assert "Protocol wrong type for socket" in "\n".join(proxy.transcript())


def test_a_proxy_of_records_has_no_tls() -> None:
    with serving(transport=RECORDS) as server, serving(tls=True) as other:
        context = other.client_context()
        with pytest.raises(windsock.UsageError, match="TLS is for streams, and records go there"):
            windsock.proxy(server.address, transport=RECORDS, upstream_tls=context)


def test_clients_of_a_proxy_of_records_are_refused_and_left_waiting() -> None:
    with serving(transport=RECORDS).echo() as server, windsock.proxy(server.address, transport=RECORDS) as proxy:
        for fault in (windsock.faults.Refuse(), windsock.faults.BacklogFull()):
            with proxy.fault(fault) as handle:
                wait_until(lambda handle=handle: handle.fired)  # type: ignore[misc]  # a lambda of the loop
                with pytest.raises(windsock.ConnectFailed):
                    windsock.scripted_client(proxy.address, transport=RECORDS, timeout=0.05)
            wait_until(lambda: is_there(proxy.address))


def is_there(address: Any) -> bool:
    """Return whether a client is answered."""
    try:
        with windsock.scripted_client(address, transport=RECORDS) as client:
            client.send(b"x").expect(b"x")
    except windsock.ConnectFailed:
        return False
    return True


def test_a_server_of_records_refuses_clients_and_leaves_them_waiting() -> None:
    faults: list[Any] = [windsock.faults.Refuse(), windsock.faults.BacklogFull()]
    with serving(transport=RECORDS).echo() as server:
        for fault in faults:
            with server.fault(fault), pytest.raises(windsock.ConnectFailed):
                server.connect(timeout=0.05)
        with server.connect() as client:
            client.send(b"x").expect(b"x")
