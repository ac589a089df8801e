"""Plays one recorded conversation with a client on a stream: sends the replies, and checks the requests."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

from windsock.cassettes.conversations import Conversations, PlayedConversation
from windsock.cassettes.errors import UnmatchedTraffic
from windsock.cassettes.line import CassetteLine, What
from windsock.cassettes.misses import nearest
from windsock.cassettes.received_data import Differs, ReceivedData
from windsock.net import abort
from windsock.net.deadlines import milliseconds
from windsock.net.system import monotonic, select, socket
from windsock.recording import Connection, Framing

__all__ = ["StreamPlay"]

SIZE = 64 * 1024
"""The most bytes of one read."""


class ClientGone(Exception):
    """The client has ended the connection, or the server is stopping: there is nothing left to play."""


class StreamPlay:
    """One client, and the conversation that it gets; `pace` is the factor of recorded pauses, 0 for none."""

    def __init__(
        self, request: Any, connection: Connection, conversations: Conversations, framing: Framing | None, pace: float
    ) -> None:
        self._request = request
        self._connection = connection
        self._conversations = conversations
        self._pace = pace
        self._received = ReceivedData(framing, connection.index)
        self._has_ended = False

    def in_order(self) -> None:
        """Play the conversation that is next."""
        self._guarded(lambda: self._play(self._conversations.in_order(self._connection.index)))

    def by_first_message(self) -> None:
        """Play the conversation that begins as the client does."""
        self._guarded(self._play_found)

    def _guarded(self, play: Callable[[], None]) -> None:
        try:
            play()
        except (ClientGone, ConnectionError):
            return
        except OSError as error:
            if error.errno != errno.ENOTCONN:  # as after a reset
                raise

    def _play_found(self) -> None:
        greeting = self._conversations.greeting()
        for line in greeting:
            self._act(line)
        while (message := self._next_message()) is None:
            if not self._receive():
                return
        self._play(self._conversations.with_first(message, greeting))

    def _next_message(self) -> bytes | None:
        try:
            return self._received.message()
        except Differs as differs:
            raise UnmatchedTraffic(self._path, differs.received, None, None, differs.why) from None

    @property
    def _path(self) -> str:
        return self._conversations.cassette.path

    def _play(self, conversation: PlayedConversation) -> None:
        for at, line in self._conversations.lines(conversation):
            if line.what is What.REQUEST:
                self._expect(conversation, at, line)
            elif line.what in (What.CLIENT_EOF, What.CLIENT_RESET):
                self._expect_end(conversation)
            else:
                self._act(line)
        self._expect_end(conversation)

    # --- what the server did

    def _act(self, line: CassetteLine) -> None:
        if line.what is What.REPLY:
            self._wait(line)
            self._received.replied(line.message.data)
            self._request.sendall(line.message.data)
        elif line.what is What.SERVER_EOF:
            self._wait(line)
            self._request.shutdown(socket.SHUT_WR)
        elif line.what in (What.SERVER_RESET, What.REFUSED):
            self._wait(line)
            abort.reset(self._request)
            raise ClientGone

    def _wait(self, line: CassetteLine) -> None:
        """Let the recorded time pass, unless the connection ends."""
        seconds = line.after * self._pace
        if not seconds:
            return
        poll = select.poll()
        poll.register(abort.kernel_socket(self._request).fileno(), 0)  # ends alone are reported
        deadline = monotonic() + seconds
        self._connection.rest(deadline)
        try:
            while (left := deadline - monotonic()) > 0:
                if poll.poll(milliseconds(left)):
                    raise ClientGone
        finally:
            self._connection.rest(0.0)

    # --- what the client does

    def _receive(self) -> bool:
        """Take in what has come; return whether the stream goes on."""
        if not self._has_ended:
            data = self._request.recv(SIZE)
            self._received.feed(data)
            self._has_ended = not data
        return not self._has_ended

    def _expect(self, conversation: PlayedConversation, at: int, line: CassetteLine) -> None:
        expected = self._conversations.matching.expected(line.message)
        try:
            while not (len(self._received) and self._received.take(expected)):
                if not self._receive():
                    self._check_end()
        except Differs as differs:
            conversation.has_failed = True
            matching = self._conversations.matching
            miss = nearest(self._conversations.cassette, matching, differs.received, [(at, line)])
            raise UnmatchedTraffic(self._path, differs.received, conversation.number, miss, differs.why) from None

    def _check_end(self) -> None:
        """Raise Differs for a part of a message, ClientGone for none."""
        if rest := self._received.rest():
            raise Differs(rest, "the client's stream ended in the middle of it")
        raise ClientGone

    def _expect_end(self, conversation: PlayedConversation) -> None:
        """Wait until the client ends its stream. Raises UnmatchedTraffic if it sends anything before."""
        while not len(self._received):
            if not self._receive():
                return
        conversation.has_failed = True
        why = "nothing more was recorded there"
        raise UnmatchedTraffic(self._path, self._received.rest(), conversation.number, None, why)
