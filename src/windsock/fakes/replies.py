"""Replies of a fake: data, sent whole, in pieces or truncated; the result of a function; a script."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, TypeAlias, TypedDict

from windsock.errors import UsageError
from windsock.fakes.patterns import Pattern, body, describe
from windsock.fakes.sources import Source, checked_source
from windsock.protocols.message_pattern import MessagePattern
from windsock.protocols.values import MessageAnswer, Sendable, answer_in, message_in
from windsock.recording import LengthPrefix, preview
from windsock.redaction import masked
from windsock.scripts import Script
from windsock.scripts.bodies import Body, Data, as_body
from windsock.scripts.bound_function import BoundFunction, bound_function
from windsock.scripts.checks import check_keywords, check_seconds, wanted
from windsock.scripts.conversation import Conversation
from windsock.scripts.repr import code_of
from windsock.scripts.template import Template

__all__ = [
    "ENDS",
    "UNSAID",
    "AfterReply",
    "Answer",
    "Delivery",
    "HowToEnd",
    "Replied",
    "Reply",
    "checked_script",
    "checked_times",
    "made_answer",
]

HowToEnd: TypeAlias = Literal["half_close", "close", "reset"]
AfterReply: TypeAlias = HowToEnd | Literal["start_tls"]
Replied: TypeAlias = Sendable | Data | Template
"""What `reply()` takes: data, a message of a protocol or an answer, a template of the groups of an expression."""
Reply: TypeAlias = bytes | Body | Template | BoundFunction | Script | MessageAnswer
UNSAID: Any = type("Unsaid", (), {"__repr__": lambda _: "UNSAID", "__slots__": ()})()
"""The value of a keyword that was not passed, where None has a meaning."""
FOR_BYTES = "truncate=, pieces= and every= are for bytes; this is sent in parts of its own"
ENDS = ("half_close", "close", "reset")


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply, and how it is sent.

    `delay` and `every` are seconds, `pieces` their number or their sizes, `truncate` the number of bytes to send, `end`
    what happens to the connection afterwards, `then` the state that it leads to, `source` where a datagram comes from.
    `pattern` is that of its rule. With a `framing` it is a datagram's reply that goes over a stream.
    """

    what: Reply
    delay: float = 0.0
    pieces: int | tuple[int, ...] | None = None
    every: float = 0.0
    truncate: int | None = None
    end: AfterReply | None = None
    then: str | None = None
    source: Any = None
    framing: LengthPrefix | None = field(default=None, compare=False, metadata={"is_shown": False})
    pattern: Pattern | None = field(default=None, compare=False, metadata={"is_shown": False})
    value: object = field(default=None, compare=False)
    """The message of a protocol that it was made from, if any."""

    @property
    def is_plain(self) -> bool:
        """True if the reply is sent whole and at once."""
        return not (self.delay or self.every or self.end) and self.pieces is None

    def plan(self, message: bytes, conversation: Conversation, *, is_datagram: bool = False) -> bytes | Script | None:
        """Return the bytes to send, or the script to play, in reply to a message; None for nothing.

        Raises UsageError if a function returns anything else, or what such a server cannot send.
        """
        if self.framing is not None:
            message = body(self.framing, message)
        conversation.message = message
        if isinstance(self.pattern, re.Pattern):
            conversation.matched(self.pattern, message)
        what = self.what
        if isinstance(what, bytes | Body):
            return self.given(what)
        if isinstance(what, Script):
            return what
        made = what if isinstance(what, MessageAnswer) else self._made(what, message, conversation)
        if isinstance(made, MessageAnswer):
            return self._answered(made, message)
        if isinstance(made, Script):
            self._check_made(made, is_datagram=is_datagram)
            return made
        return self._nothing() if made is None else self.given(made)

    def _made(
        self, what: Any, message: bytes, conversation: Conversation
    ) -> bytes | Body | Script | MessageAnswer | None:
        """Return the result of a function or a template."""
        if isinstance(what, Template):
            return what.filled(self._where(message), conversation)
        if isinstance(self.pattern, MessagePattern):
            conversation.understood(self.pattern.protocol, is_reply=bool(self.pattern.is_reply))
        made = answer_in(what.result(self._where(message), conversation))
        if isinstance(made, Template):
            return made.filled(self._where(message), conversation)
        return made if made is None or isinstance(made, Script | MessageAnswer) else self._body(made, message)

    def _answered(self, answer: MessageAnswer, message: bytes) -> bytes | Script | None:
        """Return what an answer says in reply to a message."""
        made = answer(message)
        if made is None:
            return self._nothing()
        ends = self.end is None and answer.ends(message)
        return (replace(self, end="close") if ends else self).given(self._body(made, message))

    def _body(self, made: object, message: bytes) -> bytes | Body:
        """Return the result of a function as it is sent. Raises UsageError."""
        if type(made) is bytes:
            return made
        body = as_body(self._where(message), made)
        if body is None:
            words = "expected bytes, several of them, a binary file, a Script, or None for no reply"
            raise UsageError(f"{self._where(message)}: the function returned {made!r}; {words}")
        if isinstance(body, Body) and (self.truncate is not None or self.pieces is not None or self.every):
            raise UsageError(f"{self._where(message)}: the function returned {made!r}; {FOR_BYTES}")
        return body

    def _check_made(self, script: Script, *, is_datagram: bool) -> None:
        if is_datagram or not (self.is_plain and self.truncate is None):
            why = "a datagram is not answered by a script" if is_datagram else "it says itself how it sends"
            raise UsageError(f"{self._start()}: the function returned {script!r}; {why}")

    def _where(self, message: bytes) -> str:
        """Return the rule's code and the message, for errors."""
        return f"{self._start()}, in reply to {preview(masked(message))}"

    def _start(self) -> str:
        rule = "" if self.pattern is None else f"on({describe(self.pattern)})."
        return f"{rule}{'reply' if isinstance(self.what, Template) else 'reply_with'}({code_of(self.what)})"

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
        elif isinstance(self.what, bytes | Body):
            if self.truncate is not None and isinstance(self.what, bytes) and self.truncate >= len(self.what):
                raise UsageError(
                    f"{method}(truncate={self.truncate!r}): the reply has {len(self.what)} bytes; expected a smaller "
                    "number of bytes to send"
                )
            plan = self.given(self.what)
            if isinstance(plan, Script):
                plan.check(is_datagram=is_datagram)

    def code(self, method: str, times: int | None) -> str:
        """Return the call that creates the reply."""
        shown = preview(masked(self.what)) if isinstance(self.what, bytes) else code_of(self.what)
        words = [shown if self.value is None else repr(self.value)]
        for each in fields(self)[1:-1]:
            value = getattr(self, each.name)
            if value != each.default and each.metadata.get("is_shown", True):
                words.append(f"{each.name}={value!r}")
        if times is not None:
            words.append(f"times={times}")
        return f"{method}({', '.join(words)})"

    def _nothing(self) -> Script | None:
        """Return what there is to do without a reply: to end the connection, if that was asked for."""
        return None if self.end is None else self._script(b"")

    def given(self, data: bytes | Body) -> bytes | Script:
        """Return the bytes, or a script that sends them as the options say."""
        data = _wrapped(data, self.framing)
        if isinstance(data, bytes):
            if self.truncate is not None:
                data = data[: self.truncate]
            if self.is_plain:
                return data
        return self._script(data)

    def _script(self, data: bytes | Body) -> Script:
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
        elif self.end == "start_tls":
            script = script.start_tls()
        return script


