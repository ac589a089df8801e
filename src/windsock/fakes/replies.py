"""Replies of a fake: bytes, sent whole, in pieces or truncated; the result of a function; a script."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal, SupportsBytes, TypeAlias, TypedDict

from windsock.errors import UsageError
from windsock.fakes.sources import Source, checked_source
from windsock.protocols.values import MessageAnswer, as_bytes, message_in
from windsock.recording import preview
from windsock.redaction import masked
from windsock.scripts import Script
from windsock.scripts.checks import check_keywords, check_seconds
from windsock.scripts.repr import code_of

__all__ = [
    "UNSAID",
    "Answer",
    "Answers",
    "Delivery",
    "HowToEnd",
    "Reply",
    "checked_script",
    "checked_times",
    "made_answer",
]

HowToEnd: TypeAlias = Literal["half_close", "close", "reset"]
Reply: TypeAlias = bytes | Callable[[bytes], "bytes | SupportsBytes | None"] | Script
UNSAID: Any = type("Unsaid", (), {"__repr__": lambda _: "UNSAID", "__slots__": ()})()
"""The value of a keyword that was not passed, where None has a meaning."""
ENDS = ("half_close", "close", "reset")


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply, and how it is sent.

    `delay` and `every` are seconds, `pieces` their number or their sizes, `truncate` the number of bytes to send, `end`
    what happens to the connection afterwards, `then` the state that it leads to, `source` where a datagram comes from.
    """

    what: Reply
    delay: float = 0.0
    pieces: int | tuple[int, ...] | None = None
    every: float = 0.0
    truncate: int | None = None
    end: HowToEnd | None = None
    then: str | None = None
    source: Any = None
    value: object = field(default=None, compare=False)
    """The message of a protocol that it was made from, if any."""

    @property
    def is_plain(self) -> bool:
        """True if the reply is sent whole and at once."""
        return not (self.delay or self.every or self.end) and self.pieces is None

    def plan(self, message: bytes) -> bytes | Script | None:
        """Return the bytes to send, or the script to play, in reply to a message; None for nothing."""
        if isinstance(self.what, Script):
            return self.what
        if isinstance(self.what, bytes):
            return self._given(self.what)
        data = self.what(message)
        return None if data is None else self._given(_checked_result(data))

    def check(self, method: str, *, is_datagram: bool) -> None:
        """Raise UsageError if such a server cannot send the reply."""
        if self.end is not None and is_datagram:
            raise UsageError(f"{method}(end={self.end!r}): that is for streams; a datagram has no connection to end")
        if self.source is not None and not is_datagram:
            raise UsageError(f"{method}(source={self.source!r}): that is for datagrams; a stream has one address")
        if isinstance(self.what, Script):
            if is_datagram:
                raise UsageError(
                    f"{method}({self.what!r}): a rule of a datagram server can't play a script; "
                    "use server.play(script), whose first step expects the datagram"
                )
            self.what.check(is_datagram=False)
        elif isinstance(self.what, bytes):
            if self.truncate is not None and self.truncate >= len(self.what):
                raise UsageError(
                    f"{method}(truncate={self.truncate!r}): the reply has {len(self.what)} bytes; expected a smaller "
                    "number of bytes to send"
                )
            plan = self._given(self.what)
            if isinstance(plan, Script):
                plan.check(is_datagram=is_datagram)

    def code(self, method: str, times: int | None) -> str:
        """Return the call that creates the reply."""
        shown = preview(masked(self.what)) if isinstance(self.what, bytes) else code_of(self.what)
        words = [shown if self.value is None else repr(self.value)]
        for each in fields(self)[1:-1]:
            value = getattr(self, each.name)
            if value != each.default:
                words.append(f"{each.name}={value!r}")
        if times is not None:
            words.append(f"times={times}")
        return f"{method}({', '.join(words)})"

    def _given(self, data: bytes) -> bytes | Script:
        """Return the bytes, or a script that sends them as the options say."""
        if self.truncate is not None:
            data = data[: self.truncate]
        if self.is_plain:
            return data
        script = Script()
        if self.delay:
            script = script.pause(self.delay)
        if data:
            script = script.send(data, pieces=self.pieces, every=self.every)
        if self.end == "half_close":
            script = script.half_close()
        elif self.end == "close":
            script = script.close()
        elif self.end == "reset":
            script = script.reset(flush=True)
        return script


