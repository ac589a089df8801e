"""Servers whose connections keep records: what a handler gets, what a fake answers, and what is recorded."""

from __future__ import annotations

import errno
import socket
from itertools import product
from typing import Any

import pytest

import windsock
from tests.support.servers import RECORDS, connect, wait_for_error
from windsock import RunningServer, Script, UsageError, servers, serving
from windsock.harness import CONCURRENCIES
from windsock.net import records
from windsock.security import ChallengeMixIn
from windsock.servers import rpc

on_every_way = pytest.mark.parametrize(
    ("concurrency", "relay"), list(product(CONCURRENCIES, (False, True))), ids=lambda each: str(each)
)


class Reverse(servers.RecordRequestHandler):
    """Sends each record back, reversed."""

    def handle(self) -> None:
        for record in self.records():
            self.send_record(record[::-1])


def texts(server: RunningServer) -> str:
    return "\n".join(server.transcript())


@on_every_way
def test_each_record_is_a_request_with_its_reply(concurrency: str, relay: bool) -> None:
    with serving(Reverse, transport=RECORDS, concurrency=concurrency, relay=relay) as server, connect(server) as client:
        client.send(b"one")
        client.send(b"two")
        client.shutdown(socket.SHUT_WR)

        assert [client.recv(100) for _ in range(3)] == [b"eno", b"owt", b""]
        requests = server.requests.wait(2)
        assert [(each.data, each.reply) for each in requests] == [(b"one", b"eno"), (b"two", b"owt")]
        assert {each.transport for each in requests} == {RECORDS}


@on_every_way
def test_a_fake_answers_each_record_and_a_script_takes_those_that_came_meanwhile(concurrency: str, relay: bool) -> None:
    with serving(transport=RECORDS, concurrency=concurrency, relay=relay) as server:
        server.on(b"begin").play(Script().expect(b"name").send(b"first").send(b"second"))
        server.on(b"PING").reply(b"PONG")

        with server.connect() as client:
            client.send(b"begin").send(b"name").send(b"PING").send(b"PING")
            client.expect(b"first").expect(b"second").expect(b"PONG").expect(b"PONG")
            client.half_close().expect_eof()


@pytest.mark.parametrize("relay", [False, True])
def test_an_async_handler_has_a_stream_of_records(relay: bool) -> None:
    class Handler(servers.BaseRequestHandler):
        async def handle(self) -> None:
            while record := await self.stream.receive_some():
                await self.stream.send_all(record * 2)
            await self.stream.send_all(b"bye")
            await self.stream.send_eof()

    with serving(Handler, transport=RECORDS, relay=relay) as server, server.connect() as client:
        client.send(b"ab").send(b"c").expect(b"abab").expect(b"cc")
        client.half_close().expect(b"bye").expect_eof()

        assert [each.data for each in server.requests.wait(2)] == [b"ab", b"c"]


def test_a_record_longer_than_a_handler_takes_is_an_error() -> None:
    class Short(Reverse):
        max_record_size = 4

    with serving(Short, transport=RECORDS) as server, server.connect() as client:
        client.send(b"12345").expect_end()

        (error,) = server.errors.take()
        assert isinstance(error, OSError)
        assert error.errno == errno.EMSGSIZE
        assert "more than 4 bytes" in str(error)


def test_a_record_longer_than_an_async_handler_takes_is_an_error() -> None:
    async def handle(stream: Any, client_address: Any, server: Any) -> None:
        await stream.receive_some(4)

    with serving(handle, transport=RECORDS) as server, server.connect() as client:
        client.send(b"12345").expect_end()

        (error,) = server.errors.take()
        assert "more than 4 bytes" in str(error)


