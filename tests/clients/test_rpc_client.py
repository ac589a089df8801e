"""The client of Sun RPC: results and errors over every transport, and calls that are sent again over datagrams."""

from __future__ import annotations

import contextlib
import pickle
from typing import Any

import pytest

from tests.support.rpc import NUMBERS, PROGRAM, VERSION, Adder, AsyncAdder
from tests.support.servers import DATAGRAMS, on_every_kind, on_every_transport
from windsock import (
    CallFailed,
    CallTimeout,
    ConnectFailed,
    ScriptMismatch,
    UsageError,
    faults,
    proxy,
    rpc,
    rpc_client,
    serving,
)
from windsock.protocols import xdr
from windsock.protocols.record_marking import RecordTooLong, mark_record
from windsock.protocols.rpc_messages import AcceptStatus, AuthFlavor, AuthStatus, AuthSys, Call, RejectStatus
from windsock.protocols.xdr import DecodeError

on_every_datagram_transport = pytest.mark.parametrize("transport", DATAGRAMS)


@pytest.mark.parametrize("way", ["direct", "relayed", "proxied"])
@on_every_kind
def test_a_call_returns_the_result(transport: str, concurrency: str, way: str) -> None:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(
            serving(Adder, transport=transport, concurrency=concurrency, relay=way == "relayed")
        )
        address: Any = server.address
        if way == "proxied":
            address = stack.enter_context(proxy(address, transport=transport)).address
        client = stack.enter_context(rpc_client(address, Adder, transport=transport))

        assert client.call("add", [1, 2]) == 3
        assert client.call(4, b"data") == b"data"
        assert client.call(0) is None


@on_every_transport
def test_a_client_of_a_number_takes_bytes_or_types(transport: str) -> None:
    with serving(Adder, transport=transport) as server, server.connect_rpc(PROGRAM, VERSION) as client:
        assert client.call(1, NUMBERS.encode([1, 2])) == xdr.INT.encode(3)
        assert client.call(1, [1, 2], args=NUMBERS, result=xdr.INT) == 3
        assert client.call(0) == b""


def test_a_client_of_a_server_with_tls_speaks_tls() -> None:
    with serving(Adder, tls=True) as server, server.connect_rpc() as client:
        assert client.call("add", [1]) == 1

        assert str(server.requests.only().rpc) == f"call 1 program {PROGRAM} v2 add, reply 1 SUCCESS"


@on_every_transport
def test_an_async_handler_is_called_likewise(transport: str) -> None:
    with serving(AsyncAdder, transport=transport) as server, server.connect_rpc() as client:
        assert client.call("add", [1, 2]) == 3


@on_every_transport
@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (rpc.prog_unavail(), AcceptStatus.PROG_UNAVAIL, "PROG_UNAVAIL"),
        (rpc.prog_mismatch(3, 4), AcceptStatus.PROG_MISMATCH, "PROG_MISMATCH 3 to 4"),
        (rpc.proc_unavail(), AcceptStatus.PROC_UNAVAIL, "PROC_UNAVAIL"),
        (rpc.garbage_args(), AcceptStatus.GARBAGE_ARGS, "GARBAGE_ARGS"),
        (rpc.system_err(), AcceptStatus.SYSTEM_ERR, "SYSTEM_ERR"),
        (rpc.rpc_mismatch(), RejectStatus.RPC_MISMATCH, "RPC_MISMATCH 2 to 2"),
        (rpc.auth_error(AuthStatus.AUTH_TOOWEAK), RejectStatus.AUTH_ERROR, "AUTH_ERROR AUTH_TOOWEAK"),
    ],
)
def test_an_error_names_the_call_and_the_status(transport: str, answer: rpc.RPCAnswer, status: Any, words: str) -> None:
    with serving(transport=transport, framing="rpc") as server, server.connect_rpc(PROGRAM, 2) as client:
        server.on(rpc.call(PROGRAM)).reply(answer)

        with pytest.raises(CallFailed) as caught:
            client.call(3)

    assert str(caught.value) == f"call 1 program {PROGRAM} v2 procedure 3: {words}"
    assert caught.value.status is status
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_procedure_of_a_handler_is_named_in_errors() -> None:
    with serving(Adder, strict=False) as server, server.connect_rpc() as client:
        with pytest.raises(CallFailed, match=f"^call 1 program {PROGRAM} v2 fail: SYSTEM_ERR$"):
            client.call("fail")
        assert client.call("add", [1]) == 1