class Answers:
    """Several replies, in turn: each `times` times (None: once, and the last one always)."""

    def __init__(self) -> None:
        self._all: tuple[tuple[Answer, int | None], ...] = ()

    def __bool__(self) -> bool:
        return bool(self._all)

    def add(self, answer: Answer, times: int | None) -> None:
        """Append a reply."""
        self._all = (*self._all, (answer, times))

    @property
    def needed(self) -> int:
        """The number of messages needed so that each reply is sent as often as it should be."""
        return sum(times or 1 for _, times in self._all) or 1

    @property
    def limit(self) -> int | None:
        """The number of replies that can be sent; None: no limit."""
        return None if not self._all or self._all[-1][1] is None else self.needed

    @property
    def states(self) -> tuple[str, ...]:
        """The states that the replies lead to."""
        return tuple(dict.fromkeys(answer.then for answer, _ in self._all if answer.then is not None))

    def number(self, turn: int) -> Answer | None:
        """Return the reply for the given turn, from 0, or None if there are no replies."""
        for answer, times in self._all:
            turn -= times or 1
            if turn < 0:
                return answer
        return self._all[-1][0] if self._all else None

    def code(self, first: str = "reply") -> list[str]:
        """Return the calls that create the replies."""
        calls = []
        for number, (answer, times) in enumerate(self._all):
            calls.append(answer.code("then" if number else _method(answer, first), times))
        return calls


class Delivery(TypedDict, total=False):
    """The keywords that say how a reply is sent: see Answer."""

    delay: float
    pieces: int | Sequence[int] | None
    every: float
    truncate: int | None
    end: HowToEnd | None
    source: Source | None


def made_answer(method: str, what: object, delivery: Delivery) -> Answer:
    """Return a reply. Raises UsageError for invalid values."""
    check_keywords(method, delivery, Delivery)
    keywords: dict[str, Any] = {**delivery, "pieces": _sizes(delivery.get("pieces"))}
    if (source := delivery.get("source")) is not None:
        keywords["source"] = checked_source(method, source)
    answer = Answer(_checked_reply(method, what), **keywords, value=message_in(what))
    _check_delivery(method, answer)
    return answer


def _check_delivery(method: str, answer: Any) -> None:
    delay, truncate, end, pieces = answer.delay, answer.truncate, answer.end, answer.pieces
    check_seconds(f"{method}(delay={delay!r})", delay, or_none=True)
    if truncate is not None and (not isinstance(truncate, int) or isinstance(truncate, bool) or truncate < 0):
        raise UsageError(f"{method}(truncate={truncate!r}): expected a number of bytes of the reply to send, 0 or more")
    if end is not None and end not in ENDS:
        raise UsageError(f"{method}(end={end!r}): expected 'half_close', 'close' or 'reset'")
    if isinstance(answer.what, Script) and not (answer.is_plain and truncate is None):
        raise UsageError(f"{method}(Script(), ...): a script defines when and how it sends; leave the keywords out")
    size = sum(pieces) if isinstance(pieces, tuple) else 1
    Script().send(b"?" * size, pieces=pieces, every=answer.every)  # checks both


def checked_times(method: str, times: Any) -> None:
    """Raise UsageError if `times` is not a whole number from 1 up; None means no limit."""
    if times is not None and (not isinstance(times, int) or isinstance(times, bool) or times < 1):
        raise UsageError(f"{method}(times={times}): expected 1 or more, or None for every message")


def checked_script(method: str, script: object) -> Script:
    """Return the script. Raises UsageError if it is not a script or has no steps."""
    if not isinstance(script, Script):
        raise UsageError(f"{method}({script!r}): expected a Script, as in Script().expect(b'...').send(b'...')")
    if not len(script):
        raise UsageError(f"{method}(Script()): it has no steps; a script that only hangs up is Script().close()")
    return script


def _sizes(pieces: Any) -> int | tuple[int, ...] | None:
    return pieces if pieces is None or isinstance(pieces, int) else tuple(pieces)


def _method(answer: Answer, first: str) -> str:
    if isinstance(answer.what, Script):
        return "play"
    return first if isinstance(answer.what, bytes | MessageAnswer) else "reply_with"


def _checked_reply(method: str, what: object) -> Reply:
    data = as_bytes(what)
    if method == "reply" and data is None and not isinstance(what, MessageAnswer):
        raise UsageError(f"reply({what!r}): expected bytes; encode text first")
    if method == "play":
        return checked_script(method, what)
    if method == "reply_with" and not callable(what):
        raise UsageError(f"reply_with({what!r}): expected a function of the message that returns bytes, or None")
    if data is not None:
        return data
    if isinstance(what, Script):
        return checked_script(method, what)
    if callable(what):
        return what
    raise UsageError(f"{method}({what!r}): expected bytes, a function of the message, or a Script")


def _checked_result(data: Any) -> bytes:
    found = as_bytes(data)
    if found is None:
        raise UsageError(f"reply_with(): the function returned {data!r}; expected bytes, or None for no reply")
    return found
