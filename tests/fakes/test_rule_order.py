"""Rules before and behind each other: which gets a message, and what is said of those that get none."""

from __future__ import annotations

import re
from typing import Any

import pytest

import windsock
from tests.fakes.helpers import UNUSED, failures_of
from tests.support.servers import ask, on_every_concurrency, on_every_kind

HINT = "; on(..., first=True) puts a rule before the others" + UNUSED


@on_every_kind
def test_a_rule_may_come_before_those_that_there_are(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.on(b"GET").reply(b"general")
        server.on(b"GET", first=True).reply(b"special", times=1)

        assert ask(server, b"GET") == [b"special"]
        assert ask(server, b"GET") == [b"general"]


def test_the_latest_first_rule_is_the_first() -> None:
    with windsock.serving(framing="lines") as server:
        for name in (b"one", b"two"):
            server.on(re.compile(rb"."), first=True).optional().reply(name)

        assert ask(server, b"x\n") == [b"two"]


@on_every_kind
def test_an_optional_rule_need_not_be_used(transport: str, concurrency: str) -> None:
    with windsock.serving(transport=transport, concurrency=concurrency) as server:
        server.on(b"A").reply(b"a").optional()
        server.on(b"B").optional().reply(b"b", times=3)
        server.on(b"C").reply(b"c")

        assert ask(server, b"B", b"C") == [b"b", b"c"]


def test_all_that_is_not_optional_still_has_to_be_used() -> None:
    server = windsock.serving()
    server.on(b"A").reply(b"a").optional()
    server.on(b"B").reply(b"b")

    assert failures_of(server) == ["on(b'B').reply(b'b'): never matched" + UNUSED]


def test_how_a_rule_is_said_says_it_all() -> None:
    with windsock.serving() as server:
        rule = server.on(b"A", first=True).reply(b"a").optional()
        assert repr(rule) == "on(b'A', first=True).reply(b'a').optional()"


@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
@on_every_concurrency
def test_a_shadowed_rule_says_which_rule_took_its_message(concurrency: str, tls: bool) -> None:
    server = windsock.serving(concurrency=concurrency, framing="lines", tls=tls or None)
    server.on(re.compile(rb"^GET")).reply(b"general\r\n")
    server.on(b"GET special").reply(b"special\r\n")
    with server.connect() as client:
        client.send(b"GET special\r\n").expect(b"general\r\n")
        client.send(b"GET other\r\n").expect(b"general\r\n")

    assert failures_of(server) == [
        "on(b'GET special').reply(b'special\\r\\n'): never matched; 1 message that it matches went to "
        "on(re.compile(b'^GET')), which stands before it" + HINT
    ]


@pytest.mark.parametrize("transport", ["tcp", "unix_stream", "udp", "unix_datagram"])
def test_so_it_says_without_framing(transport: str) -> None:
    server = windsock.serving(transport=transport)
    general: Any = b"GET" if transport in ("tcp", "unix_stream") else re.compile(b"GET")
    shown = "b'GET'" if isinstance(general, bytes) else "re.compile(b'GET')"
    server.on(general).reply(b"general")
    special = b"GET special" if transport in ("udp", "unix_datagram") else b"GETGET"
    server.on(special).reply(b"special", times=2)
    with server.connect() as client:
        client.send(special).expect(b"general")

    (failure,) = failures_of(server)
    assert failure.endswith(
        f": never matched; 1 message that it matches went to on({shown}), which stands before it{HINT}"
    )


def test_only_messages_that_another_rule_took_are_counted() -> None:
    server = windsock.serving(framing="lines")
    server.on(b"A", after=1).reply(b"late\n", times=1)
    server.on(re.compile(b"A|B")).reply(b"some\n", times=2)
    server.on(re.compile(b"[A-C]")).reply(b"never\n", times=9)
    with server.connect() as client:
        for message, answer in [(b"A", b"some"), (b"A", b"late"), (b"B", b"some"), (b"C", b"never")]:
            client.send(message + b"\n").expect(answer + b"\n")

    assert failures_of(server) == [
        "on(re.compile(b'[A-C]')).reply(b'never\\n', times=9): matched 1 of 9 times; "
        "2 messages that it matches went to on(re.compile(b'A|B')), which stands before it; "
        "1 message that it matches went to on(b'A', after=1), which stands before it" + HINT
    ]


def test_a_predicate_that_raises_takes_nothing_away_from_the_explanation() -> None:
    def picky(message: bytes) -> bool:
        raise LookupError(message)

    server = windsock.serving(framing="lines")
    server.on(b"A").reply(b"a\n")
    server.on(picky).reply(b"b\n")
    server.on(b"A").reply(b"c\n")
    with server.connect() as client:
        client.send(b"A\n").expect(b"a\n")

    assert len(failures_of(server)) == 2
