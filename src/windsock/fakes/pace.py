"""What a fake does beside its rules on each connection: order of replies, idle timeout, limit of messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from windsock.errors import UsageError
from windsock.fakes.pending_replies import NO_KEY
from windsock.fakes.replies import ENDS, Answer, HowToEnd, made_answer
from windsock.recording import preview
from windsock.redaction import masked
from windsock.scripts.checks import check_count, check_seconds
from windsock.scripts.repr import code_of

__all__ = ["Idle", "Key", "Limit", "Pace", "Pacing", "Unordered"]

Key: TypeAlias = Callable[[bytes], object]
"""A function of a message; replies to messages for which it returns equal values stay in order."""


@dataclass(frozen=True, slots=True)
class Idle:
    """End a connection on which no message has come for `seconds`, with this answer."""

    seconds: float
    answer: Answer


@dataclass(frozen=True, slots=True)
class Limit:
    """End a connection after `messages`; with a reply, when one more comes, which `answer` is for."""

    messages: int
    answer: Answer
    has_reply: bool


@dataclass(frozen=True, slots=True)
class Unordered:
    """Delayed replies do not hold up later ones, except those to messages with the same key."""

    key: Key | None = None

    def __str__(self) -> str:
        return f"unordered(key={code_of(self.key)})"

    def key_of(self, message: bytes) -> object:
        """Return the key of a message. Raises UsageError for one that has no hash."""
        if self.key is None:
            return NO_KEY
        try:
            found = self.key(message)
        except Exception as error:
            error.add_note(f"raised by the function of {self}, for {preview(masked(message))}")
            raise
        try:
            hash(found)
        except TypeError:
            raise UsageError(f"{self}: the function returned {found!r}, which has no hash") from None
        return found


@dataclass(frozen=True, slots=True)
class Pace:
    """What a fake does on each connection that plays no script; None: nothing of the kind."""

    idle: Idle | None = None
    limit: Limit | None = None
    unordered: Unordered | None = None


class Pacing:
    """What a fake was told to do beside its rules; `pace` is for connections from now on, None if it is nothing."""

    def __init__(self, *, is_datagram: bool) -> None:
        self.pace: Pace | None = None
        self._is_datagram = is_datagram

    def idle(self, seconds: Any, *, end: HowToEnd, reply: bytes | None) -> None:
        """Set the idle timeout. Raises UsageError for invalid values, and for datagrams."""
        self._check_is_stream("idle")
        check_seconds(f"idle({seconds!r})", seconds)
        self._set(idle=Idle(seconds, _last_answer("idle", end, reply)))

    def limit(self, messages: Any, *, end: HowToEnd, reply: bytes | None) -> None:
        """Set the limit of messages. Raises UsageError for invalid values, and for datagrams."""
        self._check_is_stream("limit")
        check_count(f"limit(messages={messages!r})", messages)
        self._set(limit=Limit(messages, _last_answer("limit", end, reply), reply is not None))

    def unordered(self, key: Any) -> None:
        """Let replies overtake delayed ones. Raises UsageError for a wrong key function, and for any of datagrams."""
        if key is not None and self._is_datagram:
            raise UsageError(f"unordered(key={key!r}): that is for streams; datagrams keep no order, leave key= out")
        if key is not None and not callable(key):
            raise UsageError(f"unordered(key={key!r}): expected a function of a message, such as lambda data: data[:4]")
        if not self._is_datagram:
            self._set(unordered=Unordered(key))

    def _check_is_stream(self, method: str) -> None:
        if self._is_datagram:
            raise UsageError(f"{method}(): that is for streams; a datagram has no connection to end")

    def _set(self, **changes: Any) -> None:
        self.pace = replace(self.pace or Pace(), **changes)


def _last_answer(method: str, end: Any, reply: Any) -> Answer:
    if end not in ENDS:
        raise UsageError(f"{method}(end={end!r}): expected 'half_close', 'close' or 'reset'")
    if reply is not None and not isinstance(reply, bytes | bytearray | memoryview):
        raise UsageError(f"{method}(reply={reply!r}): expected the bytes to send before the end")
    return made_answer(method, bytes(reply or b""), {"end": end})
