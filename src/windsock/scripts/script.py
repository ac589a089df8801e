"""Scripts: the steps of one end of a conversation. Values, reusable and comparable."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from windsock.errors import UsageError
from windsock.scripts import steps as kinds
from windsock.scripts.actions import StepData, checked_data
from windsock.scripts.expectations import checked_length
from windsock.scripts.repr import wrapped
from windsock.scripts.step import written
from windsock.scripts.steps import Expected, Step, Waitable

if TYPE_CHECKING:
    import ssl

__all__ = ["Script", "Steps"]

R = TypeVar("R")
WIDTH = 100
"""The most columns of a script's code on one line."""
ENDS = (kinds.HalfClose, kinds.Close, kinds.Reset, kinds.Forward)


class Steps(Generic[R]):
    """The steps as methods: a script adds them, a client takes them at once.

    A method raises UsageError at once for invalid values. Taking a step raises ScriptMismatch if the other end does
    something unexpected, and ScriptTimeout if it does not act within `timeout` seconds; the default is the client's or
    the server's `timeout`. pytest leaves these methods' frames out of tracebacks (`__tracebackhide__`), so a traceback
    ends in the test's own line.
    """

    __slots__ = ()

    def _take(self, step: Step) -> R:
        """Add or take a step. Must be overridden."""
        raise NotImplementedError

    def send(
        self,
        data: StepData,
        *,
        pieces: int | Sequence[int] | None = None,
        every: float = 0.0,
        timeout: float | None = None,
    ) -> R:
        """Send bytes, or a message of a protocol: at once, or in `pieces`, one every `every` seconds.

        `pieces` is their number or their sizes. With `every` alone, each byte is a piece. Each piece has the whole
        `timeout`. A peer that is gone is not an error here; the next expectation fails.

        Or send a binary file, several runs of bytes in a list or a generator, a Repeat; a Template; or the result of a
        function of what was taken before: of the message, or with parameters named `message`, `match`, `conversation`.
        """
        __tracebackhide__ = True
        sizes = tuple(pieces) if isinstance(pieces, Sequence) else pieces
        return self._take(kinds.Send(cast("bytes", data), pieces=sizes, every=every, timeout=timeout))

    def expect(
        self,
        what: Expected | int | None = None,
        *,
        until: bytes | None = None,
        length: int | Callable[..., int] | None = None,
        timeout: float | None = None,
    ) -> R:
        """Take what comes, which must match: bytes, a regular expression, a predicate, a length, a framing, a message.

        On a stream, bytes must be the next ones; an expression or a predicate (a function of the bytes) takes the
        shortest run that it matches in full, a number takes that many bytes, and a framing, such as `LengthPrefix(4)`,
        or a pattern of a protocol, such as `redis.command("GET")`, one whole message. `until` takes everything up to
        and including a delimiter, `length` takes that many bytes; an expression must be found in them, or a predicate
        must accept them. With datagrams, it is the whole next one.

        `length` may be a function as for `send()`. A length of 1 MiB or more without a pattern is taken without being
        kept, and each part that comes has the whole `timeout`.
        """
        __tracebackhide__ = True
        checked = None if length is None else checked_length(length)
        return self._take(kinds.Expect(what, until=until, length=checked, timeout=timeout))

    def expect_eof(self, *, discard: bool = False, timeout: float | None = None) -> R:
        """Expect the normal end of the other end's stream; `discard`: bytes that come before it are taken."""
        __tracebackhide__ = True
        return self._take(kinds.ExpectEof(discard=discard, timeout=timeout))

    def expect_reset(self, *, discard: bool = False, timeout: float | None = None) -> R:
        """Expect a reset of the connection; `discard`: bytes that come before it are taken."""
        __tracebackhide__ = True
        return self._take(kinds.ExpectReset(discard=discard, timeout=timeout))

    def expect_end(self, *, discard: bool = False, timeout: float | None = None) -> R:
        """Expect the end of the other end's stream, normal or by a reset; `discard`: bytes before it are taken."""
        __tracebackhide__ = True
        return self._take(kinds.ExpectEnd(discard=discard, timeout=timeout))

    def expect_silence(self, for_: float) -> R:
        """Expect that nothing comes for `for_` seconds: no bytes, no end, no reset."""
        __tracebackhide__ = True
        return self._take(kinds.ExpectSilence(for_))

    def expect_urgent(self, what: bytes | None = None, *, timeout: float | None = None) -> R:
        """Expect that the next byte of the stream is urgent (MSG_OOB), and is `what` if that is given."""
        __tracebackhide__ = True
        return self._take(kinds.ExpectUrgent(what, timeout=timeout))

    def pause(self, seconds: float) -> R:
        """Do nothing for `seconds`; bytes that arrive meanwhile are read, but not examined."""
        __tracebackhide__ = True
        return self._take(kinds.Pause(seconds))

    def wait_for(self, event: Waitable, *, timeout: float | None = None) -> R:
        """Wait until an event of threading, multiprocessing or (for clients of trio) trio is set."""
        __tracebackhide__ = True
        return self._take(kinds.WaitFor(event, timeout=timeout))

    def half_close(self) -> R:
        """End sending (FIN; shutdown(2) with SHUT_WR); continue to read."""
        __tracebackhide__ = True
        return self._take(kinds.HalfClose())

    def close(self) -> R:
        """Close the connection; if the kernel holds unread bytes, the other end sees a reset."""
        __tracebackhide__ = True
        return self._take(kinds.Close())

    def reset(self, *, flush: bool = False, timeout: float | None = None) -> R:
        """Reset the connection at once, even if others have it open; `flush`: once sent data has been taken."""
        __tracebackhide__ = True
        return self._take(kinds.Reset(flush=flush, timeout=timeout))

    def stall(self, *, buffer: int = kinds.READ_BUFFER) -> R:
        """Stop reading, with a small kernel buffer (bytes), so that the other end soon notices."""
        __tracebackhide__ = True
        return self._take(kinds.Stall(buffer=buffer))

    def resume(self) -> R:
        """Read again after `stall()`."""
        __tracebackhide__ = True
        return self._take(kinds.Resume())

    def read_rate(self, bytes_per_second: float | None) -> R:
        """Read at most `bytes_per_second` from now on; None: no limit."""
        __tracebackhide__ = True
        return self._take(kinds.ReadRate(bytes_per_second))

    def urgent(self, data: bytes) -> R:
        """Send bytes, the last of which is out-of-band (MSG_OOB, RFC 6093)."""
        __tracebackhide__ = True
        return self._take(kinds.Urgent(data))

    def start_tls(
        self,
        *,
        context: ssl.SSLContext | None = None,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> R:
        """Start TLS, as the client or the server.

        Without a `context`, a client trusts the certificate authority of this run, and a fake server has its own.
        """
        __tracebackhide__ = True
        return self._take(kinds.StartTLS(context=context, server_hostname=server_hostname, timeout=timeout))

    def stop_tls(self, *, timeout: float | None = None) -> R:
        """End TLS both ways, and continue unencrypted: send close_notify, and wait for the other end's."""
        __tracebackhide__ = True
        return self._take(kinds.StopTLS(timeout=timeout))

    def forward(self, address: Any, *, first: StepData = b"", timeout: float | None = None) -> R:
        """Hand the connection on, for scripts of fakes: connect to `address` within `timeout`, and pass on everything.

        From here on all bytes, ends and resets pass between there and the client, recorded, until both have ended.
        `address` is that of a stream server, or a function as for `send()` that returns one. `first`, anything that
        `send()` takes, is sent there before what the client sends.
        """
        __tracebackhide__ = True
        return self._take(kinds.Forward(address, first=checked_data("forward", first), timeout=timeout))

    def loop(self, script: Script, *, times: int | None = None) -> R:
        """Play a script `times` times; None: until a round finds that the other end has ended and sent nothing more."""
        __tracebackhide__ = True
        return self._take(kinds.Loop(script, times=times))

    def one_of(self, *scripts: Script, timeout: float | None = None) -> R:
        """Play the script whose first step, an expectation, is met with the fewest bytes."""
        __tracebackhide__ = True
        return self._take(kinds.OneOf(scripts, timeout=timeout))


@dataclass(frozen=True, slots=True, repr=False, init=False)
class Script(Steps["Script"]):
    """The steps of one end, in order: `Script().send(b"PING\r\n").expect(b"PONG\r\n")`.

    Each method returns a new script. Its repr is the code that creates it. Scripts can be concatenated, compared,
    and played any number of times, by clients (`client.play(script)`) and by fake servers (`server.play(script)`).
    """

    steps: tuple[Step, ...]

    def __init__(self, *steps: Step) -> None:
        for each in steps:
            if not isinstance(each, Step):
                raise UsageError(f"Script({each!r}): expected steps, such as Send(b'...')")
        object.__setattr__(self, "steps", steps)

    def __len__(self) -> int:
        return len(self.steps)

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __add__(self, other: object) -> Script:
        return Script(*self.steps, *other.steps) if isinstance(other, Script) else NotImplemented

    def __repr__(self) -> str:
        calls = [_call(each) for each in self.steps]
        line = "Script()" + "".join(calls)
        if "\n" not in line and (len(line) <= WIDTH or len(calls) < 2):
            return line
        return "(\n    Script()\n" + "".join(f"    {_indented(each)}\n" for each in calls) + ")"

    def check(self, *, is_datagram: bool, is_record: bool = False, has_to_end: bool = False) -> None:
        """Raise UsageError for a step that such sockets do not support, or an endless loop if `has_to_end`."""
        kind = "datagram" if is_datagram else "record" if is_record else "stream"
        _check(self.steps, "", kind, has_to_end)

    @property
    def expects_urgent(self) -> bool:
        """Whether a step expects urgent data, so that its mark matters from the start."""
        return _expects_urgent(self.steps)

    def _take(self, step: Step) -> Script:
        return Script(*self.steps, step)


def _expects_urgent(steps: tuple[Step, ...]) -> bool:
    for step in steps:
        if isinstance(step, kinds.Loop | kinds.OneOf):
            within = (step.script,) if isinstance(step, kinds.Loop) else step.scripts
            if any(_expects_urgent(each.steps) for each in within):
                return True
        elif type(step) is kinds.ExpectUrgent:
            return True
    return False


def _check(steps: tuple[Step, ...], within: str, kind: str, has_to_end: bool) -> None:
    gone: Step | None = None
    for number, step in enumerate(steps, 1):
        misfit = step.misfit(kind)
        if not misfit and gone is not None:
            misfit = _after(gone, step)
        if misfit:
            raise UsageError(f"step {within}{number}, {step.text}: {misfit}")
        if isinstance(step, ENDS):
            gone = step
        elif isinstance(step, kinds.Loop | kinds.OneOf):
            _check_within(step, f"{within}{number}", kind, has_to_end)


def _check_within(step: kinds.Loop | kinds.OneOf, number: str, kind: str, has_to_end: bool) -> None:
    if isinstance(step, kinds.Loop):
        if has_to_end and step.has_no_end:
            words = "this never ends; pass times=, or begin the loop with an expectation"
            raise UsageError(f"step {number}, {step.text}: {words}")
        _check(step.script.steps, f"{number}.", kind, has_to_end)
    else:
        for branch, each in enumerate(step.scripts, 1):
            _check(each.steps, f"{number}.{branch}.", kind, has_to_end)


def _after(gone: Step, step: Step) -> str:
    """Return why a step cannot follow one that ended sending or the connection, or "" if it can."""
    if isinstance(gone, kinds.HalfClose):
        is_misfit = isinstance(step, kinds.Send | kinds.Urgent | kinds.HalfClose | kinds.StartTLS | kinds.StopTLS)
        return "nothing can be sent after half_close(); send it before" if is_misfit else ""
    if isinstance(step, kinds.Pause | kinds.WaitFor):
        return ""
    return f"this end is gone after {gone.text}; let the script end there"


def _call(step: Step) -> str:
    """Return the step as a method call, with long bytes over several lines."""
    line = f".{step.method}({written(step.arguments())})"
    first = step.arguments()[:1]
    if len(line) + 4 <= WIDTH or not first or not isinstance(first[0][1], bytes):
        return line
    pieces = list(wrapped(first[0][1], WIDTH - 8))
    rest = "".join(f",\n    {written([each])}" for each in step.arguments()[1:])
    return f".{step.method}(\n    " + "\n    ".join(pieces) + rest + ",\n)"


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")
