"""Connections to places that no diversion names, with others="refuse"."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import inspect
import re
import socket
import threading
from collections.abc import Callable

import pytest
import trio

import windsock
from windsock import NotDiverted
from windsock.diversions import Diversion

WAIT = 5.0
ELSEWHERE = ("203.0.113.7", 80)


@pytest.fixture
def refusing() -> Diversion:
    return windsock.divert({}, others="refuse")


def by_create_connection() -> None:
    socket.create_connection(ELSEWHERE, WAIT)


def by_connect() -> None:
    with socket.socket() as client:
        client.connect(ELSEWHERE)


def by_connecting_a_datagram_socket() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(ELSEWHERE)


def by_sendto() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"x", ELSEWHERE)


def by_sendto_with_flags() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"x", 0, ELSEWHERE)


def by_sendmsg() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendmsg([b"x"], [], 0, ELSEWHERE)


def by_asyncio() -> None:
    async def connect() -> None:
        await asyncio.open_connection(*ELSEWHERE)

    asyncio.run(connect())


def by_happy_eyeballs() -> None:
    async def connect() -> None:
        await asyncio.open_connection(*ELSEWHERE, happy_eyeballs_delay=0.25)

    asyncio.run(connect())


def by_a_name_in_asyncio() -> None:
    async def connect() -> None:
        await asyncio.open_connection("elsewhere.example", 80)

    asyncio.run(connect())


def by_trio() -> None:
    async def connect() -> None:
        await trio.open_tcp_stream(*ELSEWHERE)

    trio.run(connect)


def by_a_socket_of_trio() -> None:
    async def connect() -> None:
        with trio.socket.socket() as client:
            await client.connect(ELSEWHERE)

    trio.run(connect)


def by_a_name() -> None:
    socket.create_connection(("elsewhere.example", 80), WAIT)


def by_a_name_as_bytes() -> None:
    socket.getaddrinfo(b"elsewhere.example", b"80")


WAYS: list[Callable[[], None]] = [
    by_create_connection,
    by_connect,
    by_connecting_a_datagram_socket,
    by_sendto,
    by_sendto_with_flags,
    by_sendmsg,
    by_asyncio,
    by_happy_eyeballs,
    by_a_name_in_asyncio,
    by_trio,
    by_a_socket_of_trio,
    by_a_name,
    by_a_name_as_bytes,
]


@pytest.mark.parametrize("way", WAYS)
def test_it_fails_at_once_and_names_the_line(way: Callable[[], None], refusing: Diversion) -> None:
    with refusing:
        with pytest.raises(OSError):  # trio has one of its own
            way()
        refused = refusing.take()

    assert len(refused) == 1
    assert (refused[0].host, refused[0].port) in [ELSEWHERE, ("elsewhere.example", 80)]
    assert refused[0].errno == errno.ECONNREFUSED
    source, first = inspect.getsourcelines(way)
    number = int(re.findall(r"test_refused\.py:(\d+) in ", refused[0].place)[-1])
    assert first < number < first + len(source)


def test_connect_ex_returns_that_it_was_refused(refusing: Diversion) -> None:
    with refusing, socket.socket() as client:
        assert client.connect_ex(ELSEWHERE) == errno.ECONNREFUSED
        assert [each.host for each in refusing.take()] == [ELSEWHERE[0]]


def test_the_message_says_what_to_add(refusing: Diversion) -> None:
    with refusing:
        with pytest.raises(NotDiverted) as caught:
            socket.create_connection(("elsewhere.example", 80), WAIT)
        refusing.take()

    first, second = str(caught.value).splitlines()
    assert first == (
        "elsewhere.example:80 is not diverted, and others=\"refuse\"; add 'elsewhere.example:80': server to divert()"
    )
    assert second.endswith('socket.create_connection(("elsewhere.example", 80), WAIT)')


def test_one_that_was_swallowed_is_raised_at_the_end(refusing: Diversion) -> None:
    with pytest.raises(NotDiverted, match="in by_connect: "), refusing, contextlib.suppress(OSError):
        by_connect()

    assert refusing.refused == ()


def test_each_place_is_remembered_once(refusing: Diversion) -> None:
    with refusing:
        for way in (by_connect, by_sendto, by_connect):
            with contextlib.suppress(OSError):
                way()

        assert ["by_connect" in str(each) for each in refusing.take()] == [True, False]


def test_several_are_raised_together(refusing: Diversion) -> None:
    def swallow() -> None:
        for way in (by_connect, by_sendto):
            with contextlib.suppress(OSError):
                way()

    with pytest.raises(ExceptionGroup, match="were refused") as caught, refusing:
        swallow()

    assert [type(each) for each in caught.value.exceptions] == [NotDiverted] * 2


def test_a_swallowed_one_is_a_note_on_another_exception(refusing: Diversion) -> None:
    def ask() -> None:
        with contextlib.suppress(OSError):
            by_connect()
        raise KeyError("no answer")

    with pytest.raises(KeyError) as caught, refusing:
        ask()

    assert [each.partition(",")[0] for each in caught.value.__notes__] == [
        "windsock: refused: 203.0.113.7:80 is not diverted"
    ]


def test_the_exception_itself_and_what_it_led_to_have_no_note(refusing: Diversion) -> None:
    with pytest.raises(NotDiverted) as caught, refusing:
        by_connect()
    with pytest.raises(OSError, match="all attempts") as of_trio, refusing:
        by_trio()

    assert not hasattr(caught.value, "__notes__")
    assert not hasattr(of_trio.value, "__notes__")


def test_one_that_is_not_strict_raises_nothing_at_its_end() -> None:
    with windsock.divert({}, others="refuse", strict=False) as diversion, contextlib.suppress(OSError):
        by_connect()

    assert [each.port for each in diversion.take()] == [80]
    assert diversion.refused == ()


def test_one_in_a_thread_is_refused_too(refusing: Diversion) -> None:
    def ask() -> None:
        with contextlib.suppress(OSError):
            by_connect()

    thread = threading.Thread(target=ask)
    with refusing:
        thread.start()
        thread.join(WAIT)

        assert ["in by_connect: " in each.place for each in refusing.take()] == [True]
