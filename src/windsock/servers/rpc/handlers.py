"""The request handler of Sun RPC: one class for streams and for datagrams."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import inspect
import sys
from collections.abc import Awaitable, Iterator, Mapping
from typing import Any, ClassVar

from windsock.errors import UsageError
from windsock.protocols import xdr
from windsock.protocols.record_marking import RECORD_LIMIT, RecordReader, mark_record
from windsock.protocols.rpc import check_numbers
from windsock.protocols.rpc_messages import (
    Accepted,
    AcceptStatus,
    AuthFlavor,
    AuthStatus,
    AuthSys,
    Call,
    Denied,
    MalformedCall,
    RejectStatus,
    Reply,
    decode_message,
)
from windsock.protocols.rpc_words import called
from windsock.protocols.xdr import DecodeError
from windsock.servers.handlers import BaseRequestHandler
from windsock.servers.requests import report_failure
from windsock.servers.rpc.procedures import Procedure, procedures_of

__all__ = ["RPCRequestHandler"]

PIECE = 65536
"""The bytes that are read from a stream at a time."""
GONE = (ConnectionRefusedError, ConnectionResetError, FileNotFoundError)
"""What sending a datagram raises if its receiver is gone."""
NULL = Procedure(0, xdr.VOID, xdr.VOID, "null")


class RPCRequestHandler(BaseRequestHandler):
    """Answers the calls of one program in one version: its methods with `@procedure(number)` are the procedures.

        class Adder(RPCRequestHandler):
            program = 0x20000001
            version = 1

            @procedure(1, args=xdr.Array(xdr.INT, 100), result=xdr.INT)
            def add(self, numbers):
                return sum(numbers)

    The same class answers all calls of a connection, and the one of a datagram. Attributes, beside those of every
    handler: `call` is the call being answered. A class with an async procedure is for trio servers.

    The client gets SYSTEM_ERR if a procedure raises an exception, which is also reported to the server as any
    handler's; the connection stays open after an `Exception`, and ends after others, such as that of `pytest.fail()`.
    A reply that is too long for a datagram is SYSTEM_ERR and a UsageError. Arguments that can't be decoded are
    GARBAGE_ARGS. Instead of a result a procedure may return a whole reply: `Accepted` or `Denied`, whose xid is set to
    the call's. Procedure 0, which does nothing, is there by itself. What is no call ends the request with DecodeError.

    Class attributes: `record_limit` is the most bytes of a call on a stream, `fragment_size` the most bytes of a
    fragment of a reply. `max_packet_size` is the most bytes of a datagram, on a server of the harness whose class has
    no limit of its own; None is all that UDP can carry, and 1 MiB over Unix sockets.
    """

    windsock_framing: ClassVar[str] = "rpc"
    """How `serving()` and the fixtures of windsock record it, unless they are told otherwise."""
    program: int
    version: int
    record_limit: int = RECORD_LIMIT
    fragment_size: int = 0x7FFFFFFF
    max_packet_size: int | None = None
    procedures: ClassVar[Mapping[int, Procedure]] = {0: NULL}
    call: Call

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_numbers(**{name: getattr(cls, name) for name in ("program", "version") if hasattr(cls, name)})
        cls.procedures = {0: NULL} | procedures_of(cls)
        methods = [getattr(cls, each.method) for each in cls.procedures.values()]
        if any(map(inspect.iscoroutinefunction, methods)) and cls.handle is RPCRequestHandler.handle:
            cls.handle = cls.handle_in_task  # type: ignore[method-assign]  # which makes the class an async handler

    def setup(self) -> Awaitable[None] | None:
        """Check that the class has a program and a version. May be extended (call super)."""
        if not (hasattr(self, "program") and hasattr(self, "version")):
            raise UsageError(f"{type(self).__name__}: set program and version, the numbers that its clients call")
        return None

    # --- hooks

    def check_credential(self, call: Call) -> AuthStatus:
        """Return AUTH_OK, or why the call is denied. May be overridden, or extended (call super).

        The default takes AUTH_NONE, and AUTH_SYS if it can be decoded; other flavors are AUTH_REJECTEDCRED.
        """
        if call.credential.flavor == AuthFlavor.NONE:
            return AuthStatus.AUTH_OK
        if call.credential.flavor != AuthFlavor.SYS:
            return AuthStatus.AUTH_REJECTEDCRED
        try:
            AuthSys.of(call.credential)
        except DecodeError:
            return AuthStatus.AUTH_BADCRED
        return AuthStatus.AUTH_OK

    def null(self) -> None:
        """Procedure 0: do nothing. May be overridden."""

    # --- reading and writing

    def handle(self) -> Awaitable[None] | None:
        """Answer the calls of a connection until its end, or the one of a datagram. Do not override."""
        if isinstance(self.request, tuple):
            self._handle_datagram(*self.request)
            return None
        reader = RecordReader(self.record_limit)
        while data := self.request.recv(PIECE):
            reader.feed(data)
            while (record := reader.next_record()) is not None:
                reply, failure = self._answered(record)
                with _raised_after(self._reported(failure)):
                    self.request.sendall(mark_record(reply, self.fragment_size))
        return None

    def _handle_datagram(self, data: bytes, socket: Any) -> None:
        reply, failure = self._answered(data)
        with _raised_after(failure):
            self._keep(reply)
            if self.client_address is None:
                return
            try:
                with contextlib.suppress(*GONE):
                    socket.sendto(reply, self.client_address)
            except OSError as error:
                too_long, shorter = self._too_long(error, reply)
                with _raised_after(too_long), contextlib.suppress(*GONE):
                    socket.sendto(shorter, self.client_address)

    async def handle_in_task(self) -> None:
        """The same as `handle()`, in a task of trio. Do not override."""
        if isinstance(self.request, tuple):
            await self._handle_datagram_in_task()
            return
        reader = RecordReader(self.record_limit)
        while data := await self.stream.receive_some(PIECE):
            reader.feed(data)
            while (record := reader.next_record()) is not None:
                reply, failure = await self._answered_in_task(record)
                with _raised_after(self._reported(failure)):
                    await self.stream.send_all(mark_record(reply, self.fragment_size))

    async def _handle_datagram_in_task(self) -> None:
        reply, failure = await self._answered_in_task(self.packet)
        with _raised_after(failure):
            self._keep(reply)
            try:
                await self.reply(reply)
            except OSError as error:
                too_long, shorter = self._too_long(error, reply)
                with _raised_after(too_long):
                    await self.reply(shorter)

    def _reported(self, failure: BaseException | None) -> BaseException | None:
        """Report an exception, before its reply: the client that has the reply can see the error.

        Return one that ends the connection instead.
        """
        try:
            if failure is not None:
                raise failure  # noqa: TRY301  # the hooks use sys.exception()
        except Exception:
            report_failure(self.server, self.request, self.client_address)
        except BaseException as error:
            return error
        return None

    def _too_long(self, error: OSError, reply: bytes) -> tuple[UsageError, bytes]:
        """Return the error for a reply that no datagram carries, and the reply to send instead. Raises other errors."""
        if error.errno != errno.EMSGSIZE:
            raise error
        shorter = self._system_error()
        self._keep(shorter)
        procedure = self.procedures[self.call.procedure]
        what = called(self.call.program, self.call.version, procedure.number, procedure.method)
        return UsageError(
            f"the reply to call {self.call.xid} {what} has {len(reply)} bytes, too many for one datagram here: "
            "return less, or serve it over a stream (transport='tcp')"
        ), shorter

    def _keep(self, reply: bytes) -> None:
        """Have the server keep the reply to a datagram, if it does that."""
        keep = getattr(self.server, "keep_reply", None)
        if keep is not None and "call" in vars(self):
            keep(self.call, self.client_address, reply)

    # --- one call

    def _answered(self, data: bytes) -> tuple[bytes, BaseException | None]:
        """Return the reply to a message, and the exception of the procedure. Raises DecodeError for what is no call."""
        found = self._begun(data)
        if isinstance(found, BaseException):
            return self._system_error_for(found), found
        if not isinstance(found, tuple):
            return found.encode(), None
        try:
            return self._encoded(found[0], getattr(self, found[0].method)(*found[1])), None
        except BaseException as error:  # pytest.fail() raises one that is no Exception
            return self._system_error_for(error), error

    async def _answered_in_task(self, data: bytes) -> tuple[bytes, BaseException | None]:
        found = self._begun(data)
        if isinstance(found, BaseException):
            return self._system_error_for(found), found
        if not isinstance(found, tuple):
            return found.encode(), None
        try:
            result = getattr(self, found[0].method)(*found[1])
            return self._encoded(found[0], await result if inspect.isawaitable(result) else result), None
        except BaseException as error:  # pytest.fail() raises one that is no Exception
            return self._system_error_for(error), error

    def _begun(self, data: bytes) -> Reply | BaseException | tuple[Procedure, tuple[Any, ...]]:
        """Return the procedure that a message calls, with its arguments, or the reply if it is not called.

        An exception is what `check_credential()` has raised.
        """
        try:
            call = decode_message(data)
        except MalformedCall as error:
            return error.reply
        if not isinstance(call, Call):
            raise DecodeError("a reply, where a call was expected", offset=4, type="msg_type", value=1)
        self.call = call
        try:
            refusal = self._refusal(call)
        except BaseException as error:
            return error
        if refusal is not None:
            return refusal
        called = self.procedures[call.procedure]
        try:
            return called, called.arguments(call.arguments)
        except DecodeError:
            return Accepted(call.xid, AcceptStatus.GARBAGE_ARGS)

    def _refusal(self, call: Call) -> Reply | None:
        """Return the reply to a call of what there is not, or by one who may not."""
        status = self.check_credential(call)
        if not isinstance(status, AuthStatus):
            raise UsageError(f"{type(self).__name__}.check_credential() returned {status!r}: expected an AuthStatus")
        if status != AuthStatus.AUTH_OK:
            return Denied(call.xid, RejectStatus.AUTH_ERROR, status)
        if call.program != self.program:
            return Accepted(call.xid, AcceptStatus.PROG_UNAVAIL)
        if call.version != self.version:
            return Accepted(call.xid, AcceptStatus.PROG_MISMATCH, low=self.version, high=self.version)
        return None if call.procedure in self.procedures else Accepted(call.xid, AcceptStatus.PROC_UNAVAIL)

    def _encoded(self, called: Procedure, result: Any) -> bytes:
        if isinstance(result, Accepted | Denied):
            return dataclasses.replace(result, xid=self.call.xid).encode()
        return Accepted(self.call.xid, result=called.result.encode(result)).encode()

    def _system_error_for(self, error: BaseException) -> bytes:
        """Return the reply of a procedure that has failed. Raises the exception if it cancels the request."""
        if _is_cancellation(error):
            raise error
        return self._system_error()

    def _system_error(self) -> bytes:
        return Accepted(self.call.xid, AcceptStatus.SYSTEM_ERR).encode()


@contextlib.contextmanager
def _raised_after(failure: BaseException | None) -> Iterator[None]:
    """Raise an exception, if there is one, once its reply was sent or could not be."""
    try:
        yield
    finally:
        if failure is not None:
            raise failure


def _is_cancellation(error: BaseException) -> bool:
    """Return whether an exception is one with which a selecting server or trio ends a request."""
    if isinstance(error, BaseExceptionGroup):
        return any(map(_is_cancellation, error.exceptions))
    known = (("greenlet", "GreenletExit"), ("trio", "Cancelled"))
    return any(isinstance(error, getattr(sys.modules[module], name)) for module, name in known if module in sys.modules)
