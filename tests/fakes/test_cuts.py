"""The way in which a stream is cut changes neither what a fake answers nor what is recorded."""

from __future__ import annotations

import itertools
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import windsock
from tests.recording.helpers import recording, requests_of
from tests.support.servers import on_every_stream_kind
from windsock import LengthPrefix, Script
from windsock.fakes.fake_replies import FakeReplies
from windsock.fakes.replies import Answer
from windsock.fakes.responder import Responder
from windsock.fakes.rule_options import RuleOptions
from windsock.fakes.stream_session import StreamSession
from windsock.recording import framing_from
from windsock.recording.events import Kind


def until_b(data: bytes) -> int | None:
    return data.find(b"b") + 1 or None


FRAMINGS: list[Any] = ["lines", b"ab", 2, LengthPrefix(1), "eof", until_b]
PIECES = [b"a", b"b", b"\n", b"\1", b"\2", b"ab", b"a\n"]
BYTES = st.lists(st.sampled_from(PIECES), min_size=1, max_size=3).map(b"".join)
STREAMS = st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join)
PATTERNS: list[Any] = [re.compile(rb"a+"), re.compile(rb"^b"), re.compile(rb"a$"), len, lambda data: len(data) % 2]


@dataclass(frozen=True)
class Told:
    """A rule as a fake is told of it: what it answers first, and how often at the most."""

    pattern: Any
    after: int
    times: int | None
    connections: int | None


class Cut:
    """A request that gives a stream in pieces, and notes what passes as a tap does."""

    family = socket.AF_INET

    def __init__(self, connection: windsock.Connection, pieces: list[bytes]) -> None:
        self._connection = connection
        self._pieces = pieces
        self.answered = b""
        self.begun = 0

    def recv(self, size: int) -> bytes:
        if not self._pieces:
            self._connection.note(Kind.CLIENT_EOF)
            return b""
        piece = self._pieces.pop(0)
        self._connection.note(Kind.UP, piece)
        return piece

    def sendall(self, data: bytes) -> None:
        self._connection.note(Kind.DOWN, data)
        self.answered += data

    def mark_exchange(self) -> None:
        self._connection.note(Kind.MARK)
        self.begun += 1


def rules(patterns: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Told]]:
    after, times, connections = (st.sampled_from(each) for each in ([0, 0, 0, 1], [None, None, 1, 2], [None, 0, 1]))
    return st.lists(st.builds(Told, patterns, after, times, connections), max_size=4)


def cuts(data: st.DataObject, stream: bytes) -> list[bytes]:
    places = data.draw(st.sets(st.integers(0, len(stream)))) | {0, len(stream)}
    return [stream[start:end] for start, end in itertools.pairwise(sorted(places))]


def outcome(tell: Callable[[Responder], None], framing: Any, pieces: list[bytes]) -> tuple[Any, ...]:
    """Return what is answered, what goes wrong, and the requests that were answered, or were to be."""
    framing = framing_from(framing)
    responder = Responder(FakeReplies(forks=False, is_datagram=False), framing, is_datagram=False)
    tell(responder)
    with recording() as (_, connection):
        request = Cut(connection, [each for each in pieces if each])
        conversation = StreamSession(responder, request, None, 0, framing, pytest.fail, lambda: 1.0)
        try:
            conversation.run(None)
            error = ""
        except windsock.PeerError as caught:
            error = f"{type(caught).__name__}: {caught}"
        requests = [(each.data, each.reply, each.is_complete) for each in requests_of(connection, framing)]
        if error:  # what comes behind is in the record as far as it has come
            requests = requests[: request.begun] if framing is not None else []
        return request.answered, error, requests, responder.unmet(), connection.upstream if not error else b""


def tell(told: list[Told], responder: Responder, queued: int, *, echoes: bool) -> None:
    for number, each in enumerate(told):
        rule = responder.replies.rule(each.pattern, RuleOptions(after=each.after, connections=each.connections))
        rule.reply(b"<%d>" % number, times=1).then(lambda data: b"[%d]" % len(data), times=each.times)
    for number in range(queued):
        responder.replies.add(Answer(b"(%d)" % number), 1)
    if echoes:
        responder.replies.echo()


