"""Handlers of Sun RPC, on every class of the family and on those of their own."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from tests.servers.helpers import DATAGRAM, STREAM, Place, each, has_ended
from tests.support.rpc import (
    PROGRAM,
    SEVENTEEN_GROUPS,
    VERSION,
    Adder,
    AsyncAdder,
    adding,
    call,
    calling,
    exchange,
    reply_from,
    sum_of,
)
from windsock import servers
from windsock.errors import UsageError
from windsock.protocols import xdr
from windsock.protocols.record_marking import mark_record
from windsock.protocols.rpc_messages import (
    Accepted,
    AcceptStatus,
    Auth,
    AuthFlavor,
    AuthStatus,
    AuthSys,
    Call,
    Denied,
    RejectStatus,
)
from windsock.servers import rpc
from windsock.servers.rpc import RPCRequestHandler, procedure

OWN: list[Any] = [getattr(rpc, name) for name in rpc.__all__ if name.endswith("Server")]
TRIO = [kind for kind in [*STREAM, *DATAGRAM, *OWN] if issubclass(kind, servers.TrioMixIn)]
PLAIN_AND_ASYNC = [(kind, Adder) for kind in [*STREAM, *DATAGRAM, *OWN]] + [(kind, AsyncAdder) for kind in TRIO]
ONE_OF_EACH = [(servers.ThreadingTCPServer, Adder), (servers.ThreadingUDPServer, Adder)]
ONE_OF_EACH += [(servers.TrioTCPServer, AsyncAdder), (servers.TrioUDPServer, AsyncAdder)]
STREAMS = [(kind, handler) for kind, handler in PLAIN_AND_ASYNC if kind.socket_type == socket.SOCK_STREAM]
STREAMS = [(kind, handler) for kind, handler in STREAMS if kind not in OWN]


def on(pairs: list[tuple[Any, Any]]) -> pytest.MarkDecorator:
    ids = [f"{kind.__name__}-{handler.__name__}" for kind, handler in pairs]
    return pytest.mark.parametrize(("kind", "handler"), pairs, ids=ids)


def test_there_is_a_class_for_every_transport_and_concurrency() -> None:
    assert len(OWN) == len(STREAM) + len(DATAGRAM)
    assert {kind.__name__.replace("RPC", "") for kind in OWN} == {kind.__name__ for kind in [*STREAM, *DATAGRAM]}


@on(PLAIN_AND_ASYNC)
def test_a_procedure_is_called_and_its_result_comes_back(place: Place, kind: Any, handler: Any) -> None:
    client = place.connect(place.start(kind, handler))

    assert call(client, adding(1, 2, xid=1)) == sum_of(3, xid=1)
    assert call(client, adding(xid=0xFFFFFFFF)) == sum_of(0, xid=0xFFFFFFFF)
    assert call(client, calling(4, xdr.OPAQUE.encode(bytes(5000)))) == Accepted(
        7, result=xdr.OPAQUE.encode(bytes(5000))
    )


@on(PLAIN_AND_ASYNC)
def test_procedure_0_is_answered_by_itself(place: Place, kind: Any, handler: Any) -> None:
    assert call(place.connect(place.start(kind, handler)), Call(9, PROGRAM, VERSION)) == Accepted(9)


@on(PLAIN_AND_ASYNC)
def test_an_exception_in_a_procedure_is_a_system_error_for_the_client_and_an_error_of_the_server(
    place: Place, kind: Any, handler: Any
) -> None:
    client = place.connect(place.start(kind, handler))

    assert call(client, calling(2)) == Accepted(7, AcceptStatus.SYSTEM_ERR)
    assert place.notes.read() == "error ZeroDivisionError"
    assert call(client, adding(1, xid=8)) == sum_of(1, xid=8)  # the connection is open


@on(ONE_OF_EACH)
def test_a_result_that_the_declared_type_cannot_encode_is_an_error_of_the_server(
    place: Place, kind: Any, handler: Any
) -> None:
    client = place.connect(place.start(kind, handler))

    assert call(client, calling(3)) == Accepted(7, AcceptStatus.SYSTEM_ERR)
    assert place.notes.read() == "error EncodeError"


@on(ONE_OF_EACH)
def test_a_procedure_may_return_a_whole_reply(place: Place, kind: Any, handler: Any) -> None:
    client = place.connect(place.start(kind, handler))

    assert call(client, calling(5, xid=77)) == Accepted(77, AcceptStatus.PROC_UNAVAIL)


REFUSED = [
    (Call(1, PROGRAM + 1, VERSION), Accepted(1, AcceptStatus.PROG_UNAVAIL)),
    (Call(2, PROGRAM, 0), Accepted(2, AcceptStatus.PROG_MISMATCH, low=VERSION, high=VERSION)),
    (calling(99, xid=3), Accepted(3, AcceptStatus.PROC_UNAVAIL)),
    (calling(1, b"\0\0\0\1", xid=4), Accepted(4, AcceptStatus.GARBAGE_ARGS)),
    (calling(1, b"\xff\xff\xff\xff", xid=5), Accepted(5, AcceptStatus.GARBAGE_ARGS)),
    (calling(2, b"more", xid=6), Accepted(6, AcceptStatus.GARBAGE_ARGS)),
    (calling(0, xid=7, rpc_version=3), Denied(7, RejectStatus.RPC_MISMATCH, low=2, high=2)),
    (
        calling(0, xid=8, credential=SEVENTEEN_GROUPS),
        Denied(8, RejectStatus.AUTH_ERROR, AuthStatus.AUTH_BADCRED),
    ),
    (
        calling(0, xid=9, credential=Auth(AuthFlavor.SHORT)),
        Denied(9, RejectStatus.AUTH_ERROR, AuthStatus.AUTH_REJECTEDCRED),
    ),
]


@on(ONE_OF_EACH)
def test_a_call_of_what_there_is_not_is_answered_with_what_the_standard_has_for_it(
    place: Place, kind: Any, handler: Any
) -> None:
    client = place.connect(place.start(kind, handler))

    for asked, answer in REFUSED:
        assert call(client, asked) == answer
    assert call(client, adding(1)) == sum_of(1)
    assert place.notes.read_all() == []


@on(ONE_OF_EACH)
def test_an_overlong_credential_is_a_bad_one(place: Place, kind: Any, handler: Any) -> None:
    message = Call(7, PROGRAM, VERSION).encode()
    client = place.connect(place.start(kind, handler))

    reply = exchange(client, message[:28] + (404).to_bytes(4, "big") + bytes(404) + message[32:])

    assert reply == Denied(7, RejectStatus.AUTH_ERROR, AuthStatus.AUTH_BADCRED)


class Guarded(Adder):
    def check_credential(self, call: Call) -> AuthStatus:
        return AuthStatus.AUTH_TOOWEAK if call.credential.flavor == AuthFlavor.NONE else super().check_credential(call)

    @procedure(6, result=xdr.UINT)
    def tell_uid(self) -> int:
        return AuthSys.of(self.call.credential).uid


@each([servers.ThreadingTCPServer, servers.ThreadingUDPServer])
def test_a_handler_decides_which_credentials_are_enough(place: Place, kind: Any) -> None:
    client = place.connect(place.start(kind, Guarded))

    assert call(client, calling(6)) == Denied(7, RejectStatus.AUTH_ERROR, AuthStatus.AUTH_TOOWEAK)
    assert call(client, calling(6, credential=AuthSys(0, "host", 1000, 100).credential())) == sum_of(1000)


class Careless(Adder):
    def check_credential(self, call: Call) -> AuthStatus:
        return False  # type: ignore[return-value]  # which is equal to AUTH_OK


@each([servers.ThreadingTCPServer, servers.ThreadingUDPServer])
def test_a_decision_about_credentials_that_is_none_admits_no_caller(place: Place, kind: Any) -> None:
    server = place.start(kind, Careless)

    assert call(place.connect(server), calling(6)) == Accepted(7, AcceptStatus.SYSTEM_ERR)


@on(STREAMS)
def test_a_call_cut_anywhere_is_the_same_call(place: Place, kind: Any, handler: Any) -> None:
    record = mark_record(adding(1, 2).encode())
    client = place.connect(place.start(kind, handler))

    for at in range(1, len(record)):
        client.sendall(record[:at])
        client.sendall(record[at:])
        assert reply_from(client) == sum_of(3)


@on(STREAMS)
def test_fragments_and_several_calls_at_once_are_calls(place: Place, kind: Any, handler: Any) -> None:
    one = bytes(4) + mark_record(adding(1, xid=1).encode(), 5)
    two = mark_record(adding(2, xid=2).encode())
    client = place.connect(place.start(kind, handler))

    client.sendall(one + two + one)

    assert [reply_from(client) for _ in range(3)] == [sum_of(1, 1), sum_of(2, 2), sum_of(1, 1)]


def test_replies_are_sent_in_fragments_of_the_size_that_the_handler_class_says(place: Place) -> None:
    class InFragments(Adder):
        fragment_size = 10

    client = place.connect(place.start(servers.ThreadingTCPServer, InFragments))
    client.sendall(mark_record(adding(1).encode()))
    client.shutdown(socket.SHUT_WR)

    assert b"".join(iter(lambda: client.recv(100), b"")) == mark_record(sum_of(1).encode(), 10)


NO_CALL = [b"", b"abc", b"\0\0\0\7\0\0\0\2", sum_of(1).encode(), b"GET / HTTP/1.1\r\n\r\n"]


@pytest.mark.parametrize("message", NO_CALL)
@on([pair for pair in ONE_OF_EACH if pair[0].socket_type == socket.SOCK_STREAM])
def test_what_is_no_call_ends_the_connection_and_is_an_error(
    place: Place, kind: Any, handler: Any, message: bytes
) -> None:
    server = place.start(kind, handler)
    client = place.connect(server)

    client.sendall(mark_record(message))

    assert has_ended(client)
    assert place.notes.read() == "error DecodeError"
    assert call(place.connect(server), adding(1)) == sum_of(1)


@pytest.mark.parametrize("message", NO_CALL)
@on([pair for pair in ONE_OF_EACH if pair[0].socket_type == socket.SOCK_DGRAM])
def test_a_datagram_that_is_no_call_is_an_error_without_a_reply(
    place: Place, kind: Any, handler: Any, message: bytes
) -> None:
    client = place.connect(place.start(kind, handler))

    client.send(message)

    assert place.notes.read() == "error DecodeError"
    assert call(client, adding(1)) == sum_of(1)  # and nothing came before


@on(STREAMS)
def test_a_record_of_two_gigabytes_is_refused_as_soon_as_it_is_announced(place: Place, kind: Any, handler: Any) -> None:
    client = place.connect(place.start(kind, handler))

    client.sendall(b"\xff\xff\xff\xff")

    assert has_ended(client)
    assert place.notes.read() == "error RecordTooLong"


@on(STREAMS)
def test_fragments_without_a_byte_and_without_end_end_the_connection(place: Place, kind: Any, handler: Any) -> None:
    client = place.connect(place.start(kind, handler))

    client.sendall(bytes(4) * 1001)

    assert has_ended(client)
    assert place.notes.read() == "error DecodeError"


@each([kind for kind in [*STREAM, *DATAGRAM] if not issubclass(kind, servers.TrioMixIn)])
def test_an_async_procedure_is_refused_where_nothing_can_run_it(place: Place, kind: Any) -> None:
    with pytest.raises(UsageError, match="AsyncAdder is async"):
        kind(place.address(kind), AsyncAdder)


def test_a_subclass_overrides_a_method_and_keeps_its_number(place: Place) -> None:
    class Negative(Adder):
        version = 3

        def add(self, numbers: list[int]) -> Any:
            return -sum(numbers)

        @procedure(0, result=xdr.INT)
        def nothing(self) -> int:
            return 4

    client = place.connect(place.start(servers.ThreadingTCPServer, Negative))

    assert call(client, Call(7, PROGRAM, 3, 1, adding(1, 2).arguments)) == sum_of(-3)
    assert call(client, Call(7, PROGRAM, 3)) == sum_of(4)


def test_a_class_without_a_program_says_so_when_it_is_called(place: Place) -> None:
    client = place.connect(place.start(servers.ThreadingTCPServer, RPCRequestHandler))
    client.sendall(mark_record(adding(1).encode()))

    assert has_ended(client)
    assert place.notes.read() == "error UsageError"


def named(name: str) -> Any:
    def method(self: Any) -> None: ...

    method.__name__ = name
    return procedure(1)(method)


def declare(**attributes: Any) -> Any:
    return type("Declared", (RPCRequestHandler,), attributes)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: declare(program=-1), "program = -1: expected a number from 0 to 4294967295"),
        (lambda: declare(version="2"), "version = '2': expected a number"),
        (lambda: procedure(2**32), "number = 4294967296: expected a number"),
        (lambda: procedure(1, args=int), r"@procedure\(1, args=<class 'int'>\): expected an XDR type"),  # type: ignore[arg-type]
        (
            lambda: declare(one=procedure(1)(lambda self: None), two=procedure(1)(lambda self: None)),
            "are both procedure 1; number one of them otherwise",
        ),
        (
            lambda: declare(handle=named("handle")),
            "Declared: handlers have a handle of their own; rename the procedure",
        ),
        (lambda: declare(request=named("request")), "Declared: handlers have a request of their own"),
    ],
)
def test_a_class_that_cannot_be_is_refused_where_it_is_declared(make: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()
