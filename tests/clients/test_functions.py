"""Clients send what functions, files and generators give: step by step, in the background, in crowds, under trio."""

from __future__ import annotations

import io
import re
from itertools import product
from typing import Any

import pytest
import trio

import windsock
from tests.support.servers import STREAMS
from windsock import Conversation, Repeat, Script, Template

ID = re.compile(rb"\+(?P<id>\d+)")
BIG = 3_000_000
on_every_stream_and_tls = pytest.mark.parametrize(("transport", "tls"), list(product(STREAMS, [None, True])))
ASK = (
    Script()
    .send(b"+7\n")
    .expect(ID, until=b"\n")
    .send(lambda match: match["id"] + b"\n")
    .expect(b"7\n")
    .send(Template(b"<%(id)s>"))
    .expect(b"<7>")
)


@on_every_stream_and_tls
def test_steps_taken_one_by_one_know_what_came_before(transport: str, tls: Any) -> None:
    with windsock.serving(transport=transport, tls=tls).echo() as server, server.connect() as client:
        client.send(b"+7\n").expect(ID, until=b"\n").send(lambda match: match["id"]).expect(b"7")
        client.send(Template(b"%(id)s%(id)s")).expect(b"77").send(bytes.title).expect(b"77")
        client.play(ASK)


@on_every_stream_and_tls
def test_a_client_sends_files_generators_and_more_than_the_kernel_takes(transport: str, tls: Any) -> None:
    with windsock.serving(transport=transport, tls=tls).echo() as server, server.connect() as client:
        client.send(io.BytesIO(bytes(BIG))).expect(bytes(BIG))
        client.send(Repeat(b"ab", BIG // 2)).expect(BIG)
        client.send(bytes([each]) for each in b"abc").expect(b"abc")


def test_in_the_background_in_a_crowd_and_under_trio() -> None:
    with windsock.serving().echo() as server:
        with server.connect() as client:
            client.play_in_background(ASK).join()
        assert server.crowd(5, ASK).met == 5

        async def talk() -> None:
            async with server.connect_trio() as client:
                await client.play(ASK)
                await client.send(Repeat(b"x", BIG))
                await client.expect(BIG)

        trio.run(talk)


def test_a_client_knows_the_addresses() -> None:
    seen: list[Any] = []

    def look(conversation: Conversation) -> bytes:
        seen.append((conversation.index, conversation.peer, conversation.local))
        return b"x"

    with windsock.serving().echo() as server, server.connect() as client:
        client.send(look).expect(b"x")

        assert seen == [(None, server.address, server.connections[0].peer)]


def test_a_function_that_raises_is_the_tests_own_error() -> None:
    def broken(message: bytes) -> bytes:
        raise LookupError("nothing there")

    with windsock.serving().echo() as server, server.connect() as client:
        client.send(b"x").expect(b"x")
        with pytest.raises(LookupError) as caught:
            client.send(broken)

    assert caught.value.__notes__[0] == "raised by the function of step 3, send(broken)"


def test_each_of_several_is_a_datagram() -> None:
    with windsock.serving(transport="udp", concurrency="sync").echo() as server, server.connect() as client:
        client.send([b"one", b"two"]).expect(b"one").expect(b"two").send(lambda message: [message, b"!"])
        client.expect(b"two").expect(b"!")
