"""Scripts: what one end of a conversation does, step by step. Values, reusable and comparable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from windsock.errors import UsageError
from windsock.steps import kinds
from windsock.steps.kinds import Event, Expected, Step

if TYPE_CHECKING:
    import ssl

__all__ = ["Script", "Steps"]

R = TypeVar("R")
WIDTH = 100
"""Columns that a script's code may have on one line."""


class Steps(Generic[R]):
    """The steps as methods: a script adds them, a client takes them at once."""

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
        """Send bytes: at once, or in `pieces` (how many, or their sizes) with `every` seconds between them."""
        sizes = pieces if pieces is None or isinstance(pieces, int) else tuple(pieces)
        return self._take(kinds.Send(data, pieces=sizes, every=every, timeout=timeout))

    def expect(
        self,
        what: Expected | int | None = None,
        *,
        until: bytes | None = None,
        length: int | None = None,
        timeout: float | None = None,
    ) -> R:
        """Take what comes, which has to be this: bytes, a regular expression, a predicate, a length; see Expect."""
        return self._take(kinds.Expect(what, until=until, length=length, timeout=timeout))

    def expect_eof(self, *, discard: bool = False, timeout: float | None = None) -> R:
        """Expect the orderly end of what the other end sends; `discard`: bytes that come before it are taken."""
        return self._take(kinds.ExpectEof(discard=discard, timeout=timeout))

    def expect_reset(self, *, discard: bool = False, timeout: float | None = None) -> R:
        """Expect a reset of the connection; `discard`: bytes that come before it are taken."""
        return self._take(kinds.ExpectReset(discard=discard, timeout=timeout))

    def expect_silence(self, for_: float) -> R:
        """Expect that nothing comes for so many seconds."""
        return self._take(kinds.ExpectSilence(for_))

    def pause(self, seconds: float) -> R:
        """Do nothing for so many seconds; what comes meanwhile is read, but not looked at."""
        return self._take(kinds.Pause(seconds))

    def wait_for(self, event: Event, *, timeout: float | None = None) -> R:
        """Wait until an event is set."""
        return self._take(kinds.WaitFor(event, timeout=timeout))

    def half_close(self) -> R:
        """End what this end sends; go on reading."""
        return self._take(kinds.HalfClose())

    def close(self) -> R:
        """Close the connection."""
        return self._take(kinds.Close())

    def reset(self, *, flush: bool = False, timeout: float | None = None) -> R:
        """Reset the connection at once; with `flush` when what was sent has been taken."""
        return self._take(kinds.Reset(flush=flush, timeout=timeout))

    def stall(self, *, buffer: int = kinds.READ_BUFFER) -> R:
        """Stop reading, with a small kernel buffer (bytes), so that the other end soon notices."""
        return self._take(kinds.Stall(buffer=buffer))

    def resume(self) -> R:
        """Read again after `stall()`."""
        return self._take(kinds.Resume())

    def read_rate(self, bytes_per_second: float | None) -> R:
        """Read so many bytes a second at the most from now on; None: as they come."""
        return self._take(kinds.ReadRate(bytes_per_second))

    def urgent(self, data: bytes) -> R:
        """Send bytes of which the last is out-of-band."""
        return self._take(kinds.Urgent(data))

    def start_tls(
        self,
        *,
        context: ssl.SSLContext | None = None,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> R:
        """Go on in TLS; without a context of yours with the one that the server and its clients share."""
        return self._take(kinds.StartTLS(context=context, server_hostname=server_hostname, timeout=timeout))

    def loop(self, script: Script, *, times: int | None = None) -> R:
        """Play a script `times` times; with None until the other end has ended when a round begins."""
        return self._take(kinds.Loop(script, times=times))

    def one_of(self, *scripts: Script, timeout: float | None = None) -> R:
        """Go on with whichever script's first step, an expectation, is met with the fewest bytes."""
        return self._take(kinds.OneOf(scripts, timeout=timeout))


@dataclass(frozen=True, slots=True, repr=False, init=False)
class Script(Steps["Script"]):
    """What one end does, step by step: `Script().send(b"PING\\r\\n").expect(b"PONG\\r\\n")`.

    Each method returns a new script. Printed, it is the code that makes it. Scripts can be added up, compared,
    and played as often as you like, by clients and by fake servers.
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

    def __add__(self, other: Script) -> Script:
        return Script(*self.steps, *other.steps) if isinstance(other, Script) else NotImplemented

    def __repr__(self) -> str:
        calls = [f".{each.text}" for each in self.steps]
        line = "Script()" + "".join(calls)
        if len(line) <= WIDTH or len(calls) < 2:
            return line
        return "(\n    Script()\n" + "".join(f"    {_indented(each)}\n" for each in calls) + ")"

    def check(self, *, is_datagram: bool, has_to_end: bool = False) -> None:
        """Raise UsageError for a step that such sockets can't take, or a loop without an end where one is needed."""
        for number, step in enumerate(self.steps, 1):
            _check_step(f"step {number}, {step.text}", step, is_datagram, has_to_end)

    def _take(self, step: Step) -> Script:
        return Script(*self.steps, step)


def _check_step(where: str, step: Step, is_datagram: bool, has_to_end: bool) -> None:
    kind = "datagram" if is_datagram else "stream"
    if step.is_for and step.is_for != kind:
        raise UsageError(f"{where}: that is for {step.is_for}s, and this peer's socket carries {kind}s; leave it out")
    if isinstance(step, kinds.Send) and not step.data and not is_datagram:
        raise UsageError(f"{where}: an empty message can be sent as a datagram only; on a stream it is nothing")
    if isinstance(step, kinds.Expect) and step.until is not None and is_datagram:
        raise UsageError(f"{where}: a datagram ends by itself; leave until= out")
    if isinstance(step, kinds.Loop):
        if has_to_end and step.has_no_end:
            raise UsageError(f"{where}: this never ends; say times=, or begin the loop with an expectation")
        step.script.check(is_datagram=is_datagram, has_to_end=has_to_end)
    if isinstance(step, kinds.OneOf):
        for each in step.scripts:
            each.check(is_datagram=is_datagram, has_to_end=has_to_end)


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")