def test_credentials_are_those_of_every_call() -> None:
    who = AuthSys(stamp=0, machine_name="workshop", uid=1, gid=2).credential()
    with serving(Adder) as server, server.connect_rpc(credential=who) as client:
        client.call(0)
        client.call("add", [1])

        assert [each.rpc.credential.flavor for each in server.requests] == [AuthFlavor.SYS] * 2


@on_every_datagram_transport
def test_a_lost_call_is_sent_again_with_the_same_xid(transport: str) -> None:
    with serving(Adder, transport=transport) as server:
        server.fault(faults.Drop(1), direction="upstream")
        with server.connect_rpc(resend_every=0.05) as client:
            assert client.call("add", [1, 2], xid=9) == 3

        assert {each.rpc.xid for each in server.requests} == {9}


@on_every_datagram_transport
def test_a_lost_reply_is_asked_for_again(transport: str) -> None:
    with serving(Adder, transport=transport) as server:
        server.fault(faults.Drop([1, 2]), direction="downstream")
        with server.connect_rpc(resend_every=0.05) as client:
            assert client.call("add", [1, 2]) == 3

        assert len(server.requests) >= 3


@on_every_datagram_transport
def test_a_reply_that_comes_twice_is_not_that_of_the_next_call(transport: str) -> None:
    with serving(Adder, transport=transport) as server:
        server.fault(faults.Duplicate(), direction="downstream", match=rpc.reply(1))
        with server.connect_rpc(resend_every=None) as client:
            assert [client.call("add", [number]) for number in (5, 6)] == [5, 6]


@on_every_transport
def test_a_silent_server_is_named_with_how_often_it_was_called(transport: str) -> None:
    with serving(transport=transport) as server, server.connect_rpc(PROGRAM, 2, resend_every=0.05) as client:
        with pytest.raises(CallTimeout) as caught:
            client.call(3, timeout=1)

        error = caught.value
        is_stream = transport not in DATAGRAMS
        assert error.sent == 1 if is_stream else error.sent >= 2
        times = "" if is_stream else f"; it was sent {error.sent} times"
        assert str(error) == f"call 1 program {PROGRAM} v2 procedure 3: no reply within 1 s{times}"
        assert str(pickle.loads(pickle.dumps(error))) == str(error)


@on_every_transport
def test_replies_to_other_calls_are_left_out_and_named(transport: str) -> None:
    with serving(transport=transport, framing="rpc") as server:
        server.on(rpc.call(PROGRAM)).reply(rpc.success(xid=99))
        with server.connect_rpc(PROGRAM, 2, resend_every=None) as client, pytest.raises(CallTimeout) as caught:
            client.call(0, timeout=0.2)

    assert caught.value.others == (99,)
    assert "; replies to other xids came: 99" in str(caught.value)


def test_a_call_after_one_without_a_reply_gets_its_own() -> None:
    with serving(framing="rpc") as server:
        server.on(rpc.call(PROGRAM, xid=1)).reply_with(lambda _: None)
        server.on(rpc.call(PROGRAM, xid=2)).reply(rpc.success(b"two"))
        with server.connect_rpc(PROGRAM, 2) as client:
            with pytest.raises(CallTimeout):
                client.call(0, timeout=0.05)
            assert client.call(0) == b"two"


def test_an_end_of_the_connection_is_a_mismatch() -> None:
    with serving(framing="rpc") as server:
        server.on(rpc.call(PROGRAM)).reply(rpc.success(), truncate=3, end="close")
        ends = r"expect\(rpc.reply\(1\), .*the other end closed \(EOF\) after 3 bytes"
        with server.connect_rpc(PROGRAM, 2) as client, pytest.raises(ScriptMismatch, match=ends):
            client.call(0)


@on_every_transport
def test_a_reply_that_is_none_says_what_is_wrong(transport: str) -> None:
    is_stream = transport not in DATAGRAMS
    with serving(transport=transport, framing="rpc") as server, server.connect_rpc(PROGRAM, 2) as client:
        server.reply(mark_record(b"abc") if is_stream else b"abc")
        with pytest.raises(DecodeError, match="needs 4 bytes, and 3 are left"):
            client.call(0)

        server.reply(mark_record(Call(2, 1, 1).encode()) if is_stream else Call(2, 1, 1).encode())
        with pytest.raises(DecodeError, match="a call, where a reply was expected"):
            client.call(0)


@pytest.mark.parametrize("end", [None, "close"])
def test_a_reply_with_an_impossible_record_mark_says_what_came(end: Any) -> None:
    with serving(framing="rpc", strict=False) as server:
        server.on(rpc.call(PROGRAM)).reply(b"HTTP/1.1 400 Bad Request\r\n\r\n", end=end)
        with server.connect_rpc(PROGRAM, 2) as client, pytest.raises(RecordTooLong) as caught:
            client.call(0)

    assert str(caught.value) == (
        "offset 0, record mark: a record of 1213486164 bytes or more, over the limit of 16777216; "
        "is this Sun RPC? b'HTTP/1.1 400 Bad Request\\r\\n\\r\\n'"
    )