def _wrapped(data: bytes | Body, framing: LengthPrefix | None) -> bytes | Body:
    """Return the messages of a datagram's reply, each with its length; without a framing, the data itself."""
    if framing is None:
        return data
    return b"".join(map(framing.wrap, [data] if isinstance(data, bytes) else data.parts()))


class Delivery(TypedDict, total=False):
    """The keywords that say how a reply is sent: see Answer."""

    delay: float
    pieces: int | Sequence[int] | None
    every: float
    truncate: int | None
    end: AfterReply | None
    source: Source | None


def made_answer(method: str, what: object, delivery: Delivery, pattern: Pattern | None = None) -> Answer:
    """Return a reply, of a rule with this pattern. Raises UsageError for invalid values."""
    check_keywords(method, delivery, Delivery)
    keywords: dict[str, Any] = {**delivery, "pieces": _sizes(delivery.get("pieces"))}
    if (source := delivery.get("source")) is not None:
        keywords["source"] = checked_source(method, source)
    what = answer_in(what)
    answer = Answer(_checked_reply(method, what), **keywords, pattern=pattern, value=message_in(what))
    _check_delivery(method, answer)
    return answer


def _check_delivery(method: str, answer: Any) -> None:
    delay, truncate, end, pieces = answer.delay, answer.truncate, answer.end, answer.pieces
    check_seconds(f"{method}(delay={delay!r})", delay, or_none=True)
    if truncate is not None and (not isinstance(truncate, int) or isinstance(truncate, bool) or truncate < 0):
        raise UsageError(f"{method}(truncate={truncate!r}): expected a number of bytes of the reply to send, 0 or more")
    if end is not None and end not in (*ENDS, "start_tls"):
        raise UsageError(f"{method}(end={end!r}): expected 'half_close', 'close', 'reset' or 'start_tls'")
    if isinstance(answer.what, Script) and not (answer.is_plain and truncate is None):
        raise UsageError(f"{method}(Script(), ...): a script defines when and how it sends; leave the keywords out")
    if isinstance(answer.what, Body) and (truncate is not None or pieces is not None or answer.every):
        raise UsageError(f"{method}({answer.what!r}, ...): {FOR_BYTES}")
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


def _checked_reply(method: str, what: object) -> Reply:
    """Return a reply in the form in which it is kept. Raises UsageError for anything else."""
    if isinstance(what, Script) or method == "play":
        if method in ("reply", "reply_with"):
            raise UsageError(f"{method}({what!r}): a rule plays a script with play(script)")
        return checked_script(method, what)
    if method == "reply_with" and not callable(what):
        raise UsageError(f"reply_with({what!r}): expected a function of the message that returns bytes, or None")
    if isinstance(what, Template | MessageAnswer):
        return what
    shown = f"{method}({code_of(what)})"
    body = as_body(shown, what)
    if body is not None:
        return body
    if callable(what) and method != "reply":
        return bound_function(shown, what)
    if method == "reply":
        is_function = callable(what) and not isinstance(what, MessagePattern)
        remedy = "expected bytes; a function is for reply_with(function)" if is_function else wanted(what)
        raise UsageError(f"reply({what!r}): {remedy}")
    raise UsageError(f"{method}({what!r}): expected bytes, a function of the message, or a Script")