@pytest.mark.parametrize("concurrency", list(CONCURRENCIES))
def test_a_record_that_recv_has_cut_is_said_to_be_cut(concurrency: str) -> None:
    def handle(request: socket.socket, client_address: object, server: object) -> None:
        buffer = bytearray(4)
        assert request.recv(4, socket.MSG_PEEK) == b"1234"
        request.send(request.recv(4))
        request.send(buffer[: request.recv_into(buffer)])

    with serving(handle, transport=RECORDS, concurrency=concurrency) as server, server.connect() as client:
        client.send(b"12345").send(b"abc").expect(b"1234").expect(b"abc").expect_eof()

        assert [each.data for each in server.requests.wait(2)] == [b"1234", b"abc"]
        assert texts(server).count("note: this record was cut to 4 B: the rest is lost") == 1


def test_a_handler_waits_for_a_record_as_long_as_its_timeout_says() -> None:
    class Impatient(Reverse):
        timeout = 0.01

    with serving(Impatient, transport=RECORDS) as server, server.connect() as client:
        client.expect_eof()

        (error,) = server.errors.take()
        assert isinstance(error, TimeoutError)


def test_an_empty_record_is_refused_before_it_looks_like_the_end() -> None:
    class Empty(servers.RecordRequestHandler):
        def handle(self) -> None:
            self.send_record(b"")

    async def empty(stream: Any, client_address: Any, server: Any) -> None:
        await stream.send_all(b"")

    for handler in (Empty, empty):
        with serving(handler, transport=RECORDS) as server, server.connect():
            wait_for_error(server)
            (error,) = server.errors.take()
            assert isinstance(error, UsageError)
            assert "send 1 byte or more" in str(error)


def test_a_framing_cuts_messages_out_of_records_wherever_they_end() -> None:
    with serving(transport=RECORDS, framing="lines").echo() as server, server.connect() as client:
        client.send(b"on").send(b"e\ntwo\n").expect(b"one\n").expect(b"two\n")

        assert [each.data for each in server.requests.wait(2)] == [b"one\n", b"two\n"]


def test_a_recorded_connection_is_a_script_of_its_records() -> None:
    with serving(transport=RECORDS) as server:
        server.on(b"a").reply(b"1")
        server.on(b"b").reply(b"2")
        with server.connect() as client:
            client.send(b"a").send(b"b").expect(b"1").expect(b"2").close()
        script = server.connections[0].as_script(side="server")
        replay = server.connections[0].as_script()

    assert [repr(each) for each in script.steps[:2]] == ["Expect(b'a')", "Send(b'1')"]
    with serving(transport=RECORDS) as again:
        again.play(script)
        with again.connect() as client:
            client.play(replay)


def test_a_delayed_reply_lets_others_overtake_and_is_a_record_of_its_own() -> None:
    with serving(transport=RECORDS) as server:
        server.unordered()
        server.on(b"slow").reply(b"1", delay=0.3)
        server.on(b"quick").reply(b"2")

        with server.connect() as client:
            client.send(b"slow").send(b"quick").send(b"quick")
            for each in (b"2", b"2", b"1"):
                client.expect(each)


def test_a_silent_client_is_sent_away_with_a_record() -> None:
    with serving(transport=RECORDS) as server:
        server.idle(0.02, reply=b"bye")

        with server.connect() as client:
            client.expect(b"bye").expect_eof()


def test_the_test_accepts_a_connection_and_sends_records_on_another() -> None:
    with serving(transport=RECORDS, accept=True) as server, server.connect() as client, server.accept() as peer:
        peer.send(b"220 ready").send(b"go on")
        client.expect(b"220 ready").expect(b"go on").send(b"QUIT").send(b"bye")
        peer.expect(b"QUIT").expect(b"bye")

    with serving(transport=RECORDS) as server, server.connect() as client:
        client.send(b"x")
        server.requests.wait(1)
        server.connections[0].send(b"push")
        client.expect(b"push")


