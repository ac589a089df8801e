"""The steps a peer can take: frozen values, checked when they are made."""

from __future__ import annotations

import itertools
import re
from dataclasses import KW_ONLY, dataclass, fields
from typing import TYPE_CHECKING, ClassVar, Protocol

from windsock.errors import UsageError
from windsock.steps.checks import Expected, check_count, check_seconds, checked_bytes, checked_pattern, steps_of
from windsock.steps.code import code_of

if TYPE_CHECKING:
    import ssl

    from windsock.steps.script import Script

__all__ = [
    "Close",
    "Event",
    "Expect",
    "ExpectEof",
    "ExpectReset",
    "ExpectSilence",
    "Expected",
    "HalfClose",
    "Loop",
    "OneOf",
    "Pause",
    "ReadRate",
    "Reset",
    "Resume",
    "Send",
    "Stall",
    "StartTLS",
    "Step",
    "Urgent",
    "WaitFor",
]

READ_BUFFER = 2048
"""Bytes of kernel buffer that a stalled reader keeps, unless the step says more: the least that Linux takes is 2304."""


class Event(Protocol):
    """What `wait_for()` waits for: a threading.Event, a multiprocessing.Event, a trio.Event."""

    def is_set(self) -> bool:
        """Return whether it has happened."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class Step:
    """One step. `timeout` (seconds) is how long it may take; None: as long as the peer's default."""

    method: ClassVar[str] = ""
    """What the step is called as a method of scripts and clients."""
    is_for: ClassVar[str] = ""
    """The kind of sockets, "stream" or "datagram", that alone can take it; empty: either."""

    _: KW_ONLY
    timeout: float | None = None

    def __post_init__(self) -> None:
        self._check()
        if self.timeout is not None:
            check_seconds(f"{self.method}(timeout={self.timeout!r})", self.timeout)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._arguments()})"

    @property
    def text(self) -> str:
        """The step as the method call that makes it."""
        return f"{self.method}({self._arguments()})"

    def _check(self) -> None:
        """Raise UsageError for values that can't work. May be overridden."""

    def _arguments(self) -> str:
        words = []
        for each in sorted(fields(self), key=lambda each: each.name == "timeout"):
            value = getattr(self, each.name)
            if not each.kw_only:
                words.append(code_of(value))
            elif value != each.default:
                words.append(f"{each.name}={code_of(value)}")
        return ", ".join(words)


