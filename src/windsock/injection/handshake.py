"""Faults of the TLS handshake around a server: it stalls, is called off, is no TLS at all, or ends without a word."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from windsock.faults import Fault, TLSAlert, TLSPlaintext, TLSStall, TLSTruncate
from windsock.recording import Connection, Recorder
from windsock.recording.events import Kind
from windsock.security.client_hello import is_whole_record
from windsock.security.handshake_info import HandshakeFailed, HandshakeFailure, TLSHandshake
from windsock.taps.requests import connection_of
from windsock.taps.seam import Seam

if TYPE_CHECKING:
    from windsock.options.tls_options import Encryption

__all__ = ["Handshakes"]

ALERT_RECORD = b"\x15\x03\x03\x00\x02\x02%c"
LARGEST_READ = 65536

Talk: TypeAlias = Generator[bytes | None, bytes, None]
"""Yields bytes to send, or None to receive; the received bytes are sent into it, b"" at the end of the stream."""


class Handshakes:
    """Replaces the handshakes of one server instance."""

    def __init__(self, server: Any, seam: Seam, recorder: Recorder, encryption: Encryption, host: str) -> None:
        self._server = server
        self._recorder = recorder
        self._encryption = encryption
        self._host = host
        self._decided: dict[int, list[Fault]] = {}
        self._start_tls = seam.intercept("start_tls", self._begin)
        if getattr(server, "takes_async_handlers", False):
            self._secure_stream = server.secure_stream
            server.secure_stream = self._begin_async

    def decide(self, connection: Connection, faults: list[Fault]) -> None:
        """Note the faults of this connection's handshake; in the loop's thread."""
        if any(isinstance(each, TLSTruncate) for each in faults):
            self._recorder.expected.append(connection.index)  # clients may answer with an alert, which handlers read
        if faults:
            self._decided[connection.index] = faults

    def keep(self, indices: Collection[int]) -> None:
        """Forget what was decided for other connections: others may have their indices from now on."""
        self._decided = {index: faults for index, faults in self._decided.items() if index in indices}

    def _take(self, request: Any) -> list[Fault]:
        connection = connection_of(request)
        return [] if connection is None else self._decided.pop(connection.index, [])

    # --- what happens, in the request's own thread, process or turn

    def _begin(self, request: Any) -> Any:
        faults = self._take(request)
        spoiler = _spoiler(faults)
        if spoiler is not None and getattr(spoiler, "stage", "") != "finished":
            _converse(self._talk(spoiler), request)
            raise _failed(spoiler)
        secured = self._start_tls(request)
        if spoiler is not None:
            while secured.recv(LARGEST_READ):
                pass
            raise _failed(spoiler)
        for each in faults:
            if isinstance(each, TLSTruncate):
                secured.truncate(each.after_bytes, partial(_note, connection_of(request), each))
        return secured

    async def _begin_async(self, stream: Any, request: Any) -> Any:
        from windsock.security.trio.tls import truncate

        faults = self._take(request)
        spoiler = _spoiler(faults)
        if spoiler is not None and getattr(spoiler, "stage", "") != "finished":
            await _converse_async(self._talk(spoiler), stream)
            raise _failed(spoiler)
        secured = await self._secure_stream(stream, request)
        if spoiler is not None:
            while await secured.receive_some():
                pass
            raise _failed(spoiler)
        for each in faults:
            if isinstance(each, TLSTruncate):
                truncate(secured, each.after_bytes, partial(_note, connection_of(request), each))
        return secured

    def _talk(self, fault: Fault) -> Talk:
        """Act as a server with this fault, up to the end of the connection."""
        hello = b""
        while not is_whole_record(hello):
            more = yield None
            if not more:
                return
            hello += more
        if isinstance(fault, TLSPlaintext):
            yield fault.data
            return
        if getattr(fault, "stage", "") == "server_hello":
            yield self._answer(hello, is_plain_after=isinstance(fault, TLSAlert))
        if isinstance(fault, TLSAlert):
            yield ALERT_RECORD % fault.number
            return
        while (yield None):
            pass

    def _answer(self, hello: bytes, *, is_plain_after: bool) -> bytes:
        """Return the server's first messages; in TLS 1.2, if what follows is not encrypted."""
        from windsock.net.system import ssl

        context = self._server.ssl_context
        if is_plain_after:
            context = self._encryption.server_context(self._host)
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        incoming.write(hello)
        try:
            context.wrap_bio(incoming, outgoing, server_side=True).do_handshake()
        except ssl.SSLError:
            pass  # it wants more, or has refused the client: in both cases it has sent something
        return outgoing.read()


def _note(connection: Connection | None, fault: TLSTruncate) -> None:
    if connection is not None:
        connection.note(Kind.FAULT, fault.words.encode())


def _spoiler(faults: Iterable[Fault]) -> Fault | None:
    """Return what keeps the handshake from its end; the first of them has the say."""
    return next((each for each in faults if isinstance(each, TLSPlaintext | TLSStall | TLSAlert)), None)


def _failed(fault: Fault) -> HandshakeFailed:
    return HandshakeFailed(TLSHandshake(failure=HandshakeFailure.PROTOCOL, reason=f"on purpose: {fault!r}"))


def _converse(talk: Talk, request: Any) -> None:
    said = next(talk, b"")
    try:
        while True:
            if said is None:
                said = talk.send(request.recv(LARGEST_READ))
            else:
                request.sendall(said)
                said = next(talk)
    except StopIteration:
        pass


async def _converse_async(talk: Talk, stream: Any) -> None:
    said = next(talk, b"")
    try:
        while True:
            if said is None:
                said = talk.send(bytes(await stream.receive_some(LARGEST_READ)))
            else:
                await stream.send_all(said)
                said = next(talk)
    except StopIteration:
        pass
