"""Sun RPC in recordings: requests as calls with their replies, and lines of transcripts."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import pytest

from tests.support.rpc import PROGRAM, VERSION, Adder, adding, call, calling, sum_of
from tests.support.servers import connect, on_every_kind, on_every_transport
from windsock import proxy, scripted_client, serving
from windsock.protocols.record_marking import mark_record
from windsock.protocols.rpc_messages import Accepted, AcceptStatus, AuthStatus, AuthSys, Call, Denied, RejectStatus
from windsock.protocols.xdr import DecodeError

WHO = AuthSys(stamp=1, machine_name="workshop", uid=1000, gid=100, gids=(24,))


def messages_in(subject: Any) -> list[str]:
    """Return what the lines of a transcript say of messages."""
    found = [re.search(r"[<>] .* B (.*)", line) for line in subject.transcript()]
    return [each[1] for each in found if each is not None]


def is_datagram(transport: str) -> bool:
    return transport in ("udp", "unix_datagram")


@pytest.mark.parametrize("way", ["direct", "relayed"])
@on_every_kind
def test_requests_of_a_handler_are_calls_with_their_replies(transport: str, concurrency: str, way: str) -> None:
    with serving(Adder, transport=transport, concurrency=concurrency, relay=way == "relayed") as server:
        with connect(server) as client:
            call(client, adding(1, 2, credential=WHO.credential()))
            call(client, Call(8, PROGRAM, VERSION, 9))
            call(client, Call(9, PROGRAM, 4, 1, b"abcd"))

        first, second, third = (each.rpc for each in server.requests.wait(3))
        assert (first.xid, first.program, first.version, first.procedure) == (7, PROGRAM, VERSION, 1)
        assert AuthSys.of(first.credential) == AuthSys(1, "workshop", 1000, 100, [24])
        assert (first.arguments, first.status, first.result) == ([1, 2], AcceptStatus.SUCCESS, 3)
        assert (second.status, second.result) == (AcceptStatus.PROC_UNAVAIL, None)
        assert (third.arguments, third.status) == (b"abcd", AcceptStatus.PROG_MISMATCH)
        assert messages_in(server) == [
            f"call 7 program {PROGRAM} v2 add",
            "reply 7 SUCCESS",
            f"call 8 program {PROGRAM} v2 procedure 9",
            "reply 8 PROC_UNAVAIL",
            f"call 9 program {PROGRAM} v4 procedure 1",
            "reply 9 PROG_MISMATCH 2 to 2",
        ]


@on_every_transport
def test_a_proxy_with_framing_has_calls_too(transport: str) -> None:
    with (
        serving(Adder, transport=transport) as server,
        proxy(server.address, transport=transport, framing="rpc") as between,
    ):
        with scripted_client(between.address, transport=transport) as client:
            client.send(sent(adding(1), transport)).expect(sent(sum_of(1), transport))

        assert between.requests.only().rpc.reply == sum_of(1)
        assert messages_in(between) == [f"call 7 program {PROGRAM} v2 procedure 1", "reply 7 SUCCESS"]


def sent(message: Call | Accepted, transport: str) -> bytes:
    return message.encode() if is_datagram(transport) else mark_record(message.encode())


@on_every_transport
def test_a_transcript_of_a_fake_names_calls_of_procedure_0(transport: str) -> None:
    with serving(transport=transport, framing="rpc") as server:
        server.reply(sent(Accepted(7), transport))
        with server.connect() as client:
            client.send(sent(Call(7, 100003, 3), transport)).expect(sent(Accepted(7), transport))

        assert messages_in(server) == ["call 7 program 100003 v3 NULL", "reply 7 SUCCESS"]


@on_every_transport
def test_a_message_that_is_no_call_is_kept_with_the_reason(transport: str) -> None:
    with serving(Adder, transport=transport, strict=False) as server:
        with server.connect() as client:
            client.send(b"abc" if is_datagram(transport) else mark_record(b"abc"))

            request = server.requests.wait(1)[0].rpc
        assert (request.data, request.call, request.status) == (b"abc", None, None)
        assert str(request.error) == "offset 0, unsigned int: needs 4 bytes, and 3 are left"
        with pytest.raises(DecodeError, match="needs 4 bytes"):
            _ = request.xid
        assert messages_in(server) == ["no RPC message (offset 0, unsigned int: needs 4 bytes, and 3 are left): b'abc'"]


def test_a_call_of_another_rpc_version_is_kept_with_its_denial() -> None:
    with serving(Adder) as server, connect(server) as client:
        call(client, Call(7, PROGRAM, VERSION, rpc_version=3))

        request = server.requests.only().rpc
        assert request.error is not None
        assert request.error.value == 3
        assert request.reply == Denied(7, RejectStatus.RPC_MISMATCH)


@pytest.mark.parametrize("handler", [Adder, None])
@pytest.mark.parametrize(
    ("fragment", "size", "where"),
    [
        (1000, 3, "before the last fragment of a record"),
        (1000, 20, "within a record of 56 bytes with its marks"),
        (10, 40, "before the last fragment of a record"),
    ],
)
def test_a_call_that_the_end_of_the_stream_cuts_says_so(handler: Any, fragment: int, size: int, where: str) -> None:
    record = mark_record(adding(1, 2).encode(), fragment)
    with serving(handler, framing="rpc", strict=False) as server:
        with server.connect() as client:
            client.send(record[:size]).half_close().expect_eof(discard=True)
        server.connections.wait(1)

        request = server.requests[0].rpc
        words = f"offset {size}, record: what came ends here, {where}"
        assert str(request.error) == words
        assert str(request) == f"no RPC message ({words})"
        with pytest.raises(DecodeError, match=words):
            _ = request.xid


def test_a_reply_that_is_none_is_kept_with_the_reason() -> None:
    with serving(framing="rpc") as server:
        server.reply(mark_record(b"\0\0\0\7junk"))
        with server.connect() as client:
            client.send(mark_record(Call(7, 1, 1).encode())).expect(mark_record(b"\0\0\0\7junk"))

        request = server.requests.only().rpc
        assert request.reply_data == b"\0\0\0\7junk"
        with pytest.raises(DecodeError, match="neither a call"):
            _ = request.status


def call_at_once(server: Any) -> None:
    """Send three calls at once, and wait for the replies."""
    calls = b"".join(mark_record(adding(xid, xid=xid).encode()) for xid in range(3))
    replies = b"".join(mark_record(sum_of(xid, xid).encode()) for xid in range(3))
    with scripted_client(server.address) as client:
        client.send(calls).expect(replies)
    server.requests.wait(3)


@pytest.mark.parametrize("way", ["direct", "proxied"])
def test_calls_sent_at_once_have_their_own_replies(way: str) -> None:
    with contextlib.ExitStack() as stack:
        subject: Any = stack.enter_context(serving(Adder))
        if way == "proxied":
            subject = stack.enter_context(proxy(subject.address, framing="rpc"))
        call_at_once(subject)

        assert [each.rpc.reply for each in subject.requests] == [sum_of(xid, xid) for xid in range(3)]
        assert messages_in(subject)[-1] == "reply 2 SUCCESS"


def test_a_call_without_a_reply_has_not_that_of_another() -> None:
    with serving(framing="rpc") as server:
        server.on(adding(1).encode()).reply(mark_record(sum_of(1).encode()))
        server.on(adding(2).encode()).reply_with(lambda _: None)
        with server.connect() as client:
            client.send(mark_record(adding(1).encode())).expect(mark_record(sum_of(1).encode()))
            client.send(mark_record(adding(2).encode()))

            first, second = (each.rpc for each in server.requests.wait(2))
        assert first.reply == sum_of(1)
        assert (second.reply, second.status) == (None, None)


def test_a_reply_with_another_xid_is_shown_as_the_reply() -> None:
    with serving(framing="rpc") as server:
        server.reply(mark_record(Accepted(99).encode()))
        with server.connect() as client:
            client.send(mark_record(Call(7, 1, 1).encode())).expect(mark_record(Accepted(99).encode()))

        request = server.requests.only().rpc
        assert str(request) == "call 7 program 1 v1 NULL, reply 99 SUCCESS"


def test_a_call_in_pieces_is_one_line_and_what_is_no_record_is_shown_as_it_is() -> None:
    data = mark_record(adding(1).encode(), 9)
    with serving(Adder, strict=False) as server:
        with server.connect() as client:
            client.send(data, pieces=4, every=0.001).expect(mark_record(sum_of(1).encode())).send(data[:6])
        server.drain()

        assert messages_in(server)[0].endswith(f"call 7 program {PROGRAM} v2 add")
        assert messages_in(server)[-1].startswith("00 00 00 09 00 00")


def test_denials_say_why() -> None:
    reply = mark_record(Denied(7, RejectStatus.AUTH_ERROR, AuthStatus.AUTH_TOOWEAK).encode())
    with serving(framing="rpc") as server:
        server.reply(reply)
        with server.connect() as client:
            client.send(mark_record(calling(0).encode())).expect(reply)

        assert messages_in(server)[-1] == "reply 7 AUTH_ERROR AUTH_TOOWEAK"


def test_a_handler_may_have_another_framing() -> None:
    with serving(Adder, framing="any") as server, connect(server) as client:
        call(client, adding(1))
        call(client, adding(2))

        assert len(server.requests) == 1
