"""One connection of a fake without a script of its own: cuts messages out of the data, and answers them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from windsock.fakes.replies import Answer
from windsock.fakes.script_run import perform
from windsock.fakes.server_endpoint import ServerStopped, ServerStream, StopEvent
from windsock.net.ancillary import receive_without
from windsock.net.sockets import is_unix_stream
from windsock.net.system import monotonic
from windsock.recording import AsItArrives, Cutter, Framing, MessageTooLong, UntilEof
from windsock.recording.events import Kind
from windsock.recording.protocol_messages import OtherDirection, replies_cutter
from windsock.scripts import Script
from windsock.scripts.conversation import Conversation
from windsock.scripts.steps import Send
from windsock.taps.requests import connection_of

if TYPE_CHECKING:
    from windsock.protocols.protocol import Protocol as MessageProtocol

__all__ = ["StreamSession", "mark_exchange"]

CHUNK = 256 * 1024


class Answering(Protocol):
    """What a session asks for replies: see Responder."""

    protocol: MessageProtocol | None

    def answer(self, message: bytes, connection: int) -> Answer | None:
        """Return the reply to a whole message."""
        ...

    def answer_start(self, arrived: bytes, connection: int, *, is_all: bool = False) -> tuple[int, Answer | None]:
        """Return the size of the first message, and the reply."""
        ...


class StreamSession:
    """One stream connection of a fake, answered by its rules and replies.

    Subclasses may override `_receive`, `_plan`, `_answered` and `_finish`.
    """

    def __init__(
        self,
        responder: Answering,
        request: Any,
        server: Any,
        connection: int,
        framing: Framing | None,
        stop_event: Callable[[], StopEvent],
        timeout: Callable[[], float],
    ) -> None:
        self._responder = responder
        self._request = request
        self._server = server
        self._connection = connection
        self._conversation = Conversation(request, index=connection, protocol=responder.protocol)
        self._framing = framing
        self._stop_event = stop_event
        self._timeout = timeout
        self._end: ServerStream | None = None
        self._replies: OtherDirection | None = None
        """The replies, if the client's messages depend on them."""
        self._is_unix = is_unix_stream(request)
        self._is_over = False
        self._has_interim = False
        """Whether something was sent in reply to the beginning of the message that has begun."""
        self._is_mute = False
        """Whether nothing can be sent any more."""

    def run(self, greeting: Answer | None) -> None:
        """Send the greeting, then answer until the client's end, or until a reply ends the connection."""
        try:
            arrived = b"" if greeting is None else self._greet(greeting)
            if self._framing is None or isinstance(self._framing, AsItArrives):
                self._handle_bytes(arrived)
            else:
                self._handle_messages(self._framing, arrived)
            self._finish()
        except ServerStopped:
            connection = connection_of(self._request)
            if connection is not None:
                connection.note(Kind.NOTE, b"the server was stopped before all of the reply was sent")

    def _greet(self, greeting: Answer) -> bytes:
        """Send the greeting; return the data that came meanwhile."""
        plan = self._plan(greeting, b"")
        if isinstance(plan, Script):
            return self._perform(plan, b"")
        self._send(plan)
        return b""

    def _handle_messages(self, framing: Framing, arrived: bytes) -> None:
        cutter = Cutter(framing, self._connection)
        self._replies = replies_cutter(cutter.framing)
        while data := arrived or self._receive():
            arrived = b""
            cutter.feed(data)
            while not self._is_over and (message := cutter.cut()) is not None:
                self._has_interim = False
                self._answer_message(message, cutter)
            if len(cutter) and not self._has_interim and self._responder.protocol is not None:
                self._send(interim := self._responder.protocol.interim_reply(cutter.beginning))
                self._has_interim = bool(interim)
        if len(cutter) and isinstance(framing, UntilEof):
            self._answer_message(cutter.rest(), cutter)

    def _answer_message(self, message: bytes, cutter: Cutter) -> None:
        mark_exchange(self._request)
        plan = self._plan(self._responder.answer(message, self._connection), message)
        if isinstance(plan, Script):
            cutter.feed(self._perform(plan, cutter.rest()))
        else:
            self._send(plan)
        self._answered()

    def _handle_bytes(self, arrived: bytes) -> None:
        """Answer without framing: rules match bytes, however they were cut; other data is a message as it arrives."""
        arrived = self._answer_start(arrived)
        while data := self._receive():
            arrived = self._answer_start(arrived + data)
            if isinstance(self._framing, AsItArrives) and len(arrived) > self._framing.limit:
                raise MessageTooLong(self._framing, self._framing.limit, None, arrived)
        self._answer_start(arrived, is_all=True)

    def _answer_start(self, arrived: bytes, *, is_all: bool = False) -> bytes:
        """Answer the complete messages; return the rest."""
        while arrived and not self._is_over:
            size, answer = self._responder.answer_start(arrived, self._connection, is_all=is_all)
            if not size:
                return arrived
            message, arrived = arrived[:size], arrived[size:]
            mark_exchange(self._request)
            plan = self._plan(answer, message)
            if isinstance(plan, Script):
                arrived = self._perform(plan, arrived)
            else:
                self._send(plan)
            self._answered()
        return arrived

    def _answered(self) -> None:
        """Do what comes after each message. May be overridden."""

    def _finish(self) -> None:
        """Do what remains when nothing more comes. May be overridden."""

    # --- receiving and sending

    def _receive(self) -> bytes:
        if self._is_over:
            return b""
        if self._end is not None and self._end.inbox.datagrams:  # records that came while a script was played
            return self._end.inbox.take(0)
        if self._end is not None and self._end.inbox.has_ended:
            return b""
        if self._is_unix:
            return receive_without(self._request, CHUNK)
        data: bytes = self._request.recv(CHUNK)
        return data

    def _plan(self, answer: Answer | None, message: bytes) -> bytes | Script | None:
        return None if answer is None else answer.plan(message, self._conversation)

    def _send(self, data: bytes | None) -> None:
        if data and not self._is_mute:
            if self._replies is not None:
                self._replies.feed_all(data)
            self._request.sendall(data)

    def _endpoint(self) -> ServerStream:
        if self._end is None:
            self._end = ServerStream(self._request, self._server, self._stop_event())
            self._end.inbox.conversation = self._conversation
        return self._end

    def _perform(self, script: Script, rest: bytes) -> bytes:
        """Play a script in reply to a message; return the data that came meanwhile and that it did not take.

        Records stay in the inbox.
        """
        if self._is_mute:
            return rest
        end = self._endpoint()
        if rest:
            end.inbox.receive(rest, monotonic())
        if self._replies is not None:
            self._replies.feed_all(
                b"".join(each.data for each in script if isinstance(each, Send) and isinstance(each.data, bytes))
            )
        perform(script, end, self._timeout())
        self._request = end.sock
        self._is_unix = is_unix_stream(end.sock)
        self._is_over = end.is_closed
        self._is_mute = end.has_half_closed or end.inbox.was_reset
        if not self._is_over:
            self._request.settimeout(None)
        return end.inbox.take(len(end.inbox.unread)) if end.inbox and not end.inbox.has_units else b""


def mark_exchange(request: Any, *number: int) -> None:
    """Record that the next message is being processed; with a number, from 1, that what follows is for that message."""
    if hasattr(request, "mark_exchange"):
        request.mark_exchange(*number)
