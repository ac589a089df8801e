"""What a faithful carrier of datagrams does: one suite for sockets, a relay and a proxy, on each transport."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from itertools import product

import pytest

from tests.servers.helpers import only_linux
from tests.support.carriers import DATAGRAMS, Post, posted
from tests.support.waiting import DEADLINE

pytestmark = only_linux


@pytest.fixture(params=list(product(DATAGRAMS, ["direct", "relay", "proxy"])), ids="-".join)
def post(request: pytest.FixtureRequest, nothing_is_left: None) -> Iterator[Post]:
    with posted(*request.param) as made:
        yield made


def test_datagrams_stay_whole_and_in_order(post: Post) -> None:
    with post.client() as client:
        for size in (1, 0, 1400, 9000, 2, 60_000):
            client.send(bytes([size % 251]) * size)
            assert post.server.recv(65536) == bytes([size % 251]) * size


def test_each_client_gets_its_own_answers(post: Post) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(post.client()) for _ in range(5)]
        for number, client in enumerate(clients):
            client.send(b"%d" % number)
        for _ in clients:
            data, sender = post.server.recvfrom(100)
            post.reply(b"answer to " + data, sender)
            post.reply(b"and more", sender)
        for number, client in enumerate(clients):
            assert client.recv(100) == b"answer to %d" % number
            assert client.recv(100) == b"and more"


def test_a_client_keeps_its_name(post: Post) -> None:
    with post.client() as client:
        senders = set()
        for _ in range(3):
            client.send(b"x")
            senders.add(post.server.recvfrom(100)[1])
        assert len(senders) == 1


def test_a_hundred_in_a_row_arrive(post: Post) -> None:
    with post.client() as client:
        received = []
        for batch in range(20):
            for number in range(5):
                client.send(b"%d" % (batch * 5 + number))
            received += [int(post.server.recv(100)) for _ in range(5)]
        assert received == list(range(100))


def test_a_client_that_is_gone_is_no_harm(post: Post) -> None:
    with post.client() as client:
        client.send(b"x")
        _, sender = post.server.recvfrom(100)
    with contextlib.suppress(ConnectionRefusedError, FileNotFoundError):
        post.reply(b"too late", sender)
    with post.client() as client:
        client.send(b"next")
        data, sender = post.server.recvfrom(100)
        post.reply(data, sender)
        assert client.recv(100) == b"next"


def test_stopping_while_datagrams_come_is_no_harm(post: Post) -> None:
    with post.client() as client:
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
            for _ in range(200):
                client.send(b"x")
        post.stop()
        client.settimeout(DEADLINE)
        assert client.fileno() >= 0
        assert isinstance(client, socket.socket)