def test_what_was_expected_of_a_record_is_said_of_a_record() -> None:
    with serving(transport=RECORDS).echo() as server, server.connect() as client:
        client.send(b"one").send(b"two")
        with pytest.raises(windsock.ScriptMismatch, match=r"records differ at offset 1") as caught:
            client.expect(b"oxe")
        assert "unread: 3 B b'one'" in str(caught.value)
        with pytest.raises(windsock.ScriptMismatch, match=r"the record has 3 bytes"):
            client.expect(2)


def test_a_record_that_no_rule_expects_is_a_near_miss_of_one_record() -> None:
    with serving(transport=RECORDS) as server:
        server.on(b"PING").reply(b"PONG")
        with server.connect() as client:
            client.send(b"PING").expect(b"PONG").send(b"PINK").expect_end()

        (error,) = server.errors.take()
        assert "b'PINK'" in str(error)


def test_a_class_of_the_standard_library_with_records_is_served_as_such() -> None:
    import socketserver

    class Stock(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
        socket_type = socket.SOCK_SEQPACKET

    with serving(Stock, Reverse) as server, server.connect() as client:
        client.send(b"ab").send(b"cd").expect(b"ba").expect(b"dc")

        assert server.options.transport == RECORDS
        assert [each.data for each in server.requests.wait(2)] == [b"ab", b"cd"]


class Lines(servers.StreamRequestHandler):
    """A handler of streams."""


URGENT = type("Urgent", (servers.UrgentMixIn, servers.RecordRequestHandler), {"handle_urgent": lambda *_: None})
CHALLENGE = type("Challenging", (ChallengeMixIn, servers.UnixSeqpacketServer), {})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"handler": Lines}, "Lines reads a stream, and transport='unix_seqpacket' carries records"),
        ({"handler": Reverse, "transport": "tcp"}, "Reverse reads records, and transport='tcp' has none"),
        ({"handler": rpc.RPCRequestHandler}, "RPCRequestHandler reads a stream, and transport='unix_seqpacket'"),
        ({"handler": URGENT}, "Urgent handles urgent data: ThreadingUnixSeqpacketServer is for records"),
        ({"tls": True}, "TLS is for streams, and transport='unix_seqpacket' carries records"),
        ({"port": 80}, "port= are not for transport='unix_seqpacket'"),
        ({"server_class": CHALLENGE, "transport": None}, "ChallengeMixIn is for streams, and 'unix_seqpacket'"),
    ],
)
def test_what_records_cannot_be_combined_with_is_a_wrong_call(options: dict[str, Any], words: str) -> None:
    given = {"transport": RECORDS} | options
    server_class = given.pop("server_class", None)

    with pytest.raises(UsageError) as caught, serving(*([server_class] if server_class else []), **given):
        pass
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (Script().send(b"").expect(b"x"), "looks like the end of the connection to its receiver"),
        (Script().expect(until=b"\n"), "a record ends by itself; leave until= out"),
        (Script().expect(b""), "an empty pattern would match before anything comes"),
        (Script().urgent(b"!"), "that is for streams, and this peer's socket carries records"),
        (Script().read_rate(10), "that is for streams, and this peer's socket carries records"),
        (Script().send(windsock.Repeat(b"x", 9)), "a record has an end; send bytes, or several records in a list"),
    ],
)
def test_a_step_that_records_do_not_support_is_a_wrong_call(script: Script, words: str) -> None:
    with serving(transport=RECORDS) as server, server.connect() as client:
        with pytest.raises(UsageError) as of_server:
            server.play(script)
        with pytest.raises(UsageError) as of_client:
            client.play(script)

    assert words in str(of_server.value)
    assert words in str(of_client.value)


def test_a_system_without_records_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    records.are_supported.cache_clear()
    monkeypatch.setattr(records, "SEQPACKET", 9999)
    try:
        with pytest.raises(windsock.Unsupported, match="needs SOCK_SEQPACKET"):
            serving(transport=RECORDS)
        with pytest.raises(UsageError, match="no SOCK_SEQPACKET"):
            windsock.scripted_client("/tmp/there", transport=RECORDS)
    finally:
        records.are_supported.cache_clear()
