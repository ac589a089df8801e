"""Rules of a fake for Sun RPC: calls by program, version and procedure, and replies that take the call's xid."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.rpc import adding, call, calling, sum_of
from tests.support.servers import connect, on_every_kind, on_every_transport
from windsock import UnexpectedMessage, UsageError, faults, rpc, serving
from windsock.protocols import xdr
from windsock.protocols.record_marking import mark_record
from windsock.protocols.rpc_messages import Accepted, AcceptStatus, AuthStatus, Call, Denied, RejectStatus

PROGRAM = 100003


@on_every_kind
def test_a_rule_matches_a_procedure_and_its_reply_takes_the_xid(transport: str, concurrency: str) -> None:
    with serving(transport=transport, concurrency=concurrency, framing="rpc") as server:
        server.on(rpc.call(PROGRAM, 3, 0)).reply(rpc.success())
        server.on(rpc.call(PROGRAM, 3, 1)).reply(rpc.success(5, xdr.INT)).then(rpc.system_err())
        server.on(rpc.call(PROGRAM)).reply(rpc.prog_mismatch(3, 4))
        with connect(server) as client:
            assert call(client, Call(7, PROGRAM, 3)) == Accepted(7)
            assert call(client, Call(8, PROGRAM, 3, 1)) == Accepted(8, result=xdr.INT.encode(5))
            assert call(client, Call(9, PROGRAM, 3, 1)) == Accepted(9, AcceptStatus.SYSTEM_ERR)
            assert call(client, Call(10, PROGRAM, 2)) == Accepted(10, AcceptStatus.PROG_MISMATCH, low=3, high=4)


@on_every_transport
def test_a_queued_reply_takes_the_xid_of_whatever_call_comes(transport: str) -> None:
    with serving(transport=transport, framing="rpc") as server:
        server.reply(rpc.success(b"abcd"), times=2)
        with connect(server) as client:
            assert [call(client, adding(1, xid=xid)).xid for xid in (0, 0xFFFFFFFF)] == [0, 0xFFFFFFFF]


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        (rpc.prog_unavail(), Accepted(7, AcceptStatus.PROG_UNAVAIL)),
        (rpc.proc_unavail(), Accepted(7, AcceptStatus.PROC_UNAVAIL)),
        (rpc.garbage_args(), Accepted(7, AcceptStatus.GARBAGE_ARGS)),
        (rpc.rpc_mismatch(), Denied(7, RejectStatus.RPC_MISMATCH)),
        (rpc.auth_error(AuthStatus.AUTH_TOOWEAK), Denied(7, RejectStatus.AUTH_ERROR, AuthStatus.AUTH_TOOWEAK)),
        (rpc.success(xid=8), Accepted(8)),
    ],
)
def test_there_is_an_answer_for_every_status(answer: rpc.RPCAnswer, reply: Any) -> None:
    assert eval(repr(answer)) == answer  # as a failure shows it
    with serving(framing="rpc") as server, connect(server) as client:
        server.on(rpc.call(1)).reply(answer)

        assert call(client, Call(7, 1, 1)) == reply


def test_a_reply_is_delivered_as_any_other() -> None:
    with serving(framing="rpc") as server:
        server.on(rpc.call(1)).reply(rpc.success(), pieces=[2], delay=0.01, end="close")
        with server.connect() as client:
            client.send(mark_record(Call(7, 1, 1).encode())).expect(mark_record(Accepted(7).encode())).expect_eof()


def test_a_rule_is_for_an_xid_if_it_says_so() -> None:
    with serving(framing="rpc") as server, connect(server) as client:
        server.on(rpc.call(1, xid=8)).reply(rpc.success(b"eight"))
        server.on(rpc.call(1)).reply(rpc.success())

        assert call(client, Call(7, 1, 1)) == Accepted(7)
        assert call(client, Call(8, 1, 1)) == Accepted(8, result=b"eight")


@on_every_transport
def test_a_call_that_no_rule_matches_is_named(transport: str) -> None:
    with serving(transport=transport, framing="rpc", strict=False, allow_unused=True) as server:
        server.on(rpc.call(PROGRAM, 3, 0)).reply(rpc.success())
        with server.connect() as client:
            message = calling(4).encode()
            client.send(message if server.is_datagram else mark_record(message))
            server.requests.wait(1)
        server.drain()  # the client has left: its handler is waited for

        (error,) = server.errors
    assert isinstance(error, UnexpectedMessage)
    assert "on(rpc.call(100003, 3, 0)): it is call 7 program 536870913 v2 procedure 4" in str(error)


def test_an_unused_rule_is_shown_as_it_was_written() -> None:
    with pytest.raises(ExceptionGroup) as caught, serving(framing="rpc") as server:
        server.on(rpc.call(PROGRAM, xid=7)).reply(rpc.success())

    assert "on(rpc.call(100003, xid=7)).reply(rpc.success())" in str(caught.value.exceptions[0])


@on_every_transport
def test_a_rule_whose_calls_went_to_another_says_so(transport: str) -> None:
    server = serving(transport=transport, framing="rpc")
    server.on(rpc.call(PROGRAM)).reply(rpc.success())
    server.on(rpc.call(PROGRAM, 3, 0)).reply(rpc.success())
    with connect(server) as client:
        call(client, Call(7, PROGRAM, 3))

    with pytest.raises(ExceptionGroup) as caught:
        server.finish()
    assert "1 message that it matches went to on(rpc.call(100003))" in str(caught.value.exceptions[0])


def test_a_stream_without_framing_says_what_to_pass() -> None:
    with serving() as server, pytest.raises(UsageError, match=r'(?s)rpc\.call.*framing="rpc"'):
        server.on(rpc.call(PROGRAM))


def test_an_answer_is_no_pattern() -> None:
    with serving(framing="rpc") as server, pytest.raises(UsageError, match=r"that is an answer; pass the call"):
        server.on(rpc.success())


@pytest.mark.parametrize("number", [-1, 2**32, True, "3"])
def test_a_number_that_no_call_can_name_is_refused(number: Any) -> None:
    with pytest.raises(UsageError, match="expected a number from 0 to 4294967295"):
        rpc.call(1, number)


def test_a_result_without_a_type_is_bytes() -> None:
    with pytest.raises(UsageError, match=r"expected bytes, or a value with its type"):
        rpc.success(7)


def test_patterns_match_messages_with_marks_and_without() -> None:
    for message in (Call(7, 1, 2, 3).encode(), mark_record(Call(7, 1, 2, 3).encode(), 5)):
        assert rpc.call(1)(message)
        assert rpc.call(1, 2, 3, xid=7)(message)
        assert not rpc.call(1, 2, 4)(message)
        assert not rpc.reply()(message)
    for message in (sum_of(1).encode(), mark_record(sum_of(1).encode())):
        assert rpc.reply()(message)
        assert rpc.reply(7, AcceptStatus.SUCCESS)(message)
        assert not rpc.reply(8)(message)
        assert not rpc.reply(7, AcceptStatus.SYSTEM_ERR)(message)
        assert not rpc.reply(7, RejectStatus.RPC_MISMATCH)(message)  # the same number
        assert not rpc.call(1)(message)
    assert not rpc.call(1)(b"abc")
    assert repr(rpc.reply(7, AcceptStatus.SUCCESS)) == "rpc.reply(7, AcceptStatus.SUCCESS)"
    assert faults.Selector(match=rpc.reply(7)).match == rpc.reply(7)
