"""Sun RPC in the toolkit: records as messages of fakes, `requests`, proxies and scripts."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from tests.support.rpc import adding, sum_of
from tests.support.servers import on_every_kind, on_every_transport
from windsock import FramingError, MessageTooLong, RecordMarking, ScriptMismatch, proxy, scripted_client, serving
from windsock.protocols.record_marking import mark_record

on_every_way = pytest.mark.parametrize("way", ["direct", "relayed", "proxied"])


def sent(message: bytes, transport: str, fragment_size: int = 11) -> bytes:
    """Return a message as it is sent: on a stream in fragments."""
    return message if transport in ("udp", "unix_datagram") else mark_record(message, fragment_size)


@on_every_way
@on_every_kind
def test_a_record_is_a_message_for_fakes_requests_proxies_and_scripts(
    transport: str, concurrency: str, way: str
) -> None:
    call, reply = sent(adding(1, 2).encode(), transport), sent(sum_of(3).encode(), transport)
    options: dict[str, Any] = {"transport": transport, "framing": "rpc"}
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(serving(concurrency=concurrency, relay=way == "relayed", **options))
        server.on(adding(1, 2).encode()).reply(reply)
        subjects: list[Any] = [server]
        if way == "proxied":
            subjects.append(stack.enter_context(proxy(server.address, **options)))
        with scripted_client(subjects[-1].address, transport=transport) as client:
            client.send(call).expect(RecordMarking()).send(call).expect(reply)

        for subject in subjects:
            assert [each.data for each in subject.requests.wait(2)] == [call, call]


def test_records_are_cut_however_they_arrive() -> None:
    calls = [mark_record(adding(number, xid=number).encode(), 5) for number in range(3)]
    with serving(framing="rpc") as server, server.connect() as client:
        client.send(b"".join(calls), pieces=[1] * 50, every=0.0001)

        assert [each.data for each in server.requests.wait(3)] == calls


def test_a_record_that_announces_too_much_is_an_error_at_once() -> None:
    with serving(framing=RecordMarking(limit=100), strict=False) as server, server.connect() as client:
        client.send(bytes.fromhex("7fffffff"))

        with pytest.raises(MessageTooLong, match="100"):
            server.requests.wait(1)


def test_fragments_without_a_byte_and_without_end_are_an_error() -> None:
    with serving(framing="rpc", strict=False) as server, server.connect() as client:
        client.send(bytes(4 * 1001))

        with pytest.raises(FramingError, match="more than 1000 fragments without a byte in one record"):
            server.requests.wait(1)


@on_every_transport
def test_a_script_takes_a_record_on_a_stream_and_any_datagram(transport: str) -> None:
    with serving(transport=transport) as server, server.connect() as client:
        server.echo()
        client.send(sent(b"abcdef", transport, 4)).expect(RecordMarking())

        assert client.unread == b""


def test_half_a_record_is_no_record() -> None:
    with serving() as server, server.connect() as client:
        server.on(b"?").reply(mark_record(b"abcdef")[:-1], end="close")

        with pytest.raises(ScriptMismatch, match="after 9 of 10 bytes"):
            client.send(b"?").expect(RecordMarking())
