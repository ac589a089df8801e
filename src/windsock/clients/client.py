"""A client whose methods are the steps of a script."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Self

from windsock.clients import client_sockets, malformed
from windsock.clients.background import Background
from windsock.clients.client_base import ClientBase
from windsock.clients.client_endpoint import ClientDatagramEndpoint, ClientStreamEndpoint
from windsock.clients.client_group import ClientGroup
from windsock.clients.nonblocking import play_blocking
from windsock.endpoints.endpoint import DONTWAIT
from windsock.endpoints.outcomes import is_only_later
from windsock.errors import UsageError
from windsock.net import addresses, deadlines
from windsock.net.system import monotonic
from windsock.scripts import Progress, Script, Step, Steps
from windsock.scripts import steps as kinds
from windsock.scripts.steps import Expected

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from windsock.faults import FaultHandle
    from windsock.faults.options import FaultGroup
    from windsock.net.addresses import PrivateSocketPath
    from windsock.scripts.actions import StepData

__all__ = ["ScriptedClient"]


class ScriptedClient(ClientBase, Steps["ScriptedClient"]):
    """A connected client. Each step is taken at once: `client.send(b"PING").expect(b"PONG").half_close()`.

    It raises only where the other end does something else than the steps say: ScriptMismatch, ScriptTimeout. What
    happens to the connection is its `outcome`. Use it in a `with`, which closes it.
    """

    end: ClientStreamEndpoint | ClientDatagramEndpoint
    remedy = "this client is closed; make another one, with server.connect()"
    """What is said about a step after its end."""
    faults: tuple[FaultHandle | FaultGroup, ...] = ()
    """The handles of the faults on its own line, in the order in which they were given."""

    def __init__(
        self,
        end: ClientStreamEndpoint | ClientDatagramEndpoint,
        *,
        timeout: float = 5.0,
        name: str = "",
        private: PrivateSocketPath | None = None,
        client_group: ClientGroup | None = None,
    ) -> None:
        self.end = end
        self.timeout = timeout
        """Seconds that a step without a timeout of its own may take."""
        self.name = name
        self._is_called(end.sock, private)
        self._begun: float | None = None
        """When the step began that the short way could not take."""
        self._background: Background | None = None
        self._client_group = client_group
        if client_group is not None:
            client_group.add(self, getattr(private, "proxy", None))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        __tracebackhide__ = True
        if error is not None and self._background is not None:
            self._background.call_off()
        self._end()
        failure = self._background.unheard() if self._background is not None else None
        if failure is not None and error is not None:
            error.add_note(f"windsock: a script in the background failed too: {failure}")
        elif failure is not None:
            raise failure

    def __del__(self) -> None:
        if (end := getattr(self, "end", None)) is not None and not end.is_closed:
            with contextlib.suppress(Exception):
                self._end()

    # --- playing

    def play(self, script: Script) -> Self:
        """Take all steps of a script. Raises ScriptMismatch and ScriptTimeout."""
        __tracebackhide__ = True
        play_blocking(self._progress("play()", script), self.end)
        return self

    def play_in_background(self, script: Script, *, strict: bool = True) -> Background:
        """Play a script in its own thread; see Background.

        Until it is over no other steps can be taken; `close()` and `reset()` end it. With `strict=False` a failure that
        was not joined is ignored.
        """
        progress = self._progress("play_in_background()", script)
        self._heard()
        end = self.end
        name = self.name or f"client of {addresses.show(self.peer)}"
        self._background = Background(
            self,
            progress,
            end,
            lambda: play_blocking(progress, end),
            strict=strict,
            timeout=self.timeout,
            name=name,
        )
        if self._client_group is not None and strict:
            self._client_group.watch(self._background)
        self._background.start()
        return self._background

    def _heard(self) -> None:
        """Raise what an earlier script in the background has failed with, before the next one takes its place."""
        failure = self._background.unheard() if self._background is not None else None
        if failure is not None:
            raise failure

    def _progress(self, method: str, script: Script) -> Progress:
        if not isinstance(script, Script):
            raise UsageError(f"{method.removesuffix(')')}{script!r}): expected a Script")
        self._check_free(method)
        return self._progress_of(script, deadlines.latest())

    def _check_free(self, method: str) -> None:
        """Raise UsageError if no step can be taken now."""
        if self.end.is_closed:
            raise UsageError(f"{method}: {self.remedy}")
        if self.is_playing_in_background:
            raise UsageError(f"{method}: a script is being played in the background; join() it first")

    @property
    def is_playing_in_background(self) -> bool:
        """Whether a script is being played in the background."""
        return self._background is not None and self._background.is_playing

    def _take(self, step: Step) -> ScriptedClient:
        __tracebackhide__ = True
        if isinstance(step, kinds.Close | kinds.Reset) and self._background is not None:
            self._background.call_off()
            self.end.is_called_off = False
        progress = self._progress(step.text, Script(step))
        begun, self._begun = self._begun, None
        if begun is not None:
            progress.next(begun)
        play_blocking(progress, self.end)
        if self.end.is_closed:
            self._give_back()
        return self

    # --- the two steps that most tests consist of, without a script around them; they leave the same traces

    def send(
        self,
        data: StepData,
        *,
        pieces: int | Sequence[int] | None = None,
        every: float = 0.0,
        timeout: float | None = None,
    ) -> ScriptedClient:
        """Send bytes or a message: at once, or in `pieces` (how many, or their sizes), one every `every` seconds.

        See Steps.send. Raises ScriptTimeout if the other end takes them too slowly.
        """
        __tracebackhide__ = True
        end = self.end
        if end.is_plain and type(data) is bytes and data and pieces is None and not every:
            try:
                sent = end.sock.send(data, DONTWAIT)
            except OSError as error:
                if is_only_later(error):
                    return super().send(data, timeout=timeout)
                assert isinstance(end, ClientStreamEndpoint)  # no other one is plain
                end.be_careful()
                end.failed_to_send(error)
                self._count += 1
                return self
            end.inbox.note_sent(data[:sent], monotonic())
            if sent < len(data):
                return super().send(data[sent:], timeout=timeout)
            self._count += 1
            return self
        return super().send(data, pieces=pieces, every=every, timeout=timeout)

    def expect(
        self,
        what: Expected | int | None = None,
        *,
        until: bytes | None = None,
        length: int | Callable[..., int] | None = None,
        timeout: float | None = None,
    ) -> ScriptedClient:
        """Expect bytes, a match of a regular expression or predicate, a length, or a message of a framing.

        See Steps.expect. Raises ScriptMismatch and ScriptTimeout.
        """
        __tracebackhide__ = True
        if self.end.is_plain and type(what) is bytes and what and until is None and length is None and timeout is None:
            inbox, size = self.end.inbox, len(what)
            if (len(inbox.unread) >= size or self._read_once()) and inbox.unread.startswith(what):
                inbox.take(size)
                self._begun = None
                self._count += 1
                return self
        return super().expect(what, until=until, length=length, timeout=timeout)

    def _read_once(self) -> bool:
        """Read within the time of a step; return whether something came."""
        end = self.end
        self._begun = begun = monotonic()
        if not end.is_quick or end.quick_for != self.timeout:
            end.be_quick(self.timeout)
        if deadlines.latest() - begun < self.timeout:
            return False  # the step looks at its deadline more closely
        return bool(end.read())

    # --- its end

    def close_at_the_end(self) -> None:
        """Close it, unless it is closed already."""
        self._end()

    def finish(self) -> None:
        """Close it, and raise the failure of a background script that was not joined."""
        __tracebackhide__ = True
        self.__exit__(None, None, None)

    def half_handshake(self) -> Self:
        """Send the first half of a TLS client's first message, and no more (RFC 8446, section 4.1.2).

        For clients that were connected with `handshake=False`. Any step can follow: silence, `close()`, `reset()`.
        """
        __tracebackhide__ = True
        self._check_free("half_handshake()")
        if not isinstance(self.end, ClientStreamEndpoint) or type(self.end.sock) is not client_sockets.QuietSocket:
            raise UsageError("half_handshake(): this client speaks TLS already, or in datagrams; pass handshake=False")
        hello = malformed.client_hello(self.end.default_context(), "localhost")
        self.send(hello[: len(hello) // 2])
        return self

    def close_without_notify(self) -> Self:
        """Close the connection without the end of the TLS stream (close_notify)."""
        self._check_free("close_without_notify()")
        if not hasattr(self.end.sock, "abandon"):
            raise UsageError("close_without_notify(): this connection has no TLS; close() it")
        self._end(without_notify=True)
        return self

    def _end(self, *, without_notify: bool = False) -> None:
        if self._background is not None:
            self._background.leave()
        if without_notify:
            self.end.part()
        elif not self.end.is_closed:
            self.end.close()
        self._give_back()

    def _give_back(self) -> None:
        self.end.give_back()
        unfired = getattr(self._private, "unfired", None)  # of a line of its own
        self._remove_path()
        if self._client_group is not None:
            self._client_group.leave(self, () if unfired is None else unfired())
