"""The methods by which a test defines the answers of a fake server."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self, SupportsBytes, Unpack

from windsock.errors import UsageError

if TYPE_CHECKING:
    from windsock.fakes.fake import Fake
    from windsock.fakes.replies import Delivery, Replied
    from windsock.fakes.rule_options import Connections
    from windsock.fakes.rules import HowToEnd, Rule
    from windsock.fakes.states import Scope
    from windsock.options.server_options import Resolved
    from windsock.scripts import Script

__all__ = ["FakeAPI"]


class FakeAPI:
    """The methods of a running server that define its answers, if it is a fake."""

    name: str
    server: Any
    options: Resolved
    _fake: Fake | None
    _is_stopped: bool

    def on(
        self,
        pattern: object,
        *,
        after: int = 0,
        connections: Connections | None = None,
        first: bool = False,
        state: str | Sequence[str] | None = None,
    ) -> Rule:
        """Begin a rule for messages: `server.on(b"PING\\r\\n").reply(b"PONG\\r\\n")`. See Fake.on."""
        fake = self._told()
        from windsock.fakes.rule_options import RuleOptions

        options = RuleOptions.checked(after=after, connections=connections, first=first, state=state)
        return fake.on(pattern, options)

    def states(self, *, start: str = "start", per: Scope = "connection") -> Self:
        """Name the first state of rules with `state=`, and say what has a state: each connection, or the server.

        Without this call each connection has a state (on a datagram server, each client's address), and the first one
        is "start". Raises UsageError if a rule names a state already.
        """
        self._told().states(start=start, per=per)
        return self

    def state_table(self) -> list[str]:
        """Return the rules with their states, one a line; nothing if no rule names a state."""
        return [] if self._fake is None else self._fake.state_table()

    def reply(
        self,
        data: Replied,
        *,
        times: int | None = 1,
        **delivery: Unpack[Delivery],
    ) -> Self:
        """Answer the next message, whatever it is; `times` of them, or every one with None.

        `data` is anything that a rule's `reply()` takes: bytes, a binary file, several runs of bytes, a Repeat.
        After `delay` seconds; in `pieces` (how many, or their sizes), with `every` seconds from one to the next; only
        the first `truncate` bytes of it; and then `end` the connection: "half_close", "close" or "reset"; or turn to
        TLS: "start_tls". On a datagram server, from `source`: a loopback host, (host, port), or another datagram server
        in the test.
        """
        self._told().reply(data, times=times, **delivery)
        return self

    def greet(self, what: bytes | SupportsBytes | Script, **delivery: Unpack[Delivery]) -> Self:
        """Speak first: send this on each new connection before anything else, also before a script that it plays.

        In TLS it comes after the handshake; with tls="starttls" in the clear, once. The keywords are
        those of `reply()` but `times`. The latest greeting counts, for connections from now on.
        """
        self._told().greet(what, **delivery)
        return self

    def idle(self, seconds: float, *, end: HowToEnd = "close", reply: bytes | None = None) -> Self:
        """End a connection on which no message has come for `seconds`: `server.idle(5.0, reply=b"421 timeout\\r\\n")`.

        `reply` is sent first; `end` is "close", "half_close" or "reset". The time begins anew with each reply, and
        does not pass while delayed replies are pending. For connections from now on that play no script of their own.
        """
        self._told().pacing().idle(seconds, end=end, reply=reply)
        return self

    def limit(self, messages: int, *, end: HowToEnd = "close", reply: bytes | None = None) -> Self:
        """End each connection after `messages` messages: `server.limit(messages=100)` ends it after the 100th reply.

        With `reply`, the connection goes on until one message more comes; it gets this reply, and then the connection
        is ended: `end` is "close", "half_close" or "reset". For connections from now on that play no script of their
        own.
        """
        self._told().pacing().limit(messages, end=end, reply=reply)
        return self

    def unordered(self, *, key: Callable[[bytes], object] | None = None) -> Self:
        """Let later replies of a connection overtake a delayed one, as of a server that works on several requests.

        `key` is a function of the message, such as `lambda data: data[:4]`: replies to messages with equal keys stay
        in order. On a datagram server a delayed reply does not hold up those to other datagrams, whatever the
        concurrency. For connections from now on.
        """
        fake = self._told()
        fake.pacing().unordered(key)
        if self.options.is_datagram and self.options.concurrency == "sync":
            fake.let_datagrams_overtake()
        return self

    def echo(self) -> Self:
        """Answer every message with itself."""
        self._told().echo()
        return self

    def play(self, *scripts: Script) -> Self:
        """Have the next connections play these scripts, one each: `server.play(Script().expect(b"A").send(b"B"))`.

        A script is written from the server's side. At its end the connection is ended as at the end of a handler; if
        more has come than it expects, that is a mismatch. On a datagram server each is played with the client that
        sends the next datagram, until its end.

        Raises UsageError for a step that such a server can't take.
        """
        self._playing("play").play(self.server, *scripts)
        return self

    def play_all(self, script: Script) -> Self:
        """Play this script, which must have an end, on each later connection that has none of its own."""
        self._playing("play_all").play_all(self.server, script)
        return self

    def _playing(self, method: str) -> Fake:
        if self._is_stopped:
            raise UsageError(f"{method}(): the {self.name} is stopped already; call it before stop()")
        return self._told()

    def _told(self) -> Fake:
        if self._fake is None:
            raise UsageError(
                f"the {self.name} has a handler, which answers; on(), reply(), greet() and echo() are for fakes"
            )
        return self._fake
