"""A fake server: takes what comes, and answers as told."""

from __future__ import annotations

import os
import select
import struct
import threading
from collections import deque
from typing import Any, Self

from windsock import addresses
from windsock.errors import PeerError, UsageError
from windsock.recording import Cutter, Framing, UntilEof, preview
from windsock.scripts import matching
from windsock.scripts.matching import Pattern

__all__ = ["Fake", "Rule", "UnexpectedMessage"]

CHUNK = 256 * 1024


class UnexpectedMessage(PeerError):
    """A client sent what a fake server was not told to answer. `message` is what it sent."""

    def __init__(self, message: bytes, expected: list[str]) -> None:
        self.message = message
        self.expected = expected
        wanted = "".join(f"\n  {each}" for each in expected) or "\n  (nothing any more)"
        super().__init__(f"received {preview(message)}, which matches none of what is answered:{wanted}")


class Rule:
    """Messages that match a pattern, and the reply to them."""

    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern
        self.answer: bytes | None = None

    def reply(self, data: bytes) -> Self:
        """Answer each such message with these bytes."""
        self.answer = _checked_reply(data)
        return self


class Turns:
    """Which of the queued replies is next; in one pipe for all processes, if there are several."""

    def __init__(self, *, across_processes: bool) -> None:
        self._local: deque[int] = deque()
        self._pipe = os.pipe() if across_processes else None
        if self._pipe is not None:
            os.set_blocking(self._pipe[0], False)
            os.set_blocking(self._pipe[1], False)

    def put(self, number: int) -> None:
        if self._pipe is None:
            self._local.append(number)
            return
        try:
            os.write(self._pipe[1], struct.pack("=I", number))
        except BlockingIOError:
            raise UsageError(f"reply(): {number} replies are queued; a forking server can queue no more") from None

    def take(self) -> int | None:
        if self._pipe is not None:
            try:
                return int(struct.unpack("=I", os.read(self._pipe[0], 4))[0])
            except BlockingIOError:
                return None
        try:
            return self._local.popleft()
        except IndexError:
            return None

    def are_left(self) -> bool:
        if self._pipe is not None:
            return bool(select.select([self._pipe[0]], [], [], 0)[0])
        return bool(self._local)

    def close(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe[0])
            os.close(self._pipe[1])
            self._pipe = None


class Fake:
    """Answers for a server without a handler; each instance is its server's RequestHandlerClass.

    Rules come first, in the order in which they were made, then the queued replies, then the echo. With
    none of them, everything is taken and nothing answered. A forked child knows what was told before its
    client connected.
    """

    def __init__(self, framing: Framing | None, *, forks: bool) -> None:
        self._framing = framing
        self._forks = forks
        self._rules: list[Rule] = []
        self._replies: list[bytes] = []
        self._turns: Turns | None = None
        self._every: bytes | None = None
        self._echoes = False
        self._lock = threading.Lock()

    # --- telling it what to answer

    def on(self, pattern: object) -> Rule:
        """Begin a rule: bytes, a compiled regular expression over bytes, or a predicate.

        With framing, bytes must equal a message (with or without its line end, delimiter or length prefix), and
        a regular expression must be found in it. Without, they must match what has arrived from its first byte.
        """
        rule = Rule(matching.checked(pattern))
        with self._lock:
            self._rules = [*self._rules, rule]
        return rule

    def reply(self, data: bytes, *, times: int | None = 1) -> None:
        """Answer the next message, whatever it is; `times` of them in a row, or every one with None."""
        data = _checked_reply(data)
        if times is None:
            self._every = data
            return
        if times < 1:
            raise UsageError(f"reply(times={times}): expected 1 or more, or None for every message")
        with self._lock:
            if self._turns is None:
                self._turns = Turns(across_processes=self._forks)
            for _ in range(times):
                self._replies.append(data)
                self._turns.put(len(self._replies) - 1)

    def echo(self) -> None:
        """Answer every message with itself."""
        self._echoes = True

    def close(self) -> None:
        """Give descriptors back."""
        with self._lock:
            turns, self._turns = self._turns, None
        if turns is not None:
            turns.close()

    # --- answering

    def __call__(self, request: Any, client_address: Any, server: Any) -> None:  # noqa: ARG002  # as a handler class
        """Handle one request, as a handler class's constructor does."""
        if isinstance(request, tuple):
            self._handle_datagram(request, addresses.plain(client_address))
        else:
            self._handle_stream(request)

    def _handle_datagram(self, request: tuple[bytes, Any], client_address: Any) -> None:
        message, server_socket = request
        answer = self._answer(message)
        if answer is not None and client_address is not None:
            server_socket.sendto(answer, client_address)

    def _handle_stream(self, request: Any) -> None:
        if self._framing is None:
            self._handle_bytes(request)
            return
        cutter = Cutter(self._framing)
        while data := request.recv(CHUNK):
            cutter.feed(data)
            while (message := cutter.cut()) is not None:
                mark_exchange(request)
                send(request, self._answer(message))
        if len(cutter) and isinstance(self._framing, UntilEof):
            mark_exchange(request)
            send(request, self._answer(cutter.rest()))

    def _handle_bytes(self, request: Any) -> None:
        """Without framing: a rule matches from the first byte; with none, what one call took is a message."""
        arrived = b""
        is_over = False
        while not is_over:
            data = request.recv(CHUNK)
            is_over = not data
            arrived += data
            while arrived:
                size, rule = self._first_message(arrived)
                if not size:
                    break
                message, arrived = arrived[:size], arrived[size:]
                mark_exchange(request)
                send(request, rule.answer if rule is not None else self._answer(message))
        if arrived:
            raise UnexpectedMessage(arrived, self._expected())

    def _first_message(self, arrived: bytes) -> tuple[int, Rule | None]:
        """Return the size of the first message to answer, 0 if more has to come; and its rule, if known."""
        for rule in self._rules:
            if size := matching.match_start(rule.pattern, arrived):
                return size, rule
        if self._rules and self._has_nothing_else() and self._could_match(arrived):
            return 0, None
        return len(arrived), None

    def _answer(self, message: bytes) -> bytes | None:
        """Return the reply to a message; None if there is to be none."""
        for rule in self._rules:
            if matching.match_message(rule.pattern, message, self._framing):
                return rule.answer
        number = self._turns.take() if self._turns is not None else None
        if number is not None and number < len(self._replies):
            return self._replies[number]
        if self._every is not None:
            return self._every
        if self._echoes:
            return message
        if self._rules or self._replies:
            raise UnexpectedMessage(message, self._expected())
        return None

    def _has_nothing_else(self) -> bool:
        return not (self._turns and self._turns.are_left()) and self._every is None and not self._echoes

    def _could_match(self, arrived: bytes) -> bool:
        return any(matching.could_match(rule.pattern, arrived) for rule in self._rules)

    def _expected(self) -> list[str]:
        return [f"on({matching.describe(rule.pattern)})" for rule in self._rules]


def mark_exchange(request: Any) -> None:
    """Tell the recording that the next message's turn has come."""
    if hasattr(request, "mark_exchange"):
        request.mark_exchange()


def send(request: Any, answer: bytes | None) -> None:
    """Send an answer if there is one."""
    if answer:
        request.sendall(answer)


def _checked_reply(data: object) -> bytes:
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    raise UsageError(f"reply({data!r}): expected bytes; encode text first")
