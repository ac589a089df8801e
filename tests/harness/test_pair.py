"""serving_pair(): a server over TCP and one over UDP on one port, with rules and requests of both."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest
import trio

import windsock
from tests.support.servers import on_every_concurrency
from windsock import LengthPrefix
from windsock.harness.pair import on_one_port
from windsock.servers import DatagramRequestHandler, StreamRequestHandler

DNS = LengthPrefix(2)


class ShoutOnStream(StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(self.rfile.readline().upper())


class ShoutInDatagrams(DatagramRequestHandler):
    def handle(self) -> None:
        self.wfile.write(self.rfile.read().upper())


def over_udp(pair: windsock.RunningPair, data: bytes) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.connect(pair.address)
        client.send(data)
        return client.recv(65535)


def over_tcp(pair: windsock.RunningPair, data: bytes, *, size: int) -> bytes:
    with socket.create_connection(pair.address, timeout=5) as client, client.makefile("rb") as replies:
        client.sendall(data)
        return replies.read(size)


@on_every_concurrency
def test_one_rule_answers_over_tcp_and_over_udp(concurrency: str) -> None:
    with windsock.serving_pair(framing=DNS, concurrency=concurrency) as pair:
        pair.on(b"who").reply(b"me")

        assert over_udp(pair, b"who") == b"me"
        assert over_tcp(pair, DNS.wrap(b"who"), size=4) == b"\x00\x02me"
        assert [(each.transport, each.data, each.reply) for each in pair.requests.wait(2)] == [
            ("udp", b"who", b"me"),
            ("tcp", b"\x00\x03who", b"\x00\x02me"),
        ]


@on_every_concurrency
def test_each_transport_has_a_handler_of_its_own(concurrency: str) -> None:
    handlers: Any = {"tcp_handler": ShoutOnStream, "udp_handler": ShoutInDatagrams}
    with windsock.serving_pair(**handlers, framing="lines", concurrency=concurrency) as pair:
        assert over_tcp(pair, b"stream\n", size=7) == b"STREAM\n"
        assert over_udp(pair, b"datagram") == b"DATAGRAM"

        assert [(each.transport, each.data) for each in pair.requests.wait(2)] == [
            ("tcp", b"stream\n"),
            ("udp", b"datagram"),
        ]


@on_every_concurrency
def test_a_rule_counts_the_messages_of_both(concurrency: str) -> None:
    with windsock.serving_pair(framing=DNS, concurrency=concurrency) as pair:
        pair.on(b"n").reply(b"1").then(b"2", times=1)

        assert over_udp(pair, b"n") == b"1"
        assert over_tcp(pair, DNS.wrap(b"n"), size=3) == DNS.wrap(b"2")


def test_a_truncated_reply_over_udp_has_the_client_ask_again_over_tcp() -> None:
    with windsock.serving_pair(framing=DNS) as pair:
        pair.udp.on(b"long").reply(b"cut")
        pair.on(b"long").reply(b"all of it")

        assert over_udp(pair, b"long") == b"cut"
        assert over_tcp(pair, DNS.wrap(b"long"), size=11) == DNS.wrap(b"all of it")


def test_a_function_sees_messages_without_the_length_prefix() -> None:
    with windsock.serving_pair(framing=DNS) as pair:
        pair.on(lambda data: data.startswith(b"q")).reply_with(lambda data: data[::-1])

        assert over_udp(pair, b"qa") == b"aq"
        assert over_tcp(pair, DNS.wrap(b"qa"), size=4) == DNS.wrap(b"aq")


def test_a_function_of_a_rule_takes_the_match_and_the_conversation() -> None:
    def answer(match: re.Match[bytes], conversation: windsock.Conversation) -> bytes:
        return match["id"] + conversation.message

    with windsock.serving_pair(framing=DNS) as pair:
        pair.on(re.compile(rb"^(?P<id>\d)")).reply_with(answer)

        assert over_udp(pair, b"7") == b"77"
        assert over_tcp(pair, DNS.wrap(b"7"), size=4) == DNS.wrap(b"77")


def test_several_runs_of_bytes_are_as_many_messages() -> None:
    with windsock.serving_pair(framing=DNS) as pair:
        pair.on(b"two?").reply([b"one", b"two"])

        assert over_udp(pair, b"two?") == b"one"
        assert over_tcp(pair, DNS.wrap(b"two?"), size=10) == DNS.wrap(b"one") + DNS.wrap(b"two")


def test_messages_of_dns_are_answered_over_both() -> None:
    pytest.importorskip("dns")
    import dns.message
    import dns.query

    from windsock.protocols import dns as fake

    with windsock.serving_pair(framing="dns") as pair:
        pair.on(fake.query("example.org", "A")).reply(fake.answer("192.0.2.1"))
        query = dns.message.make_query("example.org", "A")

        for ask in (dns.query.udp, dns.query.tcp):
            (answer,) = ask(query, "127.0.0.1", port=pair.port, timeout=5).answer
            assert answer[0].to_text() == "192.0.2.1"
        assert [each.transport for each in pair.requests.wait(2)] == ["udp", "tcp"]


def test_a_wait_for_requests_is_awaitable() -> None:
    async def ask(pair: windsock.RunningPair) -> list[windsock.RecordedRequest]:
        for server, data in ((pair.tcp, DNS.wrap(b"x")), (pair.udp, b"x")):
            async with server.connect_trio() as client:
                await client.send(data)
                await client.expect(data)
        return await pair.requests.wait_async(2)

    with windsock.serving_pair(framing=DNS) as pair:
        pair.echo()

        assert [each.transport for each in trio.run(ask, pair)] == ["tcp", "udp"]


def test_queued_replies_and_the_echo_are_for_both() -> None:
    with windsock.serving_pair(framing=DNS) as pair:
        pair.reply(b"first").echo()

        assert over_tcp(pair, DNS.wrap(b"a"), size=7) == DNS.wrap(b"first")
        assert over_udp(pair, b"a") == b"a"
        assert over_tcp(pair, DNS.wrap(b"b"), size=3) == DNS.wrap(b"b")


def test_a_rule_that_neither_has_used_fails_once() -> None:
    pair = windsock.serving_pair(framing=DNS)
    pair.on(b"used").reply(b"yes")
    pair.on(b"unused").reply(b"no")
    assert over_udp(pair, b"used") == b"yes"

    with pytest.raises(ExceptionGroup) as failure:
        pair.finish()

    assert [str(each).partition(":")[0] for each in failure.value.exceptions] == ["on(b'unused').reply(b'no')"]
    assert "(tcp)" in str(failure.value)


def test_what_no_rule_answers_is_unexpected_and_shows_rules_of_both() -> None:
    pair = windsock.serving_pair(framing=DNS)
    pair.udp.on(b"one").reply(b"1").optional()
    pair.on(b"two").reply(b"2").optional()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"three", pair.address)

    with pytest.raises(ExceptionGroup) as failure:
        pair.finish()

    (error,) = failure.value.exceptions
    assert isinstance(error, windsock.UnexpectedMessage)
    assert [each.partition(":")[0] for each in error.expected] == ["on(b'two')", "on(b'one')"]


def test_a_wait_for_requests_sees_those_over_tcp() -> None:
    with windsock.serving_pair(framing=DNS) as pair:
        pair.echo()
        with socket.create_connection(pair.address, timeout=5) as client:
            client.sendall(DNS.wrap(b"x"))

            (request,) = pair.requests.wait(1)

        assert request.transport == "tcp"
        assert pair.requests.only().data == b"\x00\x01x"


def test_a_wait_for_more_requests_than_come_shows_both_recordings() -> None:
    with windsock.serving_pair(framing=DNS) as pair:
        pair.echo()
        over_tcp(pair, DNS.wrap(b"by tcp"), size=8)
        over_udp(pair, b"by udp")

        with pytest.raises(windsock.RequestTimeout) as timeout:
            pair.requests.wait(3, timeout=0.05)

    assert "by tcp" in str(timeout.value)
    assert "by udp" in str(timeout.value)


def test_the_transcript_and_the_connections_are_in_the_order_of_time() -> None:
    with windsock.serving_pair(framing=DNS) as pair:
        pair.echo()
        for number in (b"1", b"2"):
            over_udp(pair, number)
            over_tcp(pair, DNS.wrap(number), size=3)

        assert [each.is_datagram for each in pair.connections] == [True, False, True, False]
        lines = [line for line in pair.transcript() if "> " in line]
        assert len(lines) == 4


def test_a_port_that_is_taken_for_udp_is_not_used_for_tcp_either() -> None:
    tcp: list[windsock.RunningServer] = []

    def start(transport: str, port: int) -> windsock.RunningServer:
        """Start one of the two; the first three ports are taken for UDP."""
        if transport == "tcp":
            tcp.append(windsock.serving(port=port))
            return tcp[-1]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            if len(tcp) <= 3:
                other.bind(("127.0.0.1", port))
            return windsock.serving(transport="udp", port=port)

    first, second = on_one_port(start, 0)

    with first, second:
        assert first.address == second.address
        assert [each.is_stopped for each in tcp] == [True, True, True, False]


def test_a_port_of_ones_own_that_is_taken_for_udp_fails_and_is_free_for_tcp_again() -> None:
    with windsock.serving_pair(framing=DNS) as pair:
        port = pair.port  # free over TCP as well; a port of the system's choice for UDP may not be
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", port))

        with pytest.raises(windsock.StartError, match=f"could not listen on 127.0.0.1:{port}"):
            windsock.serving_pair(framing=DNS, port=port)

    with windsock.serving_pair(framing=DNS, port=port) as pair:
        assert pair.port == port


def test_many_pairs_at_once_have_ports_of_their_own() -> None:
    with contextlib.ExitStack() as stack:
        pairs = [stack.enter_context(windsock.serving_pair(framing=DNS)) for _ in range(20)]

        assert len({each.port for each in pairs}) == 20


def test_both_are_down_during_an_outage() -> None:
    with windsock.serving_pair(framing=DNS) as pair:
        pair.echo()
        with pair.outage():
            with pytest.raises(ConnectionRefusedError):
                over_udp(pair, b"x")
            with pytest.raises(ConnectionRefusedError):
                over_tcp(pair, b"x", size=1)

        assert over_udp(pair, b"x") == b"x"
        assert over_tcp(pair, DNS.wrap(b"x"), size=3) == DNS.wrap(b"x")


@pytest.fixture
def half_a_fake() -> Iterator[windsock.RunningPair]:
    handler: Any = ShoutInDatagrams
    with windsock.serving_pair(framing=DNS, udp_handler=handler) as pair:
        yield pair


def test_rules_for_both_need_two_fakes(half_a_fake: windsock.RunningPair) -> None:
    with pytest.raises(windsock.UsageError, match=r"on\(\): a server of the pair has a handler.*use pair.tcp.on\(\)"):
        half_a_fake.on(b"x")


def test_rules_for_both_need_a_framing_of_the_stream() -> None:
    with (
        windsock.serving_pair() as pair,
        pytest.raises(windsock.UsageError, match="a stream does not show where a message ends"),
    ):
        pair.on(b"x")


def test_a_keyword_of_other_servers_is_refused() -> None:
    given: Any = {"path": "/tmp/x"}
    with pytest.raises(windsock.UsageError, match="path"):
        windsock.serving_pair(**given)


def test_an_exception_in_the_with_stops_both() -> None:
    with pytest.raises(ZeroDivisionError) as failure, windsock.serving_pair(framing=DNS) as pair:
        raise ZeroDivisionError

    assert pair.tcp.is_stopped
    assert pair.udp.is_stopped
    assert len([each for each in failure.value.__notes__ if "pair (" in each]) == 2


def test_a_reply_that_is_longer_than_the_prefix_can_say_names_its_size() -> None:
    with pytest.raises(windsock.UsageError, match="a message of 256 bytes: its length does not fit a prefix of 1 byte"):
        LengthPrefix(1).wrap(b"x" * 256)