@dataclass(frozen=True, slots=True, repr=False)
class Send(Step):
    """Send bytes: at once, or in `pieces` (how many, or their sizes) with `every` seconds from one to the next."""

    method = "send"
    data: bytes
    _: KW_ONLY
    pieces: int | tuple[int, ...] | None = None
    every: float = 0.0

    def _check(self) -> None:
        object.__setattr__(self, "data", checked_bytes("send", self.data))
        if isinstance(self.pieces, list):
            object.__setattr__(self, "pieces", tuple(self.pieces))
        sizes = self.pieces if isinstance(self.pieces, tuple) else (self.pieces,)
        for size in sizes:
            if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 1):
                raise UsageError(f"send(pieces={self.pieces!r}): expected how many, 1 or more, or a list of sizes")
        if isinstance(self.pieces, tuple) and sum(self.pieces) > len(self.data):
            raise UsageError(
                f"send(pieces={self.pieces!r}): {sum(self.pieces)} bytes in all, but there are {len(self.data)} to send"
            )
        check_seconds(f"send(every={self.every!r})", self.every, or_none=True)
        if self.every and self.pieces is None:
            object.__setattr__(self, "pieces", max(1, len(self.data)))

    def cut(self) -> list[bytes]:
        """Return the pieces."""
        if self.pieces is None:
            return [self.data]
        if isinstance(self.pieces, int):
            count = min(self.pieces, len(self.data)) or 1
            edges = [len(self.data) * number // count for number in range(count + 1)]
        else:
            edges = [0]
            for size in self.pieces:
                edges.append(edges[-1] + size)
            if edges[-1] < len(self.data):
                edges.append(len(self.data))
        return [self.data[start:end] for start, end in itertools.pairwise(edges)]


@dataclass(frozen=True, slots=True, repr=False)
class Expect(Step):
    """Take what comes, which has to be this.

    Of a stream: bytes have to be the next ones; a regular expression or a predicate takes the shortest run that
    it matches in full; a number takes so many bytes. `until` takes all up to and with a delimiter, and `length`
    so many bytes, in which a regular expression has to be found, or which has to please a predicate. Of
    datagrams: the whole next one.
    """

    method = "expect"
    what: Expected | int | None = None
    _: KW_ONLY
    until: bytes | None = None
    length: int | None = None

    def _check(self) -> None:
        what = self.what
        if isinstance(what, int) and not isinstance(what, bool):
            if self.length is not None:
                raise UsageError(f"expect({what}, length={self.length!r}): two lengths; say one")
            object.__setattr__(self, "length", what)
            object.__setattr__(self, "what", None)
        elif what is not None:
            object.__setattr__(self, "what", checked_pattern(what))
        _check_unit(self)

    def _arguments(self) -> str:
        given = []
        if self.what is not None:
            given.append(code_of(self.what))
        if self.until is not None:
            given.append(f"until={code_of(self.until)}")
        if self.length is not None:
            given.append(str(self.length) if not given else f"length={self.length}")
        if self.timeout is not None:
            given.append(f"timeout={self.timeout!r}")
        return ", ".join(given)


@dataclass(frozen=True, slots=True, repr=False)
class ExpectEof(Step):
    """Expect the orderly end of what the other end sends. `discard`: bytes that come before it are taken."""

    method = "expect_eof"
    is_for = "stream"
    _: KW_ONLY
    discard: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class ExpectReset(Step):
    """Expect a reset of the connection. `discard`: bytes that come before it are taken."""

    method = "expect_reset"
    is_for = "stream"
    _: KW_ONLY
    discard: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class ExpectSilence(Step):
    """Expect that nothing comes for so many seconds: no bytes, no end, no reset."""

    method = "expect_silence"
    for_: float

    def _check(self) -> None:
        check_seconds(f"expect_silence({self.for_!r})", self.for_)


@dataclass(frozen=True, slots=True, repr=False)
class Pause(Step):
    """Do nothing for so many seconds. What comes meanwhile is read, but not looked at."""

    method = "pause"
    seconds: float

    def _check(self) -> None:
        check_seconds(f"pause({self.seconds!r})", self.seconds, or_none=True)


@dataclass(frozen=True, slots=True, repr=False)
class WaitFor(Step):
    """Wait until something has happened elsewhere: an event with `is_set()` and `wait()`."""

    method = "wait_for"
    event: Event

    def _check(self) -> None:
        if not callable(getattr(self.event, "is_set", None)) or not callable(getattr(self.event, "wait", None)):
            raise UsageError(f"wait_for({self.event!r}): expected an event, such as threading.Event()")


@dataclass(frozen=True, slots=True, repr=False)
class HalfClose(Step):
    """End what this end sends (FIN, shutdown(2) with SHUT_WR); go on reading."""

    method = "half_close"
    is_for = "stream"


@dataclass(frozen=True, slots=True, repr=False)
class Close(Step):
    """Close the connection; with bytes unread in the kernel that is a reset for the other end."""

    method = "close"


@dataclass(frozen=True, slots=True, repr=False)
class Reset(Step):
    """Reset the connection at once, whoever else has it open. `flush`: first see what was sent taken."""

    method = "reset"
    is_for = "stream"
    _: KW_ONLY
    flush: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class Stall(Step):
    """Stop reading. `buffer`: bytes that the kernel may take in meanwhile, few, so that the other end notices."""

    method = "stall"
    _: KW_ONLY
    buffer: int = READ_BUFFER

    def _check(self) -> None:
        check_count(f"stall(buffer={self.buffer!r})", self.buffer)


@dataclass(frozen=True, slots=True, repr=False)
class Resume(Step):
    """Read again after `stall()`."""

    method = "resume"


@dataclass(frozen=True, slots=True, repr=False)
class ReadRate(Step):
    """Read so many bytes a second at the most from now on; None: as they come."""

    method = "read_rate"
    is_for = "stream"
    bytes_per_second: float | None

    def _check(self) -> None:
        if self.bytes_per_second is not None:
            check_seconds(f"read_rate({self.bytes_per_second!r})", self.bytes_per_second, unit="bytes a second")


@dataclass(frozen=True, slots=True, repr=False)
class Urgent(Step):
    """Send bytes of which the last is out-of-band (MSG_OOB, RFC 6093)."""

    method = "urgent"
    is_for = "stream"
    data: bytes

    def _check(self) -> None:
        object.__setattr__(self, "data", checked_bytes("urgent", self.data))
        if not self.data:
            raise UsageError("urgent(b''): there is no urgent data without a byte")


@dataclass(frozen=True, slots=True, repr=False)
class StartTLS(Step):
    """Go on in TLS from here: as the client or as the server that this end is."""

    method = "start_tls"
    is_for = "stream"
    _: KW_ONLY
    context: ssl.SSLContext | None = None
    server_hostname: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Loop(Step):
    """Play a script `times` times; with None until the other end has nothing more to say when a round begins."""

    method = "loop"
    script: Script
    _: KW_ONLY
    times: int | None = None

    def _check(self) -> None:
        if not steps_of("loop", self.script):
            raise UsageError("loop(Script()): there is no step in it, so that it would never end")
        if self.times is not None:
            check_count(f"loop(times={self.times!r})", self.times)

    @property
    def has_no_end(self) -> bool:
        """Whether nothing that the other end does can end it."""
        return self.times is None and not self.script.steps[0].method.startswith("expect")


@dataclass(frozen=True, slots=True, repr=False)
class OneOf(Step):
    """Go on with whichever script's first step, an expectation, is met with the fewest bytes."""

    method = "one_of"
    scripts: tuple[Script, ...]

    def _check(self) -> None:
        object.__setattr__(self, "scripts", tuple(self.scripts))
        if not self.scripts:
            raise UsageError("one_of(): expected scripts to choose from")
        for each in self.scripts:
            steps = steps_of("one_of", each)
            if not steps or not isinstance(steps[0], Expect | ExpectEof | ExpectReset):
                first = steps[0].text if steps else "nothing"
                raise UsageError(
                    f"one_of(): each script begins with expect(), expect_eof() or expect_reset(), to choose by; "
                    f"this one with {first}"
                )

    def _arguments(self) -> str:
        given = [repr(each) for each in self.scripts]
        if self.timeout is not None:
            given.append(f"timeout={self.timeout!r}")
        return ", ".join(given)

    def __repr__(self) -> str:
        return f"OneOf(({', '.join(map(repr, self.scripts))},))"


def _check_unit(step: Expect) -> None:
    """Check how the bytes to look at are told from those behind them."""
    if step.until is not None:
        object.__setattr__(step, "until", checked_bytes("expect", step.until))
        if not step.until:
            raise UsageError("expect(until=b''): an empty delimiter ends nothing; say which bytes end it")
    if step.length is not None:
        check_count(f"expect({step.length!r})", step.length)
    if step.until is not None and step.length is not None:
        raise UsageError("expect(until=..., length=...): two ways to tell where it ends; say one")
    if step.until is None and step.length is None:
        if step.what is None:
            raise UsageError("expect(): say what is to come: bytes, a pattern, a predicate, a length, or until=")
        if isinstance(step.what, re.Pattern) and step.what.fullmatch(b""):
            raise UsageError(
                f"expect({code_of(step.what)}): it would match without anything coming; say what is to come, or until="
            )
    elif isinstance(step.what, bytes):
        raise UsageError(
            f"expect({step.what!r}, ...): bytes say themselves where they end; leave until= and length= out"
        )
