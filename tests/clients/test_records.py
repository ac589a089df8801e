"""Scripted clients of records: the steps of streams, with a record for each message."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest

import windsock
from tests.support.async_loops import run_in
from tests.support.servers import RECORDS, allows_records_of
from windsock import AsyncioClient, Script, ScriptMismatch, TrioClient, UsageError, serving
from windsock.net.records import LARGEST_RECORD


def test_a_client_sends_and_expects_records() -> None:
    with serving(transport=RECORDS).echo() as server:
        with windsock.scripted_client(server.address, transport=RECORDS) as client:
            client.send([b"one", b"two"]).send(b"abcd", pieces=2)
            client.expect(b"one").expect(length=3).expect(b"ab").expect(b"cd")
            client.send(b"x").half_close().expect_eof(discard=True)

        assert [each.data for each in server.requests] == [b"one", b"two", b"ab", b"cd", b"x"]
        assert client.outcome == "eof"


@pytest.mark.parametrize("loop", ["asyncio", "trio"])
def test_a_client_in_a_task_sends_and_expects_records(loop: str) -> None:
    kind: Any = {"asyncio": AsyncioClient, "trio": TrioClient}[loop]

    async def main() -> None:
        async with kind(server.address, transport=RECORDS) as client:
            await client.send(b"one")
            await client.send(b"two")
            await client.expect(b"one")
            await client.expect(b"two")
            await client.half_close()
            await client.expect_eof()

    with serving(transport=RECORDS).echo() as server:
        run_in(loop, main)

        assert [each.data for each in server.requests] == [b"one", b"two"]


def test_a_crowd_of_clients_plays_with_records() -> None:
    with serving(transport=RECORDS).echo() as server:
        summary = server.crowd(5, Script().send(b"a").send(b"b").expect(b"a").expect(b"b"))

        assert summary.met == 5


def test_what_the_client_has_not_expected_is_one_record_after_the_other() -> None:
    with serving(transport=RECORDS).echo() as server, server.connect() as client:
        client.send(b"one").send(b"two").send(b"three").expect(b"one")
        with pytest.raises(ScriptMismatch, match=r"bytes came instead"):
            client.half_close().pause(0.02).expect_eof()

        assert client.unread == b"two"
        assert client.datagrams[0] == b"two"


def test_a_record_that_is_too_long_to_be_sent_is_a_wrong_call() -> None:
    with serving(transport=RECORDS) as server, server.connect() as client:
        with pytest.raises(UsageError, match=r"send\(\.\.\.\): 9000000 bytes are too many for one record here"):
            client.send(bytes(9_000_000))
        server.on(b"x").play(Script().send(bytes(9_000_000)))
        client.send(b"x").expect_end()

        (error,) = server.errors.take()
        assert "too many for one record" in str(error)


def test_a_record_longer_than_a_client_reads_is_said_to_be_cut() -> None:
    def handle(request: socket.socket, client_address: object, server: object) -> None:
        request.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * LARGEST_RECORD)
        request.send(bytes(LARGEST_RECORD + 1))

    if not allows_records_of(LARGEST_RECORD + 1):
        pytest.skip("this system allows no records of that size")
    with serving(handle, transport=RECORDS) as server, server.connect() as client:
        client.expect(length=LARGEST_RECORD)

        assert any("a record was cut" in each.what for each in client.deeds)


def test_a_server_that_has_left_a_record_unread_resets_its_client() -> None:
    read = threading.Event()

    def handle(request: socket.socket, client_address: object, server: object) -> None:
        request.recv(10)
        request.recv(10, socket.MSG_PEEK)
        read.set()

    with serving(handle, transport=RECORDS) as server, server.connect() as client:
        client.send(b"one").send(b"two").wait_for(read).expect_reset()

        assert client.outcome == "reset"


def test_a_client_that_was_not_told_of_records_is_told_how_to_connect() -> None:
    with (
        serving(transport=RECORDS) as server,
        pytest.raises(windsock.ConnectFailed, match=r"for SOCK_SEQPACKET, pass transport='unix_seqpacket'"),
    ):
        windsock.scripted_client(server.address)


def test_a_client_of_records_has_no_tls_and_no_port() -> None:
    with serving(transport=RECORDS) as server:
        with pytest.raises(UsageError, match=r"TLS is for streams, and the .* takes records"):
            server.connect(tls=True)
        with pytest.raises(UsageError, match="TLS is for streams, and transport='unix_seqpacket' carries records"):
            windsock.scripted_client(server.address, transport=RECORDS, tls=True)
    with pytest.raises(UsageError, match="is a host and a port; transport='unix_seqpacket' does not fit"):
        windsock.scripted_client(("127.0.0.1", 80), transport=RECORDS)
