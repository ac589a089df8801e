"""Scripts: what one end of a conversation does, step by step. Values, reusable and comparable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from windsock.errors import UsageError
from windsock.scripts import steps as kinds
from windsock.scripts.repr import wrapped
from windsock.scripts.step import written
from windsock.scripts.steps import Expected, Step, Waitable

if TYPE_CHECKING:
    import ssl

__all__ = ["Script", "Steps"]

R = TypeVar("R")
WIDTH = 100
"""Columns that a script's code may have on one line."""
ENDS = (kinds.HalfClose, kinds.Close, kinds.Reset)


class Steps(Generic[R]):
    """The steps as methods: a script adds them, a client takes them at once.

    A method raises UsageError at once for values that can't work. A step that is taken raises ScriptMismatch if the
    other end does something else, and ScriptTimeout if it has not done it within `timeout` seconds, which are the
    client's or the server's `timeout` unless the step says so. pytest leaves these methods' frames out of
    tracebacks (`__tracebackhide__`): what failed is the step, in the test's own line.
    """

    __slots__ = ()

    def _take(self, step: Step) -> R:
        """Do what a step's method does here. Must be overridden."""
        raise NotImplementedError

    def send(
        self,
        data: bytes,
        *,
        pieces: int | Sequence[int] | None = None,
        every: float = 0.0,
        timeout: float | None = None,
    ) -> R:
        """Send bytes: at once, or in `pieces` (how many, or their sizes) with `every` seconds between them.

        With `every` alone each byte is a piece, and each piece has the whole `timeout`. A peer that is gone is no
        error here: what is expected next tells.
        """
        __tracebackhide__ = True
        sizes = tuple(pieces) if isinstance(pieces, Sequence) else pieces
        return self._take(kinds.Send(data, pieces=sizes, every=every, timeout=timeout))

    def expect(
        self,
        what: Expected | int | None = None,
        *,
        until: bytes | None = None,
        length: int | None = None,
        timeout: float | None = None,
    ) -> R:
        """Take what comes, which has to be this: bytes, a regular expression, a predicate, a length, a framing.

        Of a stream bytes have to be the next ones, an expression or a predicate (a function of the bytes) takes the
        shortest run that it matches in full, a number takes that many bytes, and a framing, such as `LengthPrefix(4)`,
        one whole message. `until` takes all up to and with a delimiter, `length` that many bytes; then an expression
        has to be found in them, or a predicate has to like them. Of datagrams it is the whole next one.
        """
        __tracebackhide__ = True
        return self._take(kinds.Expect(what, until=until, length=length, timeout=timeout))

    def expect_eof(self, *, discard: bool = False, timeout: float | None = None) -> R:
        """Expect the orderly end of what the other end sends; `discard`: bytes that come before it are taken."""
        __tracebackhide__ = True
        return self._take(kinds.ExpectEof(discard=discard, timeout=timeout))

    def expect_reset(self, *, discard: bool = False, timeout: float | None = None) -> R:
        """Expect a reset of the connection; `discard`: bytes that come before it are taken."""
        __tracebackhide__ = True
        return self._take(kinds.ExpectReset(discard=discard, timeout=timeout))

    def expect_end(self, *, discard: bool = False, timeout: float | None = None) -> R:
        """Expect that the other end is gone, by an orderly end or a reset; `discard`: bytes before that are taken."""
        __tracebackhide__ = True
        return self._take(kinds.ExpectEnd(discard=discard, timeout=timeout))

    def expect_silence(self, for_: float) -> R:
        """Expect that nothing comes for `for_` seconds: no bytes, no end, no reset."""
        __tracebackhide__ = True
        return self._take(kinds.ExpectSilence(for_))

    def pause(self, seconds: float) -> R:
        """Do nothing for `seconds`; bytes that arrive meanwhile are read, but not looked at."""
        __tracebackhide__ = True
        return self._take(kinds.Pause(seconds))

    def wait_for(self, event: Waitable, *, timeout: float | None = None) -> R:
        """Wait until an event of threading, multiprocessing or (for clients of trio) trio is set."""
        __tracebackhide__ = True
        return self._take(kinds.WaitFor(event, timeout=timeout))

    def half_close(self) -> R:
        """End what this end sends (FIN; shutdown(2) with SHUT_WR), and go on reading."""
        __tracebackhide__ = True
        return self._take(kinds.HalfClose())

    def close(self) -> R:
        """Close the connection; with bytes unread in the kernel that is a reset for the other end."""
        __tracebackhide__ = True
        return self._take(kinds.Close())

    def reset(self, *, flush: bool = False, timeout: float | None = None) -> R:
        """Reset the connection at once, whoever else has it open; with `flush` once what was sent has been taken."""
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
        """Read at most `bytes_per_second` from now on; None: without a limit."""
        __tracebackhide__ = True
        return self._take(kinds.ReadRate(bytes_per_second))

    def urgent(self, data: bytes) -> R:
        """Send bytes of which the last is out-of-band (MSG_OOB, RFC 6093)."""
        __tracebackhide__ = True
        return self._take(kinds.Urgent(data))

    def start_tls(
        self,
        *,
        context: ssl.SSLContext | None = None,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> R:
        """Go on in TLS, as the client or the server that this end is.

        Without a `context` a client trusts the certificate authority of this run, and a fake server has its own.
        """
        __tracebackhide__ = True
        return self._take(kinds.StartTLS(context=context, server_hostname=server_hostname, timeout=timeout))

    def stop_tls(self, *, timeout: float | None = None) -> R:
        """End TLS both ways, and go on in the clear: send close_notify, and wait for the other end's."""
        __tracebackhide__ = True
        return self._take(kinds.StopTLS(timeout=timeout))

    def loop(self, script: Script, *, times: int | None = None) -> R:
        """Play a script `times` times; with None until the other end has nothing more to say when a round begins."""
        __tracebackhide__ = True
        return self._take(kinds.Loop(script, times=times))

    def one_of(self, *scripts: Script, timeout: float | None = None) -> R:
        """Go on with whichever script's first step, an expectation, is met with the fewest bytes."""
        __tracebackhide__ = True
        return self._take(kinds.OneOf(scripts, timeout=timeout))


@dataclass(frozen=True, slots=True, repr=False, init=False)
class Script(Steps["Script"]):
    """The steps of one end, in order: `Script().send(b"PING\r\n").expect(b"PONG\r\n")`.

    Each method returns a new script. Printed, it is the code that makes it. Scripts can be added up, compared,
    and played as often as you like, by clients (`client.play(script)`) and by fake servers (`server.play(script)`).
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

    def check(self, *, is_datagram: bool, has_to_end: bool = False) -> None:
        """Raise UsageError for a step that such sockets can't take, or a loop without an end where one is needed."""
        _check(self.steps, "", "datagram" if is_datagram else "stream", has_to_end)

    def _take(self, step: Step) -> Script:
        return Script(*self.steps, step)


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
            words = "this never ends; say times=, or begin the loop with an expectation"
            raise UsageError(f"step {number}, {step.text}: {words}")
        _check(step.script.steps, f"{number}.", kind, has_to_end)
    else:
        for branch, each in enumerate(step.scripts, 1):
            _check(each.steps, f"{number}.{branch}.", kind, has_to_end)


def _after(gone: Step, step: Step) -> str:
    """Return why a step can't follow the one with which this end, or what it sends, has ended; empty if it can."""
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