def test_a_reply_of_fragments_without_a_byte_says_what_is_wrong() -> None:
    with serving(framing="rpc", strict=False) as server, server.connect_rpc(PROGRAM, 2) as client:
        server.on(rpc.call(PROGRAM)).reply(bytes(4 * 1001))
        with pytest.raises(DecodeError, match="more than 1000 fragments without a byte in one record"):
            client.call(0)


def test_a_reply_that_comes_in_part_is_shown_at_the_deadline() -> None:
    with serving(framing="rpc", strict=False) as server:
        server.on(rpc.call(PROGRAM)).reply(b"\x80\0\1\0junk")
        with server.connect_rpc(PROGRAM, 2) as client, pytest.raises(CallTimeout) as caught:
            client.call(0, timeout=0.5)

    assert caught.value.unfinished == b"\x80\0\1\0junk"
    assert str(caught.value).endswith("; what came is no whole record: b'\\x80\\x00\\x01\\x00junk'")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_call_to_a_closed_port_is_refused() -> None:
    with serving(Adder) as server:
        address = server.address
    with pytest.raises(ConnectFailed, match="refused"):
        rpc_client(address, Adder)


def test_a_datagram_to_a_closed_port_is_a_mismatch() -> None:
    with serving(Adder, transport="udp") as server:
        address = server.address
    with rpc_client(address, Adder, transport="udp") as client, pytest.raises(ScriptMismatch, match="refused"):
        client.call(0)


@pytest.mark.parametrize(
    ("program", "version", "words"),
    [
        (7, None, "expected a class of RPC handlers, or two numbers"),
        (str, None, "expected a class of RPC handlers, or two numbers"),
        (-1, 2, "program = -1: expected a number from 0"),
        (7, 2**32, "version = 4294967296: expected a number from 0"),
    ],
)
def test_what_is_no_program_is_refused(program: Any, version: Any, words: str) -> None:
    with serving(Adder) as server, pytest.raises(UsageError, match=words):
        server.connect_rpc(program, version)


def test_a_fake_has_no_program_of_its_own() -> None:
    with serving() as server, pytest.raises(UsageError, match="expected a class of RPC handlers"):
        server.connect_rpc()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("subtract",), "there is no such procedure; known are null, add, fail"),
        ((-1,), "procedure = -1: expected a number"),
        ((99, 7), "expected bytes, or a value with its type"),
    ],
)
def test_what_cannot_be_called_is_refused(arguments: Any, words: str) -> None:
    with serving(Adder) as server, server.connect_rpc() as client, pytest.raises(UsageError, match=words):
        client.call(*arguments)


CREDENTIALS: list[Any] = ["x", "", 0, AuthSys(0, "host", 1, 2)]


@pytest.mark.parametrize("credential", CREDENTIALS)
def test_a_credential_that_is_none_is_refused(credential: Any) -> None:
    with serving(Adder) as server:
        with pytest.raises(UsageError, match=r"^credential=.*: expected an Auth"):
            server.connect_rpc(credential=credential)
        with pytest.raises(UsageError, match=r"^credential=.*: expected an Auth"):
            rpc_client(server.address, Adder, credential=credential)

        assert not server.connections  # it was refused before it connected


@pytest.mark.parametrize("credential", CREDENTIALS)
def test_a_call_whose_credential_is_none_is_refused(credential: Any) -> None:
    with pytest.raises(UsageError, match=r"^credential=.*: expected an Auth"):
        Call(1, PROGRAM, 2, credential=credential).encode()
    with pytest.raises(UsageError, match=r"^verifier=.*: expected an Auth"):
        Call(1, PROGRAM, 2, verifier=credential).encode()


@pytest.mark.parametrize("keyword", ["args", "result"])
def test_a_type_that_is_none_is_refused(keyword: str) -> None:
    kind: Any = {keyword: int}
    message = rf"call\(..., {keyword}=<class 'int'>\): expected an XDR type"
    with serving(Adder) as server, server.connect_rpc() as client, pytest.raises(UsageError, match=message):
        client.call(1, [1], **kind)


@pytest.mark.parametrize("seconds", [0, -1, "1"])
def test_an_interval_that_is_none_is_refused(seconds: Any) -> None:
    with serving(Adder) as server, pytest.raises(UsageError, match="resend_every="):
        server.connect_rpc(resend_every=seconds)