@settings(max_examples=400)
@given(st.data(), rules(BYTES), STREAMS, st.booleans())
def test_without_framing_bytes_are_found_wherever_they_are_cut(
    data: st.DataObject, told: list[Told], stream: bytes, echoes: bool
) -> None:
    def told_so(responder: Responder) -> None:
        tell(told, responder, 0, echoes=echoes)

    whole = outcome(told_so, None, [stream])

    assert outcome(told_so, None, [stream[at : at + 1] for at in range(len(stream))]) == whole
    assert outcome(told_so, None, cuts(data, stream)) == whole


def test_an_echo_beside_a_rule_that_is_used_up_is_the_same_however_it_is_cut() -> None:
    def told_so(responder: Responder) -> None:
        told = [Told(b"b", after=0, times=None, connections=None), Told(b"ab", after=0, times=1, connections=None)]
        tell(told, responder, 0, echoes=True)

    whole = outcome(told_so, None, [b"ababab"])

    assert outcome(told_so, None, [b"a", b"b", b"a", b"b", b"a", b"b"]) == whole
    assert outcome(told_so, None, [b"ab", b"ab", b"ab"]) == whole


@settings(max_examples=600)
@given(
    st.data(),
    st.sampled_from(FRAMINGS),
    rules(BYTES | st.sampled_from(PATTERNS)),
    STREAMS,
    st.integers(0, 3),
    st.booleans(),
)
def test_with_framing_every_rule_and_reply_is_for_the_same_message(
    data: st.DataObject, framing: Any, told: list[Told], stream: bytes, queued: int, echoes: bool
) -> None:
    def told_so(responder: Responder) -> None:
        tell(told, responder, queued, echoes=echoes)

    whole = outcome(told_so, framing, [stream])

    assert outcome(told_so, framing, [stream[at : at + 1] for at in range(len(stream))]) == whole
    assert outcome(told_so, framing, cuts(data, stream)) == whole


# --- over sockets


def bytes_of_rules(server: windsock.RunningServer) -> None:
    server.on(b"GET x").reply(b"<x>")
    server.on(b"GET ").reply(b"<get>")
    server.on(b"\n").reply_with(lambda data: b"|")


def patterns_and_replies(server: windsock.RunningServer) -> None:
    server.on(re.compile(rb"^GET (\w+)"), after=1).reply_with(lambda line: b"<%d>" % len(line))
    server.reply(b"first")


def script(server: windsock.RunningServer) -> None:
    server.play(Script().expect(re.compile(rb"GET \w\n")).send(b"ok").expect(until=b"z\n").send(b"done").expect_eof())


def script_of_a_rule(server: windsock.RunningServer) -> None:
    server.on(b"GET x").play(Script().send(b"ok").expect(re.compile(rb"GET \w+")).send(b"done").expect(1))
    server.echo()


def echo(server: windsock.RunningServer) -> None:
    server.echo()


FAKES: list[tuple[Callable[[windsock.RunningServer], None], Any, bytes, bytes]] = [
    (bytes_of_rules, None, b"GET x\nGET \n", b"<x>|<get>|"),
    (patterns_and_replies, "lines", b"GET x\nGET yz\n", b"first<7>"),
    (script, None, b"GET x\nGET yz\n", b"okdone"),
    (script_of_a_rule, "lines", b"GET x\nGET yz\n", b"okdone\n"),
    (echo, None, b"GET x\nGET yz\n", b"GET x\nGET yz\n"),
]
WAYS: dict[str, dict[str, Any]] = {"direct": {}, "relayed": {"relay": True}, "proxied": {}, "TLS": {"tls": True}}


@pytest.mark.parametrize("way", WAYS)
@on_every_stream_kind
def test_byte_by_byte_a_client_gets_what_it_gets_at_once(transport: str, concurrency: str, way: str) -> None:
    for tell_it, framing, stream, answer in FAKES:
        for size in (len(stream), 1):
            with windsock.serving(transport=transport, concurrency=concurrency, framing=framing, **WAYS[way]) as server:
                tell_it(server)
                with connected(server, way) as client:
                    for at in range(0, len(stream), size):
                        client.send(stream[at : at + size])
                    client.half_close().expect(answer).expect_eof()
                requests = server.requests.wait(1 if framing is None else 2)

            assert b"".join(each.data for each in requests) == stream
            assert b"".join(each.reply for each in requests) == answer


@contextmanager
def connected(server: windsock.RunningServer, way: str) -> Iterator[windsock.ScriptedClient]:
    if way != "proxied":
        with server.connect() as client:
            yield client
        return
    with windsock.proxy(server.address) as proxy, windsock.scripted_client(proxy.address) as client:
        yield client
