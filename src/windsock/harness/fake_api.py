"""The methods by which a test defines the answers of a fake server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, SupportsBytes, Unpack

from windsock.errors import UsageError

if TYPE_CHECKING:
    from windsock.fakes.fake import Fake
    from windsock.fakes.replies import Delivery
    from windsock.fakes.rules import Connections, Rule
    from windsock.protocols.values import Sendable
    from windsock.scripts import Script

__all__ = ["FakeAPI"]


class FakeAPI:
    """The methods of a running server that define its answers, if it is a fake."""

    name: str
    server: Any
    _fake: Fake | None
    _is_stopped: bool

    def on(
        self, pattern: object, *, after: int = 0, connections: Connections | None = None, first: bool = False
    ) -> Rule:
        """Begin a rule for messages: `server.on(b"PING\\r\\n").reply(b"PONG\\r\\n")`. See Fake.on."""
        return self._told().on(pattern, after=after, connections=connections, first=first)

    def reply(
        self,
        data: Sendable,
        *,
        times: int | None = 1,
        **delivery: Unpack[Delivery],
    ) -> Self:
        """Answer the next message, whatever it is; `times` of them, or every one with None.

        After `delay` seconds; in `pieces` (how many, or their sizes), with `every` seconds from one to the next; only
        the first `truncate` bytes of it; and then `end` the connection: "half_close", "close" or "reset"; or turn to
        TLS: "start_tls".
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
