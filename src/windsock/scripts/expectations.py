"""Steps that expect something from the other end."""

from __future__ import annotations

import copy
import re
from dataclasses import KW_ONLY, dataclass, field

from windsock.errors import UsageError
from windsock.protocols.values import message_in
from windsock.scripts.bound_function import BoundFunction, bound_function
from windsock.scripts.checks import Expected, MessageFraming, check_count, check_seconds, checked_bytes, checked_pattern
from windsock.scripts.conversation import Conversation
from windsock.scripts.repr import code_of
from windsock.scripts.step import Argument, Step

__all__ = ["Expect", "ExpectEnd", "ExpectEof", "ExpectReset", "ExpectSilence", "ExpectUrgent", "checked_length"]


@dataclass(frozen=True, slots=True, repr=False)
class Expect(Step):
    """Take what comes, and check that it is what was expected.

    On a stream: bytes must be the next ones; a regular expression or a predicate takes the shortest run that it matches
    in full; a number takes that many bytes; a framing, or a pattern of a protocol, takes one whole message. `until`
    takes everything up to and including a delimiter, `length` takes that many bytes; a regular expression must be found
    in them, or a predicate must accept them. With datagrams: the whole next one. `length` may be a function of what was
    taken before.
    """

    method = "expect"
    takes_timeout = True
    what: Expected | int | None = None
    message: object = field(default=None, init=False, compare=False)
    """The message of a protocol that `what` was made from, if any."""
    _: KW_ONLY
    until: bytes | None = None
    length: int | BoundFunction | None = None

    def __post_init__(self) -> None:
        is_plain = type(self.what) is bytes and self.until is None and self.length is None and self.timeout is None
        if not is_plain:
            self._check()
            self._check_timeout()

    def _check(self) -> None:
        what = self.what
        if isinstance(what, int) and not isinstance(what, bool):
            if self.length is not None:
                raise UsageError(f"expect({what}, length={self.length!r}): two lengths; use one of them")
            object.__setattr__(self, "length", what)
            object.__setattr__(self, "what", None)
        elif what is not None:
            object.__setattr__(self, "what", checked_pattern(what))
            object.__setattr__(self, "message", message_in(what) if isinstance(self.what, bytes) else None)
        _check_unit(self)

    def counted(self, where: str, conversation: Conversation) -> Expect:
        """Return the step with its length as a number. Raises UsageError if the function returns anything else."""
        if not isinstance(self.length, BoundFunction):
            return self
        length = self.length.result(where, conversation)
        if not isinstance(length, int) or isinstance(length, bool) or length < 0:
            raise UsageError(f"{where}: the function returned {length!r}; expected a number of bytes, 0 or more")
        counted = copy.copy(self)
        object.__setattr__(counted, "length", length)
        return counted

    def misfit(self, kind: str) -> str:
        """Return why it cannot be expected: a datagram needs no delimiter; on a stream, nothing is always there."""
        if kind != "stream" and self.until is not None:
            return f"a {kind} ends by itself; leave until= out"
        if kind != "datagram" and self.what == b"":
            return "an empty pattern would match before anything comes; pass what to expect"
        return ""

    def arguments(self) -> list[Argument]:
        """Return the arguments; a length alone is positional."""
        what = self.what if self.message is None else self.message
        given: list[Argument] = [] if what is None else [("", what)]
        if self.until is not None:
            given.append(("until", self.until))
        if self.length is not None:
            given.append(("length" if given or isinstance(self.length, BoundFunction) else "", self.length))
        if self.timeout is not None:
            given.append(("timeout", self.timeout))
        return given


@dataclass(frozen=True, slots=True, repr=False)
class ExpectEof(Step):
    """Expect the normal end of the other end's stream. `discard`: bytes that come before it are taken."""

    method = "expect_eof"
    is_for = "stream"
    takes_timeout = True
    _: KW_ONLY
    discard: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class ExpectReset(Step):
    """Expect a reset of the connection. `discard`: bytes that come before it are taken."""

    method = "expect_reset"
    is_for = "stream"
    takes_timeout = True
    _: KW_ONLY
    discard: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class ExpectEnd(Step):
    """Expect the end of the other end's stream, normal or by a reset. `discard`: bytes before it are taken."""

    method = "expect_end"
    is_for = "stream"
    takes_timeout = True
    _: KW_ONLY
    discard: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class ExpectSilence(Step):
    """Expect that nothing comes for `for_` seconds: no bytes, no end, no reset."""

    method = "expect_silence"
    for_: float

    def _check(self) -> None:
        check_seconds(f"expect_silence({self.for_!r})", self.for_)


@dataclass(frozen=True, slots=True, repr=False)
class ExpectUrgent(Step):
    """Expect that the next byte of the stream is urgent, and is `what` if that is given. The byte is taken.

    Urgent bytes stay in the stream (SO_OOBINLINE) from the start of a script with this step. A client whose steps are
    taken one by one keeps them from its first `expect_urgent()`.
    """

    method = "expect_urgent"
    is_for = "stream"
    is_for_bytes = True
    takes_timeout = True
    what: bytes | None = None

    def _check(self) -> None:
        if self.what is not None:
            object.__setattr__(self, "what", checked_bytes("expect_urgent", self.what))
            if len(self.what) != 1:
                raise UsageError(f"expect_urgent({self.what!r}): expected one byte: an urgent byte is always alone")

    def arguments(self) -> list[Argument]:
        """Return the arguments that create it."""
        given: list[Argument] = [] if self.what is None else [("", self.what)]
        return given if self.timeout is None else [*given, ("timeout", self.timeout)]


def checked_length(length: object) -> int | BoundFunction:
    """Return a length, or a function of what was taken that returns one. Raises UsageError for anything else."""
    if isinstance(length, BoundFunction):
        return length
    if callable(length):
        return bound_function(f"expect(length={code_of(length)})", length)
    check_count(f"expect({length!r})", length)
    assert isinstance(length, int)
    return length


def _check_unit(step: Expect) -> None:
    """Check the combination of values that determine which bytes to look at."""
    if step.until is not None:
        object.__setattr__(step, "until", checked_bytes("expect", step.until))
        if not step.until:
            raise UsageError("expect(until=b''): an empty delimiter ends nothing; pass the bytes that end the message")
    if step.length is not None:
        object.__setattr__(step, "length", checked_length(step.length))
    if step.until is not None and step.length is not None:
        raise UsageError("expect(until=..., length=...): two ways to find the end; use one of them")
    if step.until is None and step.length is None:
        if step.what is None:
            raise UsageError("expect(): pass what to expect: bytes, a pattern, a predicate, a length, or until=")
        if isinstance(step.what, re.Pattern) and step.what.fullmatch(b""):
            raise UsageError(
                f"expect({code_of(step.what)}): it would match before anything comes; pass what to expect, or until="
            )
    elif isinstance(step.what, bytes):
        raise UsageError(f"expect({step.what!r}, ...): bytes have a length of their own; leave until= and length= out")
    elif isinstance(step.what, MessageFraming):
        raise UsageError(
            f"expect({step.what!r}, ...): a framing finds the end of a message itself; leave until= and length= out"
        )
