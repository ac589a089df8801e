"""Sun RPC for tests: a program that adds, and calls of it over any socket."""

from __future__ import annotations

import socket
from typing import Any

from windsock.protocols import xdr
from windsock.protocols.record_marking import RecordReader, mark_record
from windsock.protocols.rpc_messages import Accepted, AcceptStatus, Auth, Call, Denied, Reply, decode_message
from windsock.servers.rpc import RPCRequestHandler, procedure

PROGRAM = 0x20000001
VERSION = 2
NUMBERS = xdr.Array(xdr.INT, 100)


class Adder(RPCRequestHandler):
    """Adds, fails, and answers otherwise."""

    program = PROGRAM
    version = VERSION

    @procedure(1, args=NUMBERS, result=xdr.INT)
    def add(self, numbers: list[int]) -> Any:
        return sum(numbers)

    @procedure(2)
    def fail(self) -> Any:
        raise ZeroDivisionError("the adder failed")

    @procedure(3, result=xdr.INT)
    def return_text(self) -> Any:
        return "text"

    @procedure(4, args=xdr.OPAQUE, result=xdr.OPAQUE)
    def echo(self, data: bytes) -> bytes:
        return data

    @procedure(5)
    def refuse(self) -> Any:
        return Accepted(0, AcceptStatus.PROC_UNAVAIL)


class AsyncAdder(Adder):
    """The same, in a task of trio."""

    @procedure(1, args=NUMBERS, result=xdr.INT)
    async def add(self, numbers: list[int]) -> Any:
        return sum(numbers)

    @procedure(2)
    async def fail(self) -> None:
        raise ZeroDivisionError("the adder failed")


def adding(*numbers: int, xid: int = 7, **fields: Any) -> Call:
    """Return a call of `add`."""
    return Call(xid, PROGRAM, VERSION, 1, NUMBERS.encode(list(numbers)), **fields)


def calling(procedure: int, arguments: bytes = b"", *, xid: int = 7, **fields: Any) -> Call:
    """Return a call of any procedure."""
    return Call(xid, PROGRAM, VERSION, procedure, arguments, **fields)


def sum_of(number: int, xid: int = 7) -> Accepted:
    """Return the reply to `add`."""
    return Accepted(xid, result=xdr.INT.encode(number))


def call(client: socket.socket, call: Call) -> Reply:
    """Send a call, and return the reply to it."""
    return exchange(client, call.encode())


def exchange(client: socket.socket, message: bytes) -> Reply:
    """Send a message, as a record on a stream, and return the reply to it."""
    is_datagram = client.type == socket.SOCK_DGRAM
    client.sendall(message if is_datagram else mark_record(message))
    return reply_from(client)


def reply_from(client: socket.socket) -> Reply:
    """Return the next reply."""
    if client.type == socket.SOCK_DGRAM:
        return as_reply(client.recv(65536))
    reader = RecordReader()
    while (record := reader.next_record()) is None:
        data = client.recv(1)  # not a byte of what comes after it
        assert data, "the stream ended where a reply was expected"
        reader.feed(data)
    return as_reply(record)


def as_reply(data: bytes) -> Reply:
    message = decode_message(data)
    assert isinstance(message, Accepted | Denied)
    return message


SEVENTEEN_GROUPS = Auth(1, bytes(16) + (17).to_bytes(4, "big") + bytes(68))
"""A credential of AUTH_SYS with more groups than there may be."""
